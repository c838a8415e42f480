"""m2m-proxy with everything on: log, metrics, limits, timeouts, tokens that it fetches, and routes beside the one used."""

import subprocess
from pathlib import Path

from harness.proxy_conf import proxy_conf

from ..ports import free_port
from ..process import Process
from ..programs import Programs
from ..site import AUDIENCE, CLIENT_SECRET, SCOPES, Site
from .peer import Peer, Role

_MANY = 30_000


class M2MProxy(Peer):
    name = "m2m-proxy"
    intercepts = True

    def version(self, programs: Programs) -> str:
        said = subprocess.run([programs.proxy, "--version"], capture_output=True, text=True, timeout=10).stdout
        return "m2m-proxy/" + said.split()[-1]

    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        return self.launch_with(configuration(site, role, port), site, role, directory)

    def launch_with(self, settings: dict, site: Site, role: Role, directory: Path,
                    command: list | None = None) -> Process:
        """With `command` in place of the program itself."""
        (directory / "proxy.conf").write_text(proxy_conf(settings))
        if role.tls_clients:
            subprocess.run([site.programs.proxy, "ca", "init", "--config", "proxy.conf"], cwd=directory, check=True,
                           stdout=subprocess.DEVNULL, timeout=30)
        return Process(self.name, [*(command or [site.programs.proxy]), "run", "--config", "proxy.conf"], directory,
                       site.cores.of_proxy(role.loops))


def configuration(site: Site, role: Role, port: int, token_endpoint: str | None = None) -> dict:
    upstream = site.origin.url(role.tls_upstream)
    used = {"name": "orders", "mount": "/orders", "forward_to": f"{upstream}/orders"}
    if role.tls_clients:
        used |= {"match": site.origin.authority(role.tls_upstream), "forward_to": upstream, "tunnel": "intercept"}
        del used["mount"]
    # By turns for clients with a base URL and for those of an HTTP proxy. Short: proxy.conf is read up to 1 MB.
    others = [{"name": f"r{number}"} | ({"mount": f"/r{number}"} if number % 2 else {"match": f"r{number}.internal"})
              | {"forward_to": upstream} for number in range(role.routes - 1)]
    return {
        "listen": f"127.0.0.1:{port}",
        "admin": f"127.0.0.1:{free_port()}",
        "loops": role.loops,
        "log": {"access": site.access_log},
        "tls": {"ca_file": str(site.authority.file)},
        # What others have no limit for is not limited here either; all of it is still counted.
        "limits": {"connections": _MANY, "connections_per_client": _MANY, "requests_per_connection": 1_000_000_000,
                   "upstream_connections": role.upstream_connections, "queue": _MANY},
        "timeouts": {"idle": "600s", "upstream_idle": "600s"},
        "interception": {"ca_certificate": "ca/ca.pem"} if role.tls_clients else None,
        "credentials": {"bench": {
            "provider": "generic", "token_endpoint": token_endpoint or site.tokens.endpoint, "client_id": "bench",
            "client_secret": CLIENT_SECRET, "audience": AUDIENCE}},
        "routes": [*others[:len(others) // 2], used | {"scopes": SCOPES}, *others[len(others) // 2:]],
    }
