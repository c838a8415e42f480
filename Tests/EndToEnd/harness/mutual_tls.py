"""A real nginx that requests client certificates: in front of the token endpoint, and as upstream."""

import os
import socket
import subprocess
from pathlib import Path

from .certificates import CertificateAuthority
from .nginx import end, program as nginx_program

_SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate.certificate};
    ssl_certificate_key {certificate.key};
    ssl_client_certificate {authority};
    ssl_verify_client on;
    # With TLS 1.2 a session can be resumed as soon as the handshake is done.
    ssl_protocols TLSv1.2;
    ssl_session_cache shared:mutual:1m;
    {locations}
  }}
"""


class MutualTLS:
    """`tokens` passes verified requests on to `token_server` and says whose they are; `api` echoes that."""

    def __init__(self, directory: Path, servers: CertificateAuthority, clients: CertificateAuthority,
                 token_server: str):
        self._directory = directory
        sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=512) for name in ["tokens", "api"]}
        ports = {name: each.getsockname()[1] for name, each in sockets.items()}
        self.tokens = f"https://127.0.0.1:{ports['tokens']}"
        self.api = f"https://127.0.0.1:{ports['api']}"
        certificate = servers.issue("mutual", "127.0.0.1", "localhost")
        locations = {
            "tokens": "location / { proxy_set_header X-Verified-Subject $ssl_client_s_dn; "
                      f"proxy_pass http://{token_server}; }}",
            "api": 'location / { default_type text/plain; '
                   'return 200 "$ssl_client_s_dn $ssl_client_serial $ssl_session_reused $http_authorization"; }',
        }
        text = "".join(
            _SERVER.format(port=ports[name], certificate=certificate, authority=clients.file,
                           locations=locations[name]) for name in sockets)
        temporary = "".join(f"  {kind}_temp_path {directory}/{kind};\n"
                            for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        user = "user root;\n" if os.geteuid() == 0 else ""
        (directory / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\n{user}pid {directory}/nginx.pid;\n"
            f"error_log {directory}/error.log info;\nevents {{ worker_connections 512; }}\n"
            f"http {{\n{temporary}  access_log {directory}/access.log;\n{text}}}\n")
        numbers = [each.fileno() for each in sockets.values()]
        environment = os.environ | {"NGINX": "".join(f"{number};" for number in numbers)}
        with open(directory / "stderr.log", "wb") as output:
            self._process = subprocess.Popen(
                [nginx_program(), "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"],
                pass_fds=numbers, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        for each in sockets.values():
            each.close()

    def stop(self) -> None:
        end(self._process, self._directory)
