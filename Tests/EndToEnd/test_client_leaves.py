"""A client that goes away frees its upstream connection at once, long before any timeout."""

import os
import socket
import ssl
import threading

import pytest

from harness import content
from harness.client import get, post
from harness.waiting import poll

LEAVE = ["close", "reset"]


@pytest.mark.parametrize("how", LEAVE)
def test_leaving_while_waiting_for_the_response_closes_the_upstream_connection(proxy, origin, how):
    def wait(connection):
        connection.request()
        connection.expect_close()

    origin.script(wait)
    client = proxy.connect().send(get("http://api.internal/slow"))
    origin.wait_for_requests(1)
    getattr(client, how)()
    origin.wait_for_finished(1)


@pytest.mark.parametrize("how", LEAVE)
def test_leaving_in_the_middle_of_a_response_closes_the_upstream_connection(proxy, origin, how):
    def endless(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        try:
            while True:
                connection.send(content.content(65_536))
        except (BrokenPipeError, ConnectionResetError):
            pass

    origin.script(endless)
    client = proxy.connect().send(get("http://api.internal/endless"))
    assert client.head().status == 200
    client.body_byte_count(at_least=1 << 20)
    getattr(client, how)()
    origin.wait_for_finished(1)


def test_leaving_a_stalled_response_closes_the_upstream_connection(proxy, origin):
    def stalled(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        connection.expect_close()

    origin.script(stalled)
    client = proxy.connect().send(get("http://api.internal/stalled"))
    assert client.head().status == 200
    client.body_byte_count(at_least=5)
    client.close()
    origin.wait_for_finished(1)


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("how", LEAVE)
def test_leaving_in_the_middle_of_an_upload_leaves_an_incomplete_request_at_the_origin(proxy, origin, how, framing):
    started = threading.Event()
    complete = []

    def take(connection):
        request = connection.head()
        piece = content.Digest()
        if request.values("content-length"):
            connection.reader.copy(5, piece)
        else:
            connection.reader.line()
        started.set()
        connection.expect_close()
        complete.append(connection.received.endswith(b"0\r\n\r\n"))

    origin.script(take)
    client = proxy.connect().send(get("http://api.internal/up", framing, method="PUT"))
    client.send(b"hello" if "Length" in framing else b"5\r\nhello\r\n")
    assert started.wait(10)
    getattr(client, how)()
    origin.wait_for_finished(1)
    assert complete == [False]


def test_leaving_while_waiting_for_a_token_sends_nothing_upstream(proxy, origin, authlib):
    authlib.hold()
    gone = proxy.connect().send(post("http://api.internal/orders", b"body"))
    stays = proxy.connect().send(get("http://api.internal/stays"))
    authlib.wait_for_fetches(1)
    gone.close()
    authlib.release()
    assert stays.answer().status == 200
    assert [request.target for request in origin.requests] == [b"/stays"]


def test_a_client_that_left_is_logged_as_such(proxy, origin):
    origin.script(lambda connection: (connection.request(), connection.expect_close()))
    client = proxy.connect().send(get("http://api.internal/slow"))
    origin.wait_for_requests(1)
    client.reset()
    line = proxy.requests_logged(1)[0]
    assert line["path"] == "/slow" and any("client" in line.get(key, "") for key in ["error", "hop", "status"])


def test_a_thousand_clients_that_leave_take_no_descriptors_with_them(proxy, origin):
    def descriptors() -> int:
        return len(os.listdir(f"/proc/{proxy.pid}/fd"))

    warm = proxy.connect()
    assert warm.exchange(get("http://api.internal/")).status == 200
    before = descriptors()
    origin.otherwise = lambda connection: connection.expect_close()
    for number in range(1_000):
        client = proxy.connect().send(get(f"http://api.internal/{number}"))
        client.reset() if number % 2 else client.close()
    poll(lambda: descriptors() <= before + 2, "the return of all descriptors")
    assert warm.exchange(b"GET http://nowhere.internal/ HTTP/1.1\r\nHost: nowhere.internal\r\n\r\n").status == 403


HALF_CLOSE = [{"address": "127.0.0.1:0", "half_close": "serve"}]


def ask_and_finish(proxy, origin, request: bytes, end: threading.Event):
    """A client that closes its sending side behind `request`, which the proxy has noticed before `end` is set."""
    client = proxy.connect().send(request)
    client.socket.shutdown(socket.SHUT_WR)
    origin.wait_for_requests(1)
    # On the same loop, news of the first connection have been looked at when this is answered.
    assert proxy.connect().exchange(get("/api/other", "Connection: close")).status == 200
    end.set()
    return client


def answering_when(end: threading.Event):
    def answer(connection):
        connection.request()
        connection.hold(end)
        connection.answer(b"late")
        connection.expect_close()
    return answer


@pytest.mark.parametrize("request_bytes", [
    get("/api/x"), get("/api/x", version="1.0"), post("/api/x", b"content"),
    get("/api/x", "Transfer-Encoding: chunked", method="POST") + content.chunked(b"content"),
])
def test_a_client_that_finishes_sending_gets_its_response_where_half_close_is_served(start_proxy, origin, request_bytes):
    end = threading.Event()
    origin.script(answering_when(end))
    proxy = start_proxy({"forward_to": origin.url}, listen=HALF_CLOSE, loops=1)
    client = ask_and_finish(proxy, origin, request_bytes, end)
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b"late")
    # No further request can come, so that the connection ends.
    client.expect_end()
    assert {line["status"] for line in proxy.requests_logged(2)} == {"200"}


def test_a_client_that_finishes_sending_counts_as_gone_by_default(start_proxy, origin):
    def wait(connection):
        connection.request()
        connection.expect_close()

    origin.script(wait)
    proxy = start_proxy({"forward_to": origin.url})
    client = proxy.connect().send(get("/api/x"))
    origin.wait_for_requests(1)
    client.socket.shutdown(socket.SHUT_WR)
    client.expect_end()
    origin.wait_for_finished(1)
    line, = proxy.requests_logged(1)
    assert line["error"] == "client_gone"


def test_pipelined_requests_are_served_before_the_end(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, listen=HALF_CLOSE)
    client = proxy.connect().send(get("/api/1") + post("/api/2", b"x") + get("/api/3"))
    client.socket.shutdown(socket.SHUT_WR)
    assert [client.answer().status for _ in range(3)] == [200] * 3
    client.expect_end()
    assert [request.target for request in origin.requests] == [b"/1", b"/2", b"/3"]


@pytest.mark.parametrize("part", [get("/api/x")[:-2], b"G"])
def test_a_half_request_is_none_where_half_close_is_served(start_proxy, origin, part):
    proxy = start_proxy({"forward_to": origin.url}, listen=HALF_CLOSE)
    client = proxy.connect().send(part)
    client.socket.shutdown(socket.SHUT_WR)
    client.expect_end()
    assert origin.requests == []


def test_a_client_that_resets_is_gone_where_half_close_is_served(start_proxy, origin):
    def wait(connection):
        connection.request()
        connection.expect_close()

    origin.script(wait)
    proxy = start_proxy({"forward_to": origin.url}, listen=HALF_CLOSE)
    client = proxy.connect().send(get("/api/slow"))
    origin.wait_for_requests(1)
    client.reset()
    origin.wait_for_finished(1)


def test_a_client_that_has_only_closed_gets_its_response_and_is_then_forgotten(start_proxy, origin):
    end = threading.Event()
    origin.script(answering_when(end))
    proxy = start_proxy({"forward_to": origin.url}, listen=HALF_CLOSE, loops=1)
    client = proxy.connect().send(get("/api/x"))
    client.close()
    origin.wait_for_requests(1)
    assert proxy.connect().exchange(get("/api/other", "Connection: close")).status == 200
    end.set()
    assert len(proxy.requests_logged(2)) == 2
    poll(lambda: proxy.sample("m2m_proxy_connections") == 0, "no connection stays")


def test_half_close_is_served_in_tls_too(start_proxy, origin, authority, tmp_path):
    end = threading.Event()
    origin.script(answering_when(end))
    certificate = authority.issue("half-close", "127.0.0.1")
    listen = [HALF_CLOSE[0] | {"tls": {"certificate": str(certificate.certificate), "key": str(certificate.key)}}]
    proxy = start_proxy({"forward_to": origin.url}, listen=listen, loops=1)
    context = ssl.create_default_context(cafile=authority.file)
    arrived, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(arrived, leaving, server_hostname="127.0.0.1")
    client = proxy.connect()

    def complete(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                if pending := leaving.read():
                    client.send(pending)
                data = client.socket.recv(1 << 16)
                arrived.write(data) if data else arrived.write_eof()

    complete(session.do_handshake)
    session.write(get("/api/x"))
    with pytest.raises(ssl.SSLWantReadError):
        session.unwrap()
    client.send(leaving.read())
    client.socket.shutdown(socket.SHUT_WR)
    origin.wait_for_requests(1)
    # What one connection of the loop has sent is looked at in turn.
    with socket.create_connection(proxy.address) as other, context.wrap_socket(other, server_hostname="127.0.0.1") as tls:
        tls.sendall(get("/api/other", "Connection: close"))
        assert tls.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    end.set()
    got = b""
    while not got.endswith(b"late"):
        got += complete(lambda: session.read(1 << 16))
    assert got.startswith(b"HTTP/1.1 200 OK")
    # The end is said in TLS, too: some clients read up to it.
    with pytest.raises(ssl.SSLZeroReturnError):
        complete(lambda: session.read(1))
