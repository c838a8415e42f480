"""Requests that are no requests: refused with a status that fits, and never forwarded."""

import json

import pytest

from harness import content
from harness.client import get
from harness.wire import Incomplete


def refused(proxy, origin, request: bytes, *statuses: int):
    """The problem body of the response, after which the connection must end: what follows on it is unknown."""
    client = proxy.connect()
    client.send(request)
    answer = client.answer()
    assert answer.status in statuses, answer.head + answer.body
    assert answer.value("content-type") == b"application/problem+json"
    assert answer.value("proxy-status").startswith(b"m2m-proxy; error=")
    problem = json.loads(answer.body)
    assert (problem["status"], problem["hop"]) == (answer.status, "client")
    assert problem["title"] and problem["detail"]
    client.expect_end()
    assert origin.requests == []
    return problem


HOST = b"Host: api.internal\r\n"
LINE = b"GET http://api.internal/ HTTP/1.1\r\n"

MALFORMED = {
    "no target": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  http://api.internal/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET http://api.internal/a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET http://api.internal/\r\n" + HOST + b"\r\n",
    "a lower-case version": b"GET http://api.internal/ http/1.1\r\n" + HOST + b"\r\n",
    "a control byte in the method": b"G\x01T http://api.internal/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a NUL in the target": b"GET http://api.internal/\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space before the colon": LINE + HOST + b"X-Foo : bar\r\n\r\n",
    "a field without a colon": LINE + HOST + b"X-Foo\r\n\r\n",
    "an empty field name": LINE + HOST + b": bar\r\n\r\n",
    "a bare CR in a value": LINE + HOST + b"X-Foo: a\rb\r\n\r\n",
    "a NUL in a value": LINE + HOST + b"X-Foo: a\0b\r\n\r\n",
    "a folded line": LINE + HOST + b"X-Foo: a\r\n b\r\n\r\n",
    "a leading space before the first field": LINE + b" X: y\r\n" + HOST + b"\r\n",
    "no Host": b"GET /api/ HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /api/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a length and chunks": LINE + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": LINE + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": LINE + HOST + b"Content-Length: 3, 4\r\n\r\nabcd",
    "a negative length": LINE + HOST + b"Content-Length: -1\r\n\r\n",
    "a signed length": LINE + HOST + b"Content-Length: +3\r\n\r\nabc",
    "a hexadecimal length": LINE + HOST + b"Content-Length: 0x3\r\n\r\nabc",
    "an empty length": LINE + HOST + b"Content-Length:\r\n\r\n",
    "chunks in HTTP/1.0": (
        b"POST http://api.internal/ HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked twice": LINE + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a target without a host": b"GET http:///x HTTP/1.1\r\n" + HOST + b"\r\n",
    "half a percent-encoding": b"GET http://api.internal/%zz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a backslash in the path": b"GET http://api.internal/a\\b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a port that is none": b"GET http://api.internal:99999/ HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_head_is_a_400(proxy, origin, case):
    refused(proxy, origin, MALFORMED[case], 400)


def test_a_transfer_coding_that_is_not_chunked_is_refused(proxy, origin):
    refused(proxy, origin, LINE + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 400, 501)


def test_a_length_beyond_all_numbers_is_refused(proxy, origin):
    refused(proxy, origin, LINE + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", 400, 413)


def test_an_oversized_request_line_is_a_414(proxy, origin):
    problem = refused(proxy, origin, get("http://api.internal/" + "a" * 40_000), 414)
    assert "limits.head" in problem["hint"]


def test_an_oversized_head_is_a_431(proxy, origin):
    problem = refused(proxy, origin, get("http://api.internal/", *[f"X-{n}: {'v' * 1000}" for n in range(40)]), 431)
    assert "limits.head" in problem["hint"]


def test_an_oversized_field_is_a_431(proxy, origin):
    refused(proxy, origin, get("http://api.internal/", "X-Long: " + "v" * 40_000), 431)


def test_too_many_fields_are_a_431(proxy, origin):
    problem = refused(proxy, origin, get("http://api.internal/", *[f"X-{n}: v" for n in range(200)]), 431)
    assert "limits.fields" in problem["hint"]


def test_the_limits_of_a_head_are_settings(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, limits={"head": "2KB", "fields": 5})
    assert proxy.connect().exchange(get("http://api.internal/" + "a" * 1500)).status == 200
    assert proxy.connect().exchange(get("http://api.internal/", *["X: 1"] * 4)).status == 200
    origin.requests.clear()
    refused(proxy, origin, get("http://api.internal/" + "a" * 2100), 414)
    refused(proxy, origin, get("http://api.internal/", *["X: 1"] * 5), 431)


@pytest.mark.parametrize("version", ["2.0", "3.0", "0.9"])
def test_an_unsupported_version_is_a_505(proxy, origin, version):
    refused(proxy, origin, get("http://api.internal/", version=version), 505)


def test_connect_to_a_host_with_a_route_is_a_403_with_a_hint(proxy, origin):
    answer = proxy.connect().exchange(get("api.internal:443", host="api.internal:443", method="CONNECT"))
    problem = json.loads(answer.body)
    assert (answer.status, problem["hop"]) == (403, "policy")
    assert "http://api.internal/" in problem["hint"]


BAD_CHUNKS = [b"xyz\r\n", b"-5\r\nhello\r\n", b"0x5\r\nhello\r\n", b" 5\r\nhello\r\n", b"5\r\nhelloXX0\r\n\r\n",
              b"FFFFFFFFFFFFFFFFF\r\n", b"5\nhello\r\n", b"\r\n", b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n"]


@pytest.mark.parametrize("chunks", BAD_CHUNKS)
def test_a_malformed_chunked_body_never_completes_a_request_at_the_origin(proxy, origin, chunks):
    complete = []

    def take(connection):
        connection.expect_close()  # It may come before anything was sent, too.
        complete.append(b"\r\n0\r\n" in connection.received)

    origin.script(take)
    client = proxy.connect()
    client.send(get("http://api.internal/", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n" + chunks)
    try:
        assert client.answer("POST").status == 400
        client.expect_end()
    except Incomplete:
        pass  # Closed without an answer: clear enough.
    if origin.connections:
        origin.wait_for_finished(1)
    assert True not in complete


def test_a_refused_request_is_logged_with_its_status(proxy):
    assert proxy.connect().exchange(MALFORMED["a folded line"]).status == 400
    assert proxy.requests_logged(1)[0]["status"] == "400"


def test_good_requests_before_a_bad_one_get_their_responses(proxy, origin):
    client = proxy.connect()
    client.send(get("http://api.internal/1") + get("http://api.internal/2") + MALFORMED["two spaces"])
    assert [client.answer().status for _ in range(3)] == [200, 200, 400]
    client.expect_end()


def test_an_error_response_to_head_has_no_body(proxy):
    client = proxy.connect()
    assert client.exchange(get("http://nowhere.internal/", method="HEAD"), "HEAD").status == 403
    assert client.exchange(get("http://api.internal/")).status == 200


def test_a_refused_request_with_a_body_does_not_confuse_the_next(proxy):
    client = proxy.connect()
    body = content.content(100_000)
    client.send(get("http://nowhere.internal/", f"Content-Length: {len(body)}", method="POST"))
    assert client.answer("POST").status == 403
    try:
        client.send(body + get("http://api.internal/"))
        if not client.reader.at_end():
            assert client.answer().status == 200
    except (BrokenPipeError, ConnectionResetError):
        pass  # Closing instead of reading unwanted bytes is as good.
