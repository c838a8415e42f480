"""HTTP/1.0, keep-alive, pipelining, HEAD and methods."""

import pytest

from harness import content
from harness.client import get, post


def test_an_http_1_0_request_is_served_and_the_connection_closed(proxy, origin):
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/x", version="1.0")).body == b"ok"
    client.expect_end()
    assert origin.requests[0].version == b"1.1"


def test_an_http_1_0_request_without_a_host_field_is_served(proxy):
    assert proxy.connect().exchange(b"GET http://api.internal/x HTTP/1.0\r\n\r\n").body == b"ok"


def test_an_http_1_0_client_that_asks_for_keep_alive_gets_connection_close(proxy):
    """RFC 9112 section 9.3: the option may come from a client behind another proxy that did not understand it."""
    client = proxy.connect()
    answer = client.exchange(get("http://api.internal/x", "Connection: keep-alive", version="1.0"))
    assert answer.body == b"ok" and answer.value("connection").lower() == b"close"
    client.expect_end()


def test_an_http_1_0_client_never_sees_the_chunked_coding(proxy, origin):
    def chunked(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content.chunked(b"abcdef", 2))
        connection.expect_close()

    origin.script(chunked)
    client = proxy.connect()
    answer = client.exchange(get("http://api.internal/x", "Connection: keep-alive", version="1.0"))
    assert (answer.framing, answer.body, answer.values("transfer-encoding")) == ("close", b"abcdef", [])


def test_an_http_1_0_client_never_sees_an_interim_response(proxy, origin):
    def hinting(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.answer()
        connection.expect_close()

    origin.script(hinting)
    answer = proxy.connect().exchange(get("http://api.internal/x", version="1.0"))
    assert (answer.status, answer.interim) == (200, [])


def test_connection_close_is_obeyed(proxy):
    client = proxy.connect()
    answer = client.exchange(get("http://api.internal/x", "Connection: close"))
    assert answer.body == b"ok" and answer.value("connection").lower() == b"close"
    client.expect_end()


@pytest.mark.parametrize("behind", [b"", b"\r\n", b"GET /api/more HTTP/1.1\r\nHost: a\r\n\r\n", b"x" * 100_000])
def test_a_response_is_complete_whatever_follows_the_last_request(proxy, origin, behind):
    body = b"y" * 3_000_000
    origin.script(lambda connection: (connection.request(), connection.answer(body), connection.expect_close()))
    client = proxy.connect().send(get("http://api.internal/x", "Connection: close") + behind)
    assert client.answer().body == body
    client.expect_end()
    assert len(origin.requests) == 1


def test_a_keep_alive_connection_serves_many_requests_in_both_forms(proxy, origin):
    client = proxy.connect()
    for number in range(100):
        target = f"/api/{number}" if number % 2 else f"http://api.internal/{number}"
        assert client.exchange(post(target, b"x" * number), "POST").status == 200
    assert [request.target for request in origin.requests] == [b"/%d" % number for number in range(100)]
    assert [len(request.body) for request in origin.requests] == list(range(100))


def test_pipelined_requests_are_served_in_order(proxy, origin):
    def echo(connection):
        while not connection.at_end():
            connection.answer(connection.request().target)

    origin.otherwise = echo
    client = proxy.connect()
    client.send(b"".join(
        get(f"http://api.internal/{number}") if number % 3 else post(f"/api/{number}", b"body" * number)
        for number in range(30)))
    assert [client.answer().body for _ in range(30)] == [b"/%d" % number for number in range(30)]


def test_a_pipelined_request_behind_a_large_body_is_not_lost(proxy, origin):
    client = proxy.connect()
    body = content.content(1 << 20)
    client.send(post("http://api.internal/large", body) + get("http://api.internal/small"))
    assert [client.answer().status, client.answer().status] == [200, 200]
    assert origin.requests[0].body == body and origin.requests[1].target == b"/small"


def test_requests_that_arrive_byte_by_byte_are_understood(proxy, origin):
    client = proxy.connect()
    whole = get("http://api.internal/a", "X-A: 1") + post("/api/b", b"abc", "X-B: 2")
    client.send_pieces(whole[at : at + 1] for at in range(len(whole)))
    assert [client.answer().status, client.answer("POST").status] == [200, 200]
    assert [request.target for request in origin.requests] == [b"/a", b"/b"]


def test_empty_lines_before_a_request_are_ignored(proxy):
    client = proxy.connect()
    assert client.exchange(b"\r\n" + get("http://api.internal/a")).status == 200
    assert client.exchange(b"\r\n" + get("http://api.internal/a")).status == 200


def test_the_response_to_head_has_a_length_and_no_body(proxy, origin):
    def heads(connection):
        while not connection.at_end():
            request = connection.request()
            assert request.method == b"HEAD"
            framing = b"Transfer-Encoding: chunked" if request.target == b"/chunked" else b"Content-Length: 1234"
            connection.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")

    origin.otherwise = heads
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/", method="HEAD"), "HEAD").value("content-length") == b"1234"
    assert client.exchange(get("http://api.internal/chunked", method="HEAD"), "HEAD").status == 200
    assert client.exchange(get("http://api.internal/", method="HEAD"), "HEAD").value("content-length") == b"1234"
    assert len(origin.connections) == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_responses_without_a_body_leave_the_connection_usable(proxy, origin, status):
    def bodiless(connection):
        connection.request()
        connection.send(f"HTTP/1.1 {status}\r\nETag: \"x\"\r\n\r\n".encode())
        connection.request()
        connection.answer(b"next")
        connection.expect_close()

    origin.script(bodiless)
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/a")).value("etag") == b'"x"'
    assert client.exchange(get("http://api.internal/b")).body == b"next"


@pytest.mark.parametrize("method", [
    "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH", "BREW", "get", "!#$%&'*+-.^_`|~",
])
def test_any_method_is_forwarded_as_it_is(proxy, origin, method):
    assert proxy.connect().exchange(get("http://api.internal/x", method=method)).status == 200
    assert origin.requests[0].method == method.encode()


def test_a_body_on_get_is_forwarded(proxy, origin):
    assert proxy.connect().exchange(post("http://api.internal/x", b"query", method="GET")).status == 200
    assert (origin.requests[0].method, origin.requests[0].body) == (b"GET", b"query")
