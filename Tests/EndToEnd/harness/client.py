"""A client that sends exactly the bytes it is given and believes nothing that is not valid HTTP/1.x."""

import socket
import struct
from pathlib import Path
from typing import Iterable

from . import wire
from .waiting import PATIENCE


class RawClient:
    def __init__(self, address: tuple[str, int] | Path, source: str | None = None):
        """Connects; `source` is an address of this machine to come from."""
        if isinstance(address, Path):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(str(address))
        else:
            origin = (source, 0) if source else None
            self.socket = socket.create_connection(address, timeout=PATIENCE, source_address=origin)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = wire.Reader(lambda: self.socket.recv(1 << 18))

    def send(self, data: bytes) -> "RawClient":
        self.socket.sendall(data)
        return self

    def send_pieces(self, pieces: Iterable) -> "RawClient":
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def answer(self, to: str = "GET", sink=None) -> wire.Answer:
        """The next complete answer with its body; raises `Incomplete` when it ends early."""
        return wire.read_answer(self.reader, to, sink)

    def head(self) -> wire.Answer:
        """The next answer's head only."""
        return wire.read_answer_head(self.reader)

    def switched(self) -> wire.Answer:
        """The next answer's head, which says that the protocol changes."""
        answer = wire.read_answer_head(self.reader, may_switch=True)
        assert answer.status == 101, answer
        assert not answer.values("content-length") and not answer.values("transfer-encoding"), answer
        return answer

    def exchange(self, request: bytes, to: str = "GET") -> wire.Answer:
        return self.send(request).answer(to)

    def body_byte_count(self, at_least: int) -> int:
        """Waits for `at_least` further bytes and returns how many came."""
        count = 0
        while count < at_least:
            assert not self.reader.at_end(), f"the connection ended after {count} bytes"
            count += len(self.reader.take_buffered())
        return count

    def expect_end(self) -> None:
        """The proxy closes the connection and sends nothing more."""
        assert self.reader.at_end(), f"unexpected bytes: {self.reader.buffered()!r}"

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Closes with a RST, as a killed process with unread data does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def get(target: str, *fields: str, version: str = "1.1", host: str = "api.internal", method: str = "GET") -> bytes:
    """A request without a body. `Host` comes first, as clients send it."""
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *fields]
    return "".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n"


def post(target: str, body: bytes, *fields: str, method: str = "POST", host: str = "api.internal") -> bytes:
    """A request with a body of known length."""
    return get(target, *fields, f"Content-Length: {len(body)}", method=method, host=host) + body
