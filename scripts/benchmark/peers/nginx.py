"""nginx as its documentation has a reverse proxy with kept connections, with a pasted token."""

import subprocess
from pathlib import Path

from ..origin import temporary_paths
from ..process import Process
from ..programs import Programs
from ..site import Site
from .peer import Peer, Role

_CONFIGURATION = """\
daemon off;
worker_processes {role.loops};
{user}pid {directory}/nginx.pid;
events {{ worker_connections 20000; }}
http {{
  access_log {log};
  {temporary}
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  upstream origin {{
    server 127.0.0.1:{upstream_port};
    keepalive {role.upstream_connections};
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }}
  server {{
    listen 127.0.0.1:{port}{listen} backlog=16384;
    {listen_tls}
    location / {{
      proxy_pass {scheme}://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host {authority};
      proxy_set_header Authorization "Bearer {token}";
      # Streaming, as all the others do it, in buffers of 64 KB.
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_buffers 8 64k;
      client_body_buffer_size 64k;
      {upstream_tls}
    }}
  }}
}}
"""
_UPSTREAM_TLS = """proxy_ssl_protocols TLSv1.3;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {ca};
      proxy_ssl_name localhost;
      proxy_ssl_server_name on;"""
_LISTEN_TLS = """ssl_certificate {certificate.certificate};
    ssl_certificate_key {certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:TLS:10m;"""


class Nginx(Peer):
    name = "nginx"

    def version(self, programs: Programs) -> str:
        said = subprocess.run([programs.need("nginx"), "-v"], capture_output=True, text=True, timeout=10).stderr
        return said.split(": ", 1)[1].strip()

    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        listen_tls = ""
        if role.tls_clients:
            listen_tls = _LISTEN_TLS.format(certificate=site.authority.issue(f"nginx-{port}", "localhost", "127.0.0.1"))
        (directory / "nginx.conf").write_text(_CONFIGURATION.format(
            role=role, user=site.user, directory=directory, temporary=temporary_paths(directory), port=port,
            log=f"{directory}/access.log combined buffer=64k flush=1s" if site.access_log else "off",
            upstream_port=site.origin.port(role.tls_upstream), authority=site.origin.authority(role.tls_upstream),
            scheme="https" if role.tls_upstream else "http", token=site.token,
            upstream_tls=_UPSTREAM_TLS.format(ca=site.authority.file) if role.tls_upstream else "",
            listen=(" ssl" if role.tls_clients else "") + (" reuseport" if role.loops > 1 else ""),
            listen_tls=listen_tls))
        return Process(
            "nginx", [site.programs.need("nginx"), "-p", directory, "-e", directory / "error.log", "-c",
                      directory / "nginx.conf"], directory, site.cores.of_proxy(role.loops))
