"""What tests of interception need beside a proxy: its certificate authority, and clients that speak TLS inside a tunnel."""

import socket
import ssl
from pathlib import Path

from . import wire
from .certificates import CertificateAuthority
from .client import get
from .waiting import PATIENCE


class InterceptionAuthority:
    """A certificate authority as an operator may bring one."""

    def __init__(self, directory: Path):
        self._authority = CertificateAuthority(directory, "interception CA")
        self.file = self._authority.file
        self.key = directory / "interception-CA.key"
        self.key.touch(mode=0o600)
        self.key.write_bytes(self._authority.key_bytes())

    @property
    def settings(self) -> dict:
        """The section `interception` of proxy.conf."""
        return {"ca_certificate": str(self.file), "ca_key": str(self.key)}

    def context(self) -> ssl.SSLContext:
        """A client that trusts it alone."""
        return ssl.create_default_context(cafile=str(self.file))


class TunnelClient:
    """A connection on which CONNECT has been answered with 200; `start_tls` begins to speak TLS inside."""

    def __init__(self, address: tuple[str, int], target: str, *fields: str):
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = wire.Reader(lambda: self.socket.recv(1 << 18))
        self.send(get(target, *fields, host=target, method="CONNECT"))
        self.confirmation = wire.read_answer_head(self.reader)

    def start_tls(self, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None = None) -> "TunnelClient":
        assert self.confirmation.status == 200, self.confirmation
        self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session)
        self.reader = wire.Reader(lambda: self.socket.recv(1 << 18))
        return self

    def send(self, data: bytes) -> "TunnelClient":
        self.socket.sendall(data)
        return self

    def answer(self, to: str = "GET", sink=None) -> wire.Answer:
        return wire.read_answer(self.reader, to, sink)

    def exchange(self, request: bytes, to: str = "GET") -> wire.Answer:
        return self.send(request).answer(to)

    def expect_end(self) -> None:
        assert self.reader.at_end(), f"unexpected bytes: {self.reader.buffered()!r}"

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> "TunnelClient":
        return self

    def __exit__(self, *_) -> None:
        self.close()
