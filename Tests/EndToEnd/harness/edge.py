"""The proxy between raw clients and recording origins, for many cases in a row: what a client sent, what came back to
it, what reached the origins, and whether other clients were affected."""

import itertools
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from . import wire
from .authlib_server import AuthlibServer
from .client import RawClient, get
from .origin import OriginConnection, RawOrigin
from .proxy import Proxy
from .proxy_conf import proxy_conf
from .waiting import PATIENCE, poll

NEXT = get("http://api.internal/next", "Connection: close")
"""What follows every message in the same write. It is a request of its own, or it is nothing: never content."""

HOP_BY_HOP = {"keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "http2-settings", "proxy"}


@dataclass
class Seen:
    """What became of one message and of the request behind it."""

    answers: list[wire.Answer]
    rest: bytes
    "What the client got that is no complete answer."
    requests: list[wire.Request]
    "What reached the origin whole, the probe afterwards left out."
    partial: list[bytes]
    "What reached the origin and is not a whole message."
    bytes_received: bytes
    "Everything that the origin got, the probe included."

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]

    @property
    def stayed_here(self) -> bool:
        """Whether the probe is all that the origin got."""
        return self.bytes_received.startswith(b"GET /probe/") and self.bytes_received.find(b"\r\n\r\n") == len(
            self.bytes_received) - 4

    @property
    def targets(self) -> list[bytes]:
        return [request.target for request in self.requests]


@dataclass
class Recorder:
    """An origin that answers each request with its method and target, and keeps what it got in order."""

    origin: RawOrigin = field(default_factory=RawOrigin)
    requests: list[wire.Request] = field(default_factory=list)
    partial: list[bytes] = field(default_factory=list)

    def __post_init__(self):
        self.origin.otherwise = self.serve

    def serve(self, connection: OriginConnection) -> None:
        while not connection.at_end():
            begin = len(connection.received) - len(connection.reader.buffered())
            try:
                request = connection.request()
            except (wire.Incomplete, wire.Malformed):
                self.partial.append(bytes(connection.received[begin:]))
                return connection.expect_close()
            self.requests.append(request)
            body = request.method + b" " + request.target
            if request.method == b"HEAD":
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            else:
                connection.answer(body)

    def is_unread(self) -> bool:
        """Whether bytes wait that no script has taken yet."""
        return any(connection.unread() for connection in self.origin.connections)


class Edge:
    """api.internal, and /api, lead to one origin; other.internal to another one, for another audience."""

    def __init__(self, binary: Path, directory: Path, transcript):
        self.authlib = AuthlibServer(transcript)
        self.recorder = Recorder()
        self.other = Recorder()
        self._probes = itertools.count(1)
        settings = {
            "listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "loops": 1,
            "credentials": {"kinde": self.authlib.credential()},
            "routes": [
                {"name": "api", "match": "api.internal", "mount": "/api", "audience": "https://api.example",
                 "forward_to": self.recorder.origin.url},
                {"name": "other", "match": "other.internal:8443", "mount": "/other/deep",
                 "audience": "https://other.example", "forward_to": self.other.origin.url + "/base"},
                {"name": "plain", "match": "plain.internal", "credentials": "none",
                 "forward_to": self.other.origin.url},
            ],
        }
        self.proxy = Proxy(binary, directory, transcript)
        self.proxy.start(proxy_conf(settings), {"CLIENT_SECRET": self.authlib.client.secret})
        self.probe()

    def stop(self) -> None:
        try:
            self.proxy.stop()
        finally:
            self.recorder.origin.stop()
            self.other.origin.stop()
            self.authlib.stop()

    def token(self, audience: str = "https://api.example") -> str:
        """The token for an audience; there is one fetch for each."""
        audiences = [fetch.audience for fetch in self.authlib.fetches]
        return self.authlib.tokens[audiences.index(audience)]

    def forget_connections(self) -> None:
        """Ends the connections between the proxy and the first origin, so that the next request makes a new one."""
        for connection in self.recorder.origin.connections:
            connection.end()

    def probe(self) -> None:
        """Another client's request gets its own answer, whatever happened before."""
        target = f"/probe/{next(self._probes)}"
        client = RawClient(self.proxy.address)
        answer = client.exchange(get(f"http://api.internal{target}", "Connection: close"))
        assert (answer.status, answer.body) == (200, f"GET {target}".encode()), "another client got what is not its own"
        client.expect_end()
        client.close()

    def send(self, message: bytes, behind: bytes = NEXT, to: tuple[str, ...] = ("GET", "GET"), piece: int = 0) -> Seen:
        """Sends `message` and what comes `behind` it, and reads until the proxy closes the connection."""
        begin = len(self.recorder.requests), len(self.recorder.partial)
        connections = self.recorder.origin.connections
        marks = [len(connection.received) for connection in connections]
        received = self._converse(message + behind, piece)
        self.probe()
        poll(lambda: not self.recorder.is_unread(), "the origin reads what it got")
        self.recorder.origin.check()
        answers, rest = parse_answers(received, to)
        requests = [request for request in self.recorder.requests[begin[0]:] if b"/probe/" not in request.target]
        marks += [0] * (len(connections) - len(marks))
        new = b"".join(bytes(connection.received[mark:]) for connection, mark in zip(connections, marks))
        return Seen(answers, rest, requests, self.recorder.partial[begin[1]:], new)

    def _converse(self, data: bytes, piece: int) -> bytes:
        received = bytearray()
        with socket.create_connection(self.proxy.address, timeout=PATIENCE) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for at in range(0, len(data), piece or len(data)):
                    client.sendall(data[at : at + (piece or len(data))])
            except (BrokenPipeError, ConnectionResetError):
                pass  # It has heard enough.
            try:
                while more := client.recv(1 << 18):
                    received += more
            except ConnectionResetError:
                pass
        return bytes(received)

    def check_forwarded(self, request: wire.Request, audience: str = "https://api.example") -> None:
        """What holds for everything that reaches the origin of a route with a token."""
        assert request.version == b"1.1"
        assert request.values("authorization") == [b"Bearer " + self.token(audience).encode()]
        origin = self.recorder if audience == "https://api.example" else self.other
        assert request.values("host") == [origin.origin.authority.encode()]
        assert request.values("via") and re.search(rb" m2m-proxy-[0-9a-f]{8}$", request.values("via")[-1])
        for name in HOP_BY_HOP:
            assert request.values(name) == [], f"{name} went on"
        # The only options that the proxy has a use for itself.
        has_upgrade = request.values("upgrade") != []
        assert request.values("connection") in ([[b"Upgrade"], [b"TE, Upgrade"]] if has_upgrade else [[], [b"TE"]])
        assert not re.search(rb"h2c|http|tls", b"".join(request.values("upgrade")).lower())


def parse_answers(received: bytes, to: tuple[str, ...]) -> tuple[list[wire.Answer], bytes]:
    """The answers to requests with these methods, and what is behind them or incomplete."""
    pieces = iter([received])
    reader = wire.Reader(lambda: next(pieces, b""))
    answers = []
    for method in to:
        if reader.at_end():
            break
        rest = reader.buffered()
        try:
            answers.append(wire.read_answer(reader, method))
        except (wire.Incomplete, wire.Malformed):
            return answers, rest
    return answers, reader.buffered()


@pytest.fixture(scope="module")
def edge(binary, transcript, tmp_path_factory):
    edge = Edge(binary, tmp_path_factory.mktemp("edge"), transcript)
    yield edge
    edge.stop()
