"""A real nginx as upstream: plain, TLS with a good certificate, and TLS in the ways that must be refused."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from . import content
from .certificates import CertificateAuthority
from .waiting import PATIENCE, poll

_LOCATIONS = """
    root {directory}/www;
    default_type application/octet-stream;
    client_max_body_size 0;
    location / {{ }}
    location /upload/ {{ dav_methods PUT DELETE; create_full_put_path on; }}
    location = /echo/authorization {{ default_type text/plain; return 200 "$http_authorization"; }}
    location = /echo/cipher {{ default_type text/plain; return 200 "$ssl_cipher $ssl_ciphers"; }}
    location = /echo/resumed {{ default_type text/plain; return 200 "$ssl_protocol $ssl_session_reused"; }}
    location = /echo/host {{ default_type text/plain; return 200 "$http_host"; }}
    location = /echo/agent {{ default_type text/plain; return 200 "$http_user_agent"; }}
    location /echo/uri/ {{ default_type text/plain; return 200 "$request_method $request_uri"; }}
    location = /echo/connection {{ default_type text/plain; return 200 "$connection $connection_requests"; }}
    location = /redirect {{ return 302 /small.txt; }}
    location = /missing {{ return 404 "no such thing"; }}
"""

_TLS = """
    ssl_certificate {certificate.certificate};
    ssl_certificate_key {certificate.key};
"""


def program() -> str:
    """Debian has it in /usr/sbin, which is not on the PATH of all users."""
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    assert program, "nginx is not installed: scripts/test installs it"
    return program


class Nginx:
    """One process with a server for each name of `NAMES`; `url(name)` is its address."""

    NAMES = ["plain", "tls", "wrong_host", "self_signed", "expired", "tls11", "tls12", "tls12_tickets"]

    def __init__(self, directory: Path, authority: CertificateAuthority):
        self.directory = directory
        self.www = directory / "www"
        (self.www / "upload").mkdir(parents=True)
        (self.www / "small.txt").write_bytes(b"small\n")
        for size in content.SIZES:
            with open(self.www / f"{size}.bin", "wb") as file:
                file.writelines(content.pieces(size))
        # nginx inherits listening sockets named in $NGINX: no port has to be guessed.
        sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=512) for name in self.NAMES}
        self._ports = {name: each.getsockname()[1] for name, each in sockets.items()}
        certificates = {
            "tls": authority.issue("good", "127.0.0.1", "localhost"),
            "wrong_host": authority.issue("wrong-host", "other.example"),
            "self_signed": authority.issue("self-signed", "127.0.0.1", "localhost", self_signed=True),
            "expired": authority.issue("expired", "127.0.0.1", "localhost", days=-1),
            "tls11": authority.issue("tls11", "127.0.0.1", "localhost"),
            "tls12": authority.issue("tls12", "127.0.0.1", "localhost"),
            "tls12_tickets": authority.issue("tls12-tickets", "127.0.0.1", "localhost"),
        }
        servers = ""
        for name in self.NAMES:
            tls = _TLS.format(certificate=certificates[name]) if name in certificates else ""
            if name == "tls11":
                tls += "    ssl_protocols TLSv1.1;\n    ssl_ciphers ALL:@SECLEVEL=0;\n"
            elif name == "tls12":
                # libcurl takes no tickets in TLS 1.2: sessions are kept by the server.
                tls += "    ssl_protocols TLSv1.2;\n    ssl_session_cache shared:tls12:1m;\n"
            elif name == "tls12_tickets":
                tls += "    ssl_protocols TLSv1.2;\n    ssl_session_cache off;\n    ssl_session_tickets on;\n"
            elif tls:
                tls += "    ssl_protocols TLSv1.2 TLSv1.3;\n"
            servers += f"  server {{\n    listen 127.0.0.1:{self._ports[name]}{' ssl' if tls else ''};\n{tls}"
            servers += _LOCATIONS.format(directory=directory) + "  }\n"
        temporary = "".join(f"  {kind}_temp_path {directory}/{kind};\n"
                            for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        user = "user root;\n" if os.geteuid() == 0 else ""  # Else the worker could not read a private directory.
        (directory / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\n{user}pid {directory}/nginx.pid;\n"
            f"error_log {directory}/error.log info;\n"
            "events { worker_connections 2048; }\n"
            f"http {{\n{temporary}  access_log {directory}/access.log;\n  keepalive_requests 100000;\n{servers}}}\n")
        numbers = [each.fileno() for each in sockets.values()]
        environment = os.environ | {"NGINX": "".join(f"{number};" for number in numbers)}
        with open(directory / "stderr.log", "wb") as output:
            self._process = subprocess.Popen(
                [program(), "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"],
                pass_fds=numbers, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        for each in sockets.values():
            each.close()

    def authority(self, name: str = "plain") -> str:
        return f"127.0.0.1:{self._ports[name]}"

    def url(self, name: str = "plain") -> str:
        return f"{'http' if name == 'plain' else 'https'}://{self.authority(name)}"

    def stop(self) -> None:
        end(self._process, self.directory)


def end(process: subprocess.Popen, directory: Path) -> None:
    """Ends an nginx whose files are in `directory`, and checks that it left in peace."""
    # Until it has written this file a signal may find it without a handler.
    poll(lambda: (directory / "nginx.pid").exists() or process.poll() is not None, "the start of nginx")
    process.send_signal(signal.SIGTERM)
    code = process.wait(PATIENCE)
    assert code == 0, f"nginx ended with {code}:\n{(directory / 'error.log').read_text()[-4000:]}"
