"""haproxy as its manual has a reverse proxy with reused connections, with a pasted token."""

import subprocess
from pathlib import Path

from ..process import Process
from ..programs import Programs
from ..site import Site
from .peer import Peer, Role

# The log goes to standard output, which is the file that all peers have; haproxy has no buffer for that.
_CONFIGURATION = """\
global
  nbthread {role.loops}
  maxconn 12000
  no strict-limits
  {log}
defaults
  mode http
  {log_requests}
  option splice-auto
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  timeout http-request 10s
  http-reuse always
frontend clients
  bind 127.0.0.1:{port} backlog 16384
  default_backend origin
backend origin
  http-request set-header Authorization "Bearer {token}"
  http-request set-header Host {authority}
  server origin 127.0.0.1:{upstream_port} maxconn {role.upstream_connections}{tls}
"""


class HAProxy(Peer):
    name = "haproxy"

    def version(self, programs: Programs) -> str:
        said = subprocess.run([programs.need("haproxy"), "-v"], capture_output=True, text=True, timeout=10).stdout
        return "haproxy/" + said.split()[2]

    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        tls = f" ssl verify required ca-file {site.authority.file} sni str(localhost) ssl-min-ver TLSv1.3"
        (directory / "haproxy.conf").write_text(_CONFIGURATION.format(
            role=role, port=port, token=site.token, upstream_port=site.origin.port(role.tls_upstream),
            authority=site.origin.authority(role.tls_upstream), tls=tls if role.tls_upstream else "",
            log="log stdout format raw local0" if site.access_log else "",
            log_requests="log global\n  option httplog" if site.access_log else ""))
        return Process("haproxy", [site.programs.need("haproxy"), "-db", "-f", directory / "haproxy.conf"], directory,
                       site.cores.of_proxy(role.loops))
