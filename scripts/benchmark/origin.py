"""The API behind all of them: one nginx on loopback, plain and with TLS 1.3."""

from pathlib import Path

from harness.certificates import CertificateAuthority

from .ports import free_port
from .process import Process

SMALL = "x" * 1024
FILES = {"10M": 10_000_000, "1G": 1_000_000_000}

_CONFIGURATION = """\
daemon off;
worker_processes 1;
{user}pid {directory}/nginx.pid;
events {{ worker_connections 20000; }}
http {{
  access_log off;
  {temporary}
  default_type text/plain;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_timeout 600s;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  # The token alone nearly fills the default of 1 KB: what a proxy adds beside it must not cost the origin a second read.
  client_header_buffer_size 4k;
  sendfile on;
  tcp_nopush on;
  output_buffers 2 128k;
  # Requests with content are read to their end before they are answered: "return" alone would answer at once.
  upstream answering {{ server unix:{directory}/answering.sock; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen unix:{directory}/answering.sock backlog=4096;
    location / {{ return 200 "{small}"; }}
  }}
  server {{
    listen 127.0.0.1:{plain} backlog=16384;
    listen 127.0.0.1:{tls} ssl backlog=16384;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificate.certificate};
    ssl_certificate_key {certificate.key};
    root {directory}/www;
    location = /orders/small {{ return 200 "{small}"; }}
    location = /orders/received {{ return 200 "$http_authorization"; }}
    location = /orders/content {{ {answering} }}
    location = /orders/chunked {{ {answering} ssi on; ssi_types *; }}
    location /orders/ {{ }}
    location /orders/upload/ {{ dav_methods PUT; create_full_put_path on; client_body_temp_path {directory}/www/temporary; }}
  }}
}}
"""
# What goes through SSI has no known length, and is sent in chunks.
_ANSWERING = 'proxy_pass http://answering/; proxy_http_version 1.1; proxy_set_header Connection "";'


class Origin(Process):
    """`/orders/small` is 1 KB, `/orders/content` takes content and answers with 1 KB, `/orders/chunked` does so in
    chunks, `/orders/10M` and `/orders/1G` are files, `/orders/upload/NAME` takes them."""

    def __init__(self, program: str, directory: Path, authority: CertificateAuthority, user: str):
        directory.mkdir()
        (directory / "www/orders/upload").mkdir(parents=True)
        for name, size in FILES.items():
            with open(directory / "www/orders" / name, "wb") as file:
                file.truncate(size)
        self.file = directory / "www/orders"
        self.plain_port, self.tls_port = free_port(), free_port()
        (directory / "nginx.conf").write_text(_CONFIGURATION.format(
            directory=directory, user=user, small=SMALL, plain=self.plain_port, tls=self.tls_port,
            certificate=authority.issue("origin", "localhost", "127.0.0.1"), answering=_ANSWERING,
            temporary=temporary_paths(directory)))
        super().__init__(
            "origin", [program, "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"], directory)
        self.wait_for_port(self.plain_port)

    def authority(self, tls: bool) -> str:
        return f"localhost:{self.tls_port if tls else self.plain_port}"

    def port(self, tls: bool) -> int:
        return self.tls_port if tls else self.plain_port

    def url(self, tls: bool) -> str:
        return f"{'https' if tls else 'http'}://{self.authority(tls)}"

    def forget_uploads(self) -> None:
        for file in (self.file / "upload").iterdir():
            file.unlink()


def temporary_paths(directory: Path) -> str:
    return "\n  ".join(f"{kind}_temp_path {directory}/{kind};"
                       for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
