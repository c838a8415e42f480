"""Upstreams that send on a new connection before a request: no client gets what they sent as a response."""

import json
import shutil
import ssl
import threading

import pytest

from harness import faults
from harness.client import get, post

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
SAYINGS = [EVIL, b"x", b"\r\n", b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", EVIL[:20],
           b"220 mail.example ESMTP\r\n", EVIL * 3000]


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    compiler = next(filter(None, map(shutil.which, ["cc", "clang", "gcc"])), None)
    if not compiler:
        pytest.skip("no C compiler for the library that lets the upstream speak first")
    return faults.library(tmp_path_factory.mktemp("faults"), compiler)


@pytest.fixture
def proxy(start_proxy, origin, library, tmp_path):
    """Every connection to the origin has its first bytes before the proxy goes on."""
    wrong = faults.Faults(library, tmp_path / "faults")
    proxy = start_proxy({"forward_to": origin.url}, loops=1, environment=wrong.environment)
    wrong.speaking_port = origin.port
    proxy.faults = wrong
    return proxy


def refused(answer) -> None:
    assert answer.status == 502 and b"evil" not in answer.body
    assert answer.proxy_status == b'm2m-proxy; error=http_protocol_error; details="bytes before the request"'
    problem = json.loads(answer.body)
    assert problem["hop"] == "upstream" and "before the request" in problem["detail"]


@pytest.mark.parametrize("bytes_", SAYINGS, ids=[repr(saying[:24]) for saying in SAYINGS])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bytes_before_the_request_are_not_its_response(proxy, origin, bytes_, method):
    def eager(connection):
        connection.send(bytes_)
        connection.expect_close()

    origin.script(eager)
    refused(proxy.connect().exchange(post("http://api.internal/x", b"abc", method=method), method))
    origin.wait_for_finished(1)
    assert proxy.faults.spoken == 1
    # Nothing was sent, neither on this connection nor on another, and it is not used again.
    assert origin.connections[0].received == b"" and len(origin.connections) == 1
    proxy.faults.speaking_port = 0
    assert proxy.connect().exchange(get("http://api.internal/y")).body == b"ok"
    assert [request.target for request in origin.requests] == [b"/y"]
    assert proxy.requests_logged(2)[0]["error"] == "upstream_spoke_first"


def test_an_upstream_that_always_does_so_is_tried_once_for_each_request(proxy, origin):
    def eager(connection):
        connection.send(EVIL)
        connection.expect_close()

    origin.otherwise = eager
    client = proxy.connect()
    for number in range(1, 4):
        refused(client.exchange(get("http://api.internal/x")))
        origin.wait_for_finished(number)
        assert len(origin.connections) == number
    assert origin.requests == []


def test_a_connection_that_ends_before_the_request_is_told_from_it(proxy, origin):
    # An end that is there as soon as the connection is made is a failed connect, and tried again; a later one is not.
    origin.otherwise = lambda connection: connection.close()
    assert proxy.connect().exchange(get("http://api.internal/x")).status == 502
    assert proxy.requests_logged(1)[0]["error"] == "upstream_broken"


def test_a_request_whose_idle_connection_died_meets_an_eager_upstream_once(proxy, origin):
    """The repetition on a new connection is the last attempt."""
    go = threading.Event()

    def dying(connection):
        connection.request()
        connection.answer(b"first")
        connection.head()
        connection.hold(go)
        connection.close()

    def eager(connection):
        connection.send(EVIL)
        connection.expect_close()

    origin.script(dying)
    proxy.faults.speaking_port = 0
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).body == b"first"
    client.send(get("http://api.internal/2"))
    origin.wait_for_requests(2)
    origin.otherwise = eager
    proxy.faults.speaking_port = origin.port
    go.set()
    refused(client.answer())
    assert [request.target for request in origin.requests] == [b"/1", b"/2"] and len(origin.connections) == 2


class EagerTLS:
    """TLS 1.2, whose server can send data together with the end of its handshake."""

    def __init__(self, context: ssl.SSLContext, bytes_: bytes):
        self._context, self._bytes = context, bytes_
        self.received = b""

    def __call__(self, connection) -> None:
        arrived, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(arrived, leaving, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if data := leaving.read():
                    connection.send(data)
                assert not connection.at_end(), "the proxy ended the handshake"
                arrived.write(connection.reader.take_buffered())
        tls.write(self._bytes)
        connection.send(leaving.read())
        while not connection.at_end():
            arrived.write(connection.reader.take_buffered())
        try:
            self.received = tls.read(1 << 16)
        except (ssl.SSLWantReadError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass


@pytest.mark.parametrize("bytes_", SAYINGS[:3], ids=[repr(saying[:24]) for saying in SAYINGS[:3]])
def test_the_same_holds_for_tls(start_proxy, origin, authority, bytes_):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue("eager", "127.0.0.1", "localhost")
    context.load_cert_chain(certificate.certificate, certificate.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    eager = EagerTLS(context, bytes_)
    origin.otherwise = eager
    proxy = start_proxy({"forward_to": f"https://{origin.authority}"}, loops=1, tls={"ca_file": str(authority.file)})
    refused(proxy.connect().exchange(get("http://api.internal/x")))
    origin.wait_for_finished(1)
    assert eager.received == b"" and len(origin.connections) == 1
