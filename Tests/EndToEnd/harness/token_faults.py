"""A layer between the proxy and a real token endpoint, in which anything can go wrong: with the request, or with the
real reply on its way back."""

import http.client
import json
import socket
import ssl
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

from . import wire
from .authlib_server import AuthlibServer
from .origin import OriginConnection, RawOrigin
from .waiting import PATIENCE


@dataclass
class Reply:
    """What the real server answered."""

    status: int
    members: dict
    fields: list[str] = field(default_factory=lambda: ["Content-Type: application/json"])

    @property
    def body(self) -> bytes:
        return json.dumps(self.members).encode()

    @property
    def message(self) -> bytes:
        return message(self.status, self.body, *self.fields)


Fault = Callable[[OriginConnection, Callable[[], Reply]], None]
"""Answers on a connection; what it is given besides gets the real reply, for which there may be a token to pay."""


def message(status: int, body: bytes = b"", *fields: str, version: str = "1.1") -> bytes:
    """A complete answer."""
    lines = [f"HTTP/{version} {status} {http.client.responses.get(status, 'Odd')}", *fields]
    if status >= 200 and status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n" + body


class FaultLayer:
    """Serves any path; what happens is chosen by the path. A path without a fault gets the real reply."""

    def __init__(self, server: AuthlibServer, tls: ssl.SSLContext | None = None):
        self.server = server
        self.faults: dict[str, Fault] = {}
        self.asked: Counter[str] = Counter()
        """How many requests there were, by path."""
        self.origin = RawOrigin(tls)
        self.origin.otherwise = self._serve
        self._open = threading.Event()
        self._open.set()

    def url(self, path: str) -> str:
        return self.origin.url + path

    def hold(self) -> None:
        """Requests wait from now on."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def _serve(self, connection: OriginConnection) -> None:
        try:
            while not connection.at_end():
                request = connection.request()
                path = request.target.decode()
                self.asked[path] += 1
                assert self._open.wait(PATIENCE), "the token endpoint was not released"
                fault = self.faults.get(path, pass_on)
                fault(connection, lambda: self._ask(request))
        except (wire.Incomplete, BrokenPipeError, ConnectionResetError):
            pass  # The proxy has had enough.
        except OSError:
            # A fault has closed the connection.
            if connection._socket.fileno() >= 0:
                raise

    def _ask(self, request: wire.Request) -> Reply:
        onward = http.client.HTTPConnection(self.server.authority, timeout=PATIENCE)
        fields = {name.decode(): value.decode() for name, value in request.fields
                  if name.lower() in (b"content-type", b"authorization", b"accept")}
        onward.request("POST", "/oauth2/token", request.body, fields)
        answer = onward.getresponse()
        body = json.loads(answer.read())
        onward.close()
        return Reply(answer.status, body)

    def stop(self) -> None:
        self.release()
        self.origin.stop()


# Faults

def pass_on(connection, real) -> None:
    connection.send(real().message)


def says(status: int, body: bytes | str | dict = b"", *fields: str, version: str = "1.1") -> Fault:
    """This answer, and no word to the real server."""
    if isinstance(body, dict):
        body, fields = json.dumps(body), (*fields, "Content-Type: application/json")
    data = body.encode() if isinstance(body, str) else body
    return lambda connection, real: connection.send(message(status, data, *fields, version=version))


def edited(*without: str, **members) -> Fault:
    """The real reply, `without` some members and with others."""
    def fault(connection, real) -> None:
        reply = real()
        kept = {name: value for name, value in reply.members.items() if name not in without}
        connection.send(Reply(reply.status, kept | members).message)
    return fault


def rewritten(change: Callable[[bytes], bytes], *fields: str, status: int = 200) -> Fault:
    """The real reply's body after `change`."""
    named = fields or ("Content-Type: application/json",)
    return lambda connection, real: connection.send(message(status, change(real().body), *named))


def framed(change: Callable[[Reply], bytes]) -> Fault:
    """The bytes that `change` makes of the real reply; then the connection ends."""
    def fault(connection, real) -> None:
        connection.send(change(real()))
        connection.finish_sending()
        connection.expect_close()
    return fault


def then_reset(change: Callable[[Reply], bytes]) -> Fault:
    """The bytes that `change` makes of the real reply; then the connection is reset."""
    def fault(connection, real) -> None:
        connection.send(change(real()))
        connection.reset()
    return fault


def endless(begin: Callable[[Reply], bytes], piece: bytes) -> Fault:
    """`begin`, and then `piece` again and again until the proxy closes."""
    def fault(connection, real) -> None:
        connection.send(begin(real()))
        while True:
            connection.send(piece)
    return fault


def trickled(begin: Callable[[Reply], bytes], piece: bytes) -> Fault:
    """The same, but so slowly that only time can end it."""
    def fault(connection, real) -> None:
        connection.send(begin(real()))
        connection._socket.settimeout(0.02)
        while True:
            try:
                connection.send(piece)
                if connection._socket.recv(1) == b"":
                    return
            except TimeoutError:
                continue
    return fault


def silent(connection, real) -> None:
    """No reply at all."""
    connection.expect_close()
