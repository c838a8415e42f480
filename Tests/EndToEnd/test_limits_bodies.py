"""How large requests, and the heads of answers, may be."""

import json

import pytest

from harness.client import get, post
from harness.wire import Incomplete, Whole

from test_limits_connections import reached


def chunked(target: str) -> bytes:
    return get(target, "Transfer-Encoding: chunked", method="POST")


@pytest.fixture
def narrow(start_proxy, origin):
    """1,000 bytes everywhere, 2,000 on one route, any number on another."""
    return start_proxy(
        {"name": "narrow", "match": "api.internal", "mount": None, "forward_to": origin.url},
        {"name": "wide", "match": "wide.internal", "mount": None, "forward_to": origin.url, "body": 2000},
        {"name": "open", "match": "open.internal", "mount": None, "forward_to": origin.url, "body": "off"},
        limits={"body": 1000})


def test_content_of_just_the_limit_passes(narrow, origin):
    for host, count in [("api", 1000), ("wide", 2000), ("open", 100_000)]:
        client = narrow.connect()
        assert client.exchange(post(f"http://{host}.internal/x", b"x" * count)).status == 200
        client.send(chunked(f"http://{host}.internal/x") + b"%x\r\n" % count + b"x" * count + b"\r\n0\r\n\r\n")
        assert client.answer().status == 200
    assert [len(request.body) for request in origin.requests] == [1000, 1000, 2000, 2000, 100_000, 100_000]


@pytest.mark.parametrize("host, length", [("api", 1001), ("wide", 2001), ("api", 10**15)])
@pytest.mark.parametrize("expect", [[], ["Expect: 100-continue"]])
def test_a_larger_content_length_is_refused_before_anything_is_sent_on(narrow, origin, authlib, host, length, expect):
    client = narrow.connect()
    fields = [f"Content-Length: {length}", *expect]
    answer = client.exchange(get(f"http://{host}.internal/x", *fields, method="PUT"))
    assert (answer.status, answer.value("connection"), answer.interim) == (413, b"close", [])
    assert "1000" in json.loads(answer.body)["detail"] or host == "wide"
    client.expect_end()
    assert (origin.connections, authlib.fetches) == ([], [])
    assert reached(narrow, "body") == 1


def test_chunked_content_is_cut_at_the_limit_and_the_upstream_never_takes_it_for_whole(narrow, origin):
    def read(connection):
        connection.head()
        connection.expect_close()

    origin.script(read)
    client = narrow.connect().send(chunked("http://api.internal/x") + b"258\r\n" + b"x" * 600 + b"\r\n")
    origin.wait_for_requests(1)
    client.send(b"191\r\n" + b"y" * 401 + b"\r\n0\r\n\r\n")
    assert client.answer().status == 413
    client.expect_end()
    origin.wait_for_finished(1)
    _, received = bytes(origin.connections[0].received).split(b"\r\n\r\n", 1)
    assert b"0\r\n\r\n" not in received and received.count(b"x") + received.count(b"y") <= 1010
    assert reached(narrow, "body") == 1


def test_a_body_that_becomes_too_large_after_the_response_has_begun_ends_the_response(narrow, origin):
    def answer_early(connection):
        connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        connection.expect_close()

    origin.script(answer_early)
    client = narrow.connect().send(chunked("http://api.internal/x") + b"1\r\nx\r\n")
    assert client.head().status == 200
    client.send(b"3e8\r\n" + b"y" * 1000 + b"\r\n")
    origin.wait_for_finished(1)
    with pytest.raises(Incomplete):
        client.reader.copy(10, Whole())
    assert narrow.requests_logged(1)[0]["error"] == "content_too_large"


def test_a_request_line_has_a_limit_of_its_own(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, limits={"request_line": 600})
    room = 600 - len("GET http://api.internal/ HTTP/1.1")
    assert proxy.connect().exchange(get("http://api.internal/" + "x" * room, "X: " + "y" * 2000)).status == 200
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/" + "x" * (room + 1))).status == 414
    client.expect_end()
    assert reached(proxy, "request_line") == 1 and len(origin.requests) == 1


@pytest.mark.parametrize("field", ["X: " + "y" * 1100, None], ids=["complete", "endless"])
def test_the_head_of_a_response_has_its_own_limit(start_proxy, origin, field):
    def answer(connection):
        connection.request()
        if field:
            connection.answer(b"ok", "200 OK", field)
        else:
            connection.send(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1100)
        connection.expect_close()

    origin.script(answer, answer)
    # A request may be larger than an answer.
    proxy = start_proxy({"forward_to": origin.url}, limits={"response_head": "1KB"})
    answer = proxy.connect().exchange(get("http://api.internal/x", "X: " + "y" * 2000))
    assert (answer.status, json.loads(answer.body)["hop"]) == (502, "upstream")
    origin.wait_for_finished(1)
    assert reached(proxy, "response_head") == 1
