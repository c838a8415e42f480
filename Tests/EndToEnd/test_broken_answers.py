"""Answers that end early or are no HTTP: the client must never take them for complete ones."""

import json
import threading

import pytest

from harness import content
from harness.client import get, post
from harness.wire import Incomplete


def saying(data: bytes, ending: str = "close"):
    """An origin that reads a request, sends `data`, and ends the connection."""
    def script(connection):
        connection.request()
        try:
            connection.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return  # The proxy had enough.
        connection.reset() if ending == "reset" else connection.close()
    return script


HALF = {
    "a length": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + content.content(50_000),
    "a length and no body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "chunks, cut between two": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "chunks, cut inside one": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "chunks, cut after the head": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks, cut in the last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    "chunks, cut in the trailers": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n",
    "chunks, malformed": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nbogus\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("case", HALF)
def test_a_response_that_ends_early_is_incomplete_for_the_client(proxy, origin, case, ending, version):
    origin.otherwise = saying(HALF[case], ending)
    client = proxy.connect().send(get("http://api.internal/", version=version))
    try:
        answer = client.answer()
    except Incomplete:
        return
    assert answer.status == 502, f"a cut answer looked complete: {answer.head!r}{answer.body[:40]!r}"


def test_a_close_delimited_response_that_is_reset_is_incomplete_for_the_client(proxy, origin):
    begun = threading.Event()

    def cut(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + content.content(1000))
        # The client has begun to read: what follows is the reset and nothing else.
        connection.hold(begun)
        connection.reset()

    origin.otherwise = cut
    client = proxy.connect().send(get("http://api.internal/"))
    head = client.head()
    begun.set()
    with pytest.raises(Incomplete):
        if head.values("transfer-encoding"):
            client.reader.copy_chunked(content.Digest())
        else:
            client.reader.copy_to_end(content.Digest())


NONSENSE = {
    "nothing": b"",
    "no HTTP": b"220 smtp.example ESMTP\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "an unknown version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a NUL in a field": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "an unsolicited switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 500_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", NONSENSE)
def test_a_response_that_is_not_http_becomes_a_502(proxy, origin, case):
    origin.otherwise = saying(NONSENSE[case])
    answer = proxy.connect().exchange(post("http://api.internal/", b"x"), "POST")
    problem = json.loads(answer.body)
    assert (answer.status, problem["hop"], problem["route"]) == (502, "upstream", "api")
    assert answer.value("proxy-status").startswith(b"m2m-proxy; error=")
    assert len(origin.requests) == 1


@pytest.mark.parametrize("fields", [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n", b"Transfer-Encoding: identity\r\n",
])
def test_a_response_with_doubtful_framing_is_rejected_or_reframed_and_its_connection_closed(proxy, origin, fields):
    def doubtful(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n5\r\nhello\r\n0\r\n\r\n")
        connection.expect_close()

    origin.script(doubtful)
    client = proxy.connect()
    answer = client.exchange(get("http://api.internal/"))
    assert answer.status == 502 or answer.body == b"hello"
    assert proxy.connect().exchange(get("http://api.internal/")).body == b"ok"
    origin.wait_for_finished(1)


def test_bytes_after_a_response_never_reach_a_client(proxy, origin):
    def overlong(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")
        connection.expect_close()

    origin.script(overlong)
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/")).body == b"ok"
    assert client.exchange(get("http://api.internal/")).body == b"ok"
    origin.wait_for_finished(1)
    assert len(origin.connections) == 2


@pytest.mark.parametrize(("error", "requests"), [("invalid_token", 2), ("insufficient_scope", 1)])
def test_a_401_of_the_upstream_is_forwarded(proxy, origin, error, requests):
    challenge = f'Bearer error="{error}", error_description="It is \\"so\\""'

    def refuse(connection):
        # A token that is refused is replaced, and the request sent again; no other token has more scopes.
        for _ in range(requests):
            connection.request()
            connection.answer(b"who?", "401 Unauthorized", f"WWW-Authenticate: {challenge}")
        connection.expect_close()

    origin.script(refuse)
    answer = proxy.connect().exchange(post("http://api.internal/", b"x"), "POST")
    assert (answer.status, answer.body) == (401, b"who?")
    assert answer.value("www-authenticate") == challenge.encode()
    [line] = proxy.requests_logged(1)
    assert (line["api_error"], line["api_error_description"]) == (error, 'It is "so"')
    assert line.get("replayed") == ("401" if requests == 2 else None)


def test_a_reason_phrase_and_the_fields_of_a_response_arrive_as_sent(proxy, origin):
    def particular(connection):
        connection.request()
        connection.answer(b"", "299 Very Particular", "x-lower: a", "X-UPPER: b", "X-Empty:", "x-lower: c",
                          "Connection: X-Hop, keep-alive", "X-Hop: dropped", "Keep-Alive: timeout=5",
                          "Proxy-Authenticate: Basic", "Server: theirs")
        connection.expect_close()

    origin.script(particular)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert (answer.status, answer.reason) == (299, b"Very Particular")
    names = [name for name, _ in answer.fields if name != b"Date"]
    assert names[:4] == [b"x-lower", b"X-UPPER", b"X-Empty", b"x-lower"]
    assert answer.values("server") == [b"theirs"]
    for dropped in ["x-hop", "keep-alive", "proxy-authenticate"]:
        assert answer.values(dropped) == []
