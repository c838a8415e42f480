"""Envoy with its credential injector."""

import json
import subprocess
from pathlib import Path

from ..process import Process
from ..programs import Programs
from ..site import Site
from .peer import Peer, Role

_TYPE = "type.googleapis.com/envoy.extensions."
_MANY = 1_000_000


class Envoy(Peer):
    name = "envoy"

    def version(self, programs: Programs) -> str:
        said = subprocess.run([self._program(programs), "--version"], capture_output=True, text=True, timeout=30).stdout
        return "envoy/" + said.split("version:")[1].split("/")[1]

    @staticmethod
    def _program(programs: Programs) -> Path | str:
        """The program itself, not the script in Python that the package puts on the PATH and that starts it."""
        packaged = sorted(programs.venv.glob("lib/python3*/site-packages/envoy/_bin/envoy"))
        return packaged[0] if packaged else programs.need("envoy")

    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        secret = {"resources": [{
            "@type": f"{_TYPE}transport_sockets.tls.v3.Secret", "name": "token",
            "generic_secret": {"secret": {"inline_string": f"Bearer {site.token}"}}}]}
        (directory / "secret.json").write_text(json.dumps(secret))
        (directory / "envoy.json").write_text(json.dumps(_bootstrap(site, role, directory, port)))
        return Process(
            "envoy", [self._program(site.programs), "-c", directory / "envoy.json", "--concurrency", role.loops,
                      "--disable-hot-restart", "--log-level", "error"],
            directory, site.cores.of_proxy(role.loops))


def _bootstrap(site: Site, role: Role, directory: Path, port: int) -> dict:
    return {"node": {"id": "bench", "cluster": "bench"}, "static_resources": {
        "listeners": [{
            "address": _address(port), "tcp_backlog_size": 16384,
            "filter_chains": [{"filters": [{
                "name": "http", "typed_config": _connection_manager(site, role, directory)}]}]}],
        "clusters": [_cluster(site, role)]}}


def _connection_manager(site: Site, role: Role, directory: Path) -> dict:
    log = [{"name": "file", "typed_config": {
        "@type": f"{_TYPE}access_loggers.file.v3.FileAccessLog", "path": str(directory / "access.log")}}]
    return {
        "@type": f"{_TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "clients", "codec_type": "HTTP1", "generate_request_id": False,
        "access_log": log if site.access_log else [],
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {
                "cluster": "origin", "timeout": "0s", "host_rewrite_literal": site.origin.authority(role.tls_upstream)}}]}]},
        "http_filters": [
            {"name": "credentials", "typed_config": _credential_injector(directory)},
            {"name": "router", "typed_config": {
                "@type": f"{_TYPE}filters.http.router.v3.Router", "suppress_envoy_headers": True}}]}


def _credential_injector(directory: Path) -> dict:
    return {
        "@type": f"{_TYPE}filters.http.credential_injector.v3.CredentialInjector", "overwrite": True,
        "credential": {"name": "generic", "typed_config": {
            "@type": f"{_TYPE}http.injected_credentials.generic.v3.Generic",
            "credential": {"name": "token", "sds_config": {
                "path_config_source": {"path": str(directory / "secret.json")}}}}}}


def _cluster(site: Site, role: Role) -> dict:
    limits = {name: _MANY for name in ["max_connections", "max_pending_requests", "max_requests"]}
    cluster = {
        "name": "origin", "type": "STATIC", "connect_timeout": "10s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": _address(site.origin.port(role.tls_upstream))}}]}]}}
    if role.tls_upstream:
        cluster["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": f"{_TYPE}transport_sockets.tls.v3.UpstreamTlsContext", "sni": "localhost",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                "validation_context": {
                    "trusted_ca": {"filename": str(site.authority.file)},
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": "localhost"}}]}}}}
    return cluster


def _address(port: int) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
