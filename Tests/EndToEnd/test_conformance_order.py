"""Which client gets which response: early, late and unsolicited responses, and requests that never end."""

import threading

import pytest

from harness import wire
from harness.client import RawClient, get
from harness.edge import Edge, edge  # noqa: F401
from harness.waiting import poll

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


def connect(edge: Edge) -> RawClient:
    return RawClient(edge.proxy.address)


def begin(edge: Edge, script) -> RawClient:
    """A client whose request gets the connection that `script` serves."""
    edge.forget_connections()
    edge.recorder.origin.script(script)
    return connect(edge)


@pytest.mark.parametrize("bytes_", [EVIL, b"x", b"\r\n", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"])
def test_bytes_on_an_idle_connection_are_not_a_response(edge, bytes_):
    """RFC 9112 section 9.2: data without an outstanding request is no response, and the connection ends."""
    poison, ended = threading.Event(), threading.Event()

    def late(connection):
        connection.request()
        connection.answer(b"first")
        connection.hold(poison)
        connection.send(bytes_)
        connection.expect_close()
        ended.set()

    client = begin(edge, late)
    assert client.exchange(get("http://api.internal/first")).body == b"first"
    poison.set()
    assert ended.wait(10), "a connection with unasked bytes is kept"
    for _ in range(3):
        edge.probe()
    assert client.exchange(get("http://api.internal/second")).body == b"GET /second"
    client.close()


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "413 Content Too Large", "500 Internal Server Error"])
def test_a_response_before_the_request_is_finished_ends_both_connections(edge, status, framing):
    """RFC 9112 section 9.3: what is left of the request must be taken for nothing else, on either side."""
    ended = threading.Event()

    def early(connection):
        connection.head()
        connection.answer(b"early", status)
        connection.expect_close()
        ended.set()

    client = begin(edge, early)
    field = "Content-Length: 1000" if framing == "length" else "Transfer-Encoding: chunked"
    content = b"abc" if framing == "length" else b"3\r\nabc\r\n"
    client.send(get("http://api.internal/case", field, method="POST") + content)
    answer = client.answer("POST")
    assert (answer.status, answer.body) == (int(status[:3]), b"early")
    try:
        client.send(get("http://api.internal/smuggled"))
    except (BrokenPipeError, ConnectionResetError):
        pass
    client.expect_end()
    assert ended.wait(10), "the connection to the upstream is kept"
    edge.probe()
    assert b"/smuggled" not in [request.target for request in edge.recorder.requests]


def test_an_early_response_to_a_finished_request_still_belongs_to_it(edge):
    """RFC 9112 section 9.3: an answer may begin before the content has been sent, and both go on to their ends."""
    def early(connection):
        request = connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nea")
        connection.body(request)
        connection.send(b"rly")
        connection.expect_close()

    client = begin(edge, early)
    client.send(get("http://api.internal/case", "Content-Length: 6", method="POST") + b"abc")
    answer = client.head()
    client.send(b"def")
    taken = wire.Whole()
    client.reader.copy(5, taken)
    assert (answer.status, taken.bytes()) == (200, b"early")
    edge.forget_connections()
    edge.probe()
    client.close()


def test_pipelined_requests_are_served_one_after_the_other(edge):
    """RFC 9112 section 9.3.2: answers come in the order of their requests."""
    client = connect(edge)
    client.send(b"".join(get(f"http://api.internal/{n}") for n in range(50)))
    assert [client.answer().body for _ in range(50)] == [f"GET /{n}".encode() for n in range(50)]
    client.close()


def test_nothing_behind_connection_close_is_a_request(edge):
    """RFC 9112 section 9.6: after close the sender's further bytes are not processed."""
    before = len(edge.recorder.requests)
    client = connect(edge)
    client.send(get("http://api.internal/last", "Connection: close") + get("http://api.internal/more") * 20)
    assert client.answer().body == b"GET /last"
    client.expect_end()
    edge.probe()
    assert [request.target for request in edge.recorder.requests[before:]
            if b"/probe/" not in request.target] == [b"/last"]


@pytest.mark.parametrize("part", ["head", "length", "chunk", "trailer"])
def test_a_request_that_is_cut_off_never_reaches_the_upstream_whole(edge, part):
    """RFC 9112 section 8: an incomplete request is complete for no server."""
    head = get(f"http://api.internal/cut/{part}", method="POST")[:-2]
    message = {
        "head": head, "length": head + b"Content-Length: 10\r\n\r\nabc",
        "chunk": head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "trailer": head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n",
    }[part]
    before = len(edge.recorder.partial)
    client = connect(edge)
    client.send(message)
    if part != "head":
        begun, connections = f"/cut/{part}".encode(), edge.recorder.origin.connections
        poll(lambda: any(begun in connection.received for connection in connections), "the beginning at the origin")
    client.reset()
    if part != "head":
        poll(lambda: len(edge.recorder.partial) > before, "the end of the connection to the upstream")
    edge.probe()
    assert f"/cut/{part}".encode() not in [request.target for request in edge.recorder.requests]
    edge.forget_connections()


def test_the_response_of_a_client_that_leaves_reaches_no_other_client(edge):
    """The response to a request whose client has gone reaches no other client."""
    gone, ended = threading.Event(), threading.Event()

    def slow(connection):
        connection.request()
        connection.hold(gone)
        try:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
            connection.expect_close()
        except (BrokenPipeError, ConnectionResetError):
            pass
        ended.set()

    client = begin(edge, slow)
    client.send(get("http://api.internal/slow"))
    poll(lambda: any(request.target == b"/slow" for request in edge.recorder.origin.requests), "the request")
    client.reset()
    gone.set()
    assert ended.wait(10), "a connection with an outstanding answer is kept"
    for _ in range(3):
        edge.probe()


def test_an_upstream_that_sends_before_the_request_responds_to_no_request_twice(edge):
    """What comes unasked on a new connection is no answer (test_eager_upstream.py), unless it comes so late that it
    cannot be told from one; no second client sees it."""
    def eager(connection):
        connection.send(EVIL)
        connection.expect_close()

    client = begin(edge, eager)
    answer = client.exchange(get("http://api.internal/case"))
    assert answer.status in (200, 502)
    edge.forget_connections()
    edge.probe()
    client.close()
