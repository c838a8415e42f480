"""Bodies of every size in every framing, both ways, byte for byte."""

import threading

import pytest

from harness import content
from harness.client import get
from harness.content import SIZES
from harness.origin import answer_everything
from harness.wire import Incomplete


def upload(client, size: int, framing: str) -> None:
    """Sends the request on its own thread: an answer may begin before the body is finished."""
    head = "PUT http://api.internal/up HTTP/1.1\r\nHost: api.internal\r\n"
    if framing == "length":
        pieces = [f"{head}Content-Length: {size}\r\n\r\n".encode(), *content.pieces(size)]
    else:
        pieces = [f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()]
        pieces += [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in content.pieces(size)] + [b"0\r\n\r\n"]
    threading.Thread(target=client.send_pieces, args=[pieces], daemon=True).start()


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", SIZES)
def test_a_request_body_arrives_unchanged(proxy, origin, size, framing):
    origin.keep_bytes = False
    got = content.Digest()

    def take(connection):
        request = connection.request(got)
        assert request.framing == framing
        connection.answer(b"taken")
        connection.expect_close()

    origin.script(take)
    client = proxy.connect()
    upload(client, size, framing)
    assert client.answer("PUT").body == b"taken"
    assert got == content.digest(size)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("size", SIZES)
def test_a_responses_body_arrives_unchanged(proxy, origin, size, framing):
    def give(connection):
        connection.request()
        fields = {"length": b"Content-Length: %d\r\n" % size, "close": b"",
                  "chunked": b"Transfer-Encoding: chunked\r\n"}
        connection.send(b"HTTP/1.1 200 OK\r\n" + fields[framing] + b"\r\n")
        for piece in content.pieces(size):
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece)
        if framing == "chunked":
            connection.send(b"0\r\n\r\n")
        if framing != "close":
            connection.expect_close()

    origin.script(give)
    got = content.Digest()
    answer = proxy.connect().send(get("http://api.internal/down")).answer(sink=got)
    assert got == content.digest(size)
    # What ends with the connection may be re-framed, but an end must be recognisable to the client.
    assert answer.framing == framing or framing == "close"


@pytest.mark.parametrize("size", SIZES[:-1])
def test_nginx_and_the_proxy_agree_on_a_file(nginx_proxy, size):
    got = content.Digest()
    answer = nginx_proxy.connect().send(get(f"http://api.internal/{size}.bin")).answer(sink=got)
    assert got == content.digest(size) and answer.status == 200


def test_chunks_of_every_small_size_arrive_unchanged(proxy, origin):
    body = content.content(5_000)
    for piece in [1, 2, 15, 16, 17, 255, 4_095, 4_096, 4_097]:
        request = get("/api/up", "Transfer-Encoding: chunked", method="POST") + content.chunked(body, piece)
        assert proxy.connect().exchange(request, "POST").status == 200
    assert {request.body for request in origin.requests} == {body}


def test_chunk_extensions_are_not_passed_on(proxy, origin):
    request = get("/api/up", "Transfer-Encoding: chunked", method="POST") + b"3;name=value\r\nabc\r\n0;last\r\n\r\n"
    assert proxy.connect().exchange(request, "POST").status == 200
    assert origin.requests[0].body == b"abc"
    assert b"name=value" not in origin.connections[0].received


def test_a_body_and_a_response_stream_at_the_same_time(proxy, origin):
    """A duplex exchange: the origin sends back each piece before it gets the next."""
    def echo(connection):
        connection.head()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
        for _ in range(3):
            piece = content.Digest()
            connection.reader.copy(100_000, piece)
            connection.send(content.content(100_000))
        connection.expect_close()

    origin.script(echo)
    client = proxy.connect()
    client.send(get("http://api.internal/echo", "Content-Length: 300000", method="POST"))
    assert client.head().status == 200
    for _ in range(3):
        client.send(content.content(100_000))
        piece = content.Digest()
        client.reader.copy(100_000, piece)
        assert piece == content.digest(100_000)


def test_a_client_that_expects_100_continue_gets_it_before_it_sends_its_body(proxy, origin):
    def continuing(connection):
        request = connection.head()
        if request.values("expect"):
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.body(request)
        connection.answer(b"got " + request.body)
        connection.expect_close()

    origin.script(continuing)
    client = proxy.connect()
    client.send(get("http://api.internal/x", "Expect: 100-continue", "Content-Length: 4", method="POST"))
    assert client.reader.head().startswith(b"HTTP/1.1 100 ")
    assert client.send(b"body").answer("POST").body == b"got body"


def test_a_client_that_expects_100_continue_may_get_a_final_response_instead(proxy, origin):
    def refuse(connection):
        connection.head()
        connection.answer(b"no", "417 Expectation Failed", "Connection: close")

    origin.script(refuse)
    client = proxy.connect()
    client.send(get("http://api.internal/x", "Expect: 100-continue", "Content-Length: 4", method="POST"))
    answer = client.answer("POST")
    assert (answer.status, answer.body) == (417, b"no")


def test_an_early_response_reaches_a_client_that_still_sends(proxy, origin):
    def refuse(connection):
        connection.head()
        connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly")
        connection.finish_sending()
        connection.expect_close()

    origin.script(refuse)
    client = proxy.connect()
    client.send(get("http://api.internal/x", "Content-Length: 1000000", method="PUT") + content.content(65_536))
    answer = client.answer("PUT")
    assert (answer.status, answer.body) == (401, b"early")


def test_an_early_response_reaches_a_client_that_reads_only_when_all_is_sent(proxy, origin):
    def refuse(connection):
        connection.head()
        connection.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nearly")
        connection.finish_sending()
        connection.expect_close()

    origin.script(refuse)
    client = proxy.connect()
    client.send(get("http://api.internal/x", "Content-Length: 30000000", method="PUT"))
    client.send(content.content(30_000_000))
    answer = client.answer("PUT")
    assert (answer.status, answer.body) == (413, b"early")


def test_an_early_response_that_keeps_the_connection_does_not_cut_the_upload(proxy, origin):
    def early(connection):
        request = connection.head()
        connection.answer(b"early")
        try:
            connection.body(request)
        except Incomplete:
            return
        answer_everything(connection)

    origin.script(early)
    client = proxy.connect()
    client.send(get("http://api.internal/x", "Content-Length: 100000", method="PUT") + content.content(50_000))
    assert client.answer("PUT").body == b"early"
    # What the rest of the upload is worth is the proxy's choice: the next request must be answered, or the
    # connection be closed, but the rest must never be taken for a request.
    try:
        client.send(content.content(100_000)[50_000:] + get("http://api.internal/next"))
        if not client.reader.at_end():
            assert client.answer().status == 200
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert {request.method for request in origin.requests} <= {b"PUT", b"GET"}
