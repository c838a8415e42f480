"""Connections that have carried a request and have waited for a second for the next one."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

from ..failure import Failure
from ..site import Site

_PATIENCE = 30.0
_IDLENESS = 1.0


@contextlib.contextmanager
def connections(site: Site, port: int, request: bytes, count: int, tls: bool = False,
                connect_to: str | None = None) -> Iterator[None]:
    """With `connect_to` they are tunnels to that authority; with `tls` they speak TLS, inside."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # The intercepting proxy has its own authority; trust is not measured.
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(contextlib.closing(socket.create_connection(("127.0.0.1", port), _PATIENCE)))
            if connect_to:
                connection.sendall(f"CONNECT {connect_to} HTTP/1.1\r\nHost: {connect_to}\r\n\r\n".encode())
                _read_answer(connection, has_content=False)
            if tls:
                connection = context.wrap_socket(connection, server_hostname="localhost")
                stack.enter_context(contextlib.closing(connection))
            connection.sendall(request)
            _read_answer(connection)
        time.sleep(_IDLENESS)
        yield


def _read_answer(connection: socket.socket, has_content: bool = True) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _receive(connection)
    head, _, content = received.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    if status.split()[1] != "200":
        raise Failure(f"idle connections: answered with {status}: {content[:200]!r}")
    lengths = [int(field.split(":")[1]) for field in fields if field.lower().startswith("content-length:")]
    while has_content and len(content) < lengths[0]:
        content += _receive(connection)


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise Failure("idle connections: one was closed")
    return received
