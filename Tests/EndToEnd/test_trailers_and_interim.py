"""Trailers both ways and interim answers."""

import socket
import threading

import pytest

from harness import content, wire
from harness.client import RawClient, get
from harness.waiting import PATIENCE


def test_trailers_of_a_request_arrive_at_the_origin(proxy, origin):
    request = get("/api/up", "Trailer: X-Checksum", "Transfer-Encoding: chunked", method="POST")
    body = content.chunked(b"abc", trailers=b"X-Checksum: 900150983c\r\nX-empty:\r\n")
    assert proxy.connect().exchange(request + body, "POST").status == 200
    assert origin.requests[0].body == b"abc"
    assert origin.requests[0].trailers == [(b"X-Checksum", b"900150983c"), (b"X-empty", b"")]


def test_trailers_of_a_response_arrive_at_the_client(proxy, origin):
    def trailing(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + content.chunked(b"abc", trailers=b"X-Sum: 7\r\n"))
        connection.expect_close()

    origin.script(trailing)
    answer = proxy.connect().exchange(get("/api/down", "TE: trailers", "Connection: TE"))
    assert (answer.body, answer.trailers) == (b"abc", [(b"X-Sum", b"7")])


def test_a_token_cannot_be_replaced_by_a_trailer(proxy, origin, authlib):
    request = get("/api/up", "Transfer-Encoding: chunked", method="POST")
    body = content.chunked(b"abc", trailers=b"Authorization: Bearer mine\r\nContent-Length: 5\r\nX-Kept: yes\r\n")
    answer = proxy.connect().exchange(request + body, "POST")
    if answer.status == 200:
        assert origin.requests[0].trailers == [(b"X-Kept", b"yes")]
    else:
        assert answer.status == 400
    for request in origin.requests:
        assert request.value("authorization") == f"Bearer {authlib.tokens[0]}".encode()


def test_interim_responses_are_forwarded_before_the_final_one(proxy, origin):
    def hinting(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        connection.answer(b"final")
        connection.expect_close()

    origin.script(hinting)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert [each.status for each in answer.interim] == [103, 102]
    assert answer.interim[0].value("link") == b"</style.css>; rel=preload"
    assert (answer.status, answer.body) == (200, b"final")


def test_an_interim_response_is_not_held_back_until_the_final_one(proxy, origin):
    seen = threading.Event()

    def hinting(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.hold(seen)
        connection.answer()
        connection.expect_close()

    origin.script(hinting)
    client = proxy.connect().send(get("http://api.internal/"))
    assert client.reader.head().startswith(b"HTTP/1.1 103 ")
    seen.set()
    assert client.answer().status == 200


def test_a_response_is_not_held_back_until_its_end(proxy, origin):
    seen = threading.Event()

    def trickling(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        connection.hold(seen)
        connection.send(b"0\r\n\r\n")
        connection.expect_close()

    origin.script(trickling)
    client = proxy.connect().send(get("http://api.internal/events"))
    assert client.head().status == 200
    assert client.body_byte_count(at_least=5) >= 5
    seen.set()


HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize("interim, expected", [(None, [103, 102, 100, 199]), ("forward", [103, 102, 100, 199]), ("drop", [100])])
def test_a_route_can_drop_interim_responses_except_100(start_proxy, origin, interim, expected):
    def hinting(connection):
        connection.request()
        connection.send(HINT + b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 x\r\n\r\n")
        connection.answer(b"final")
        connection.request()
        connection.answer(b"next")
        connection.expect_close()

    origin.script(hinting)
    proxy = start_proxy({"forward_to": origin.url} | ({"interim": interim} if interim else {}))
    client = proxy.connect()
    answer = client.exchange(get("http://api.internal/"))
    assert [each.status for each in answer.interim] == expected
    assert (answer.status, answer.body) == (200, b"final")
    assert client.exchange(get("http://api.internal/next")).body == b"next"


def test_101_is_not_dropped_as_an_interim_response(start_proxy, origin):
    def switching(connection):
        connection.head()
        connection.send(HINT + b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello")
        connection.expect_close()

    origin.script(switching)
    proxy = start_proxy({"forward_to": origin.url, "interim": "drop"})
    client = proxy.connect().send(get("/api/", "Connection: Upgrade", "Upgrade: x"))
    client.switched()
    assert client.reader.exactly(5) == b"hello"
    client.close()


def test_each_interim_response_gives_the_upstream_its_time_again(start_proxy, origin):
    pause = threading.Event()

    def slow(connection):
        connection.request()
        for _ in range(6):
            connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            pause.wait(0.6)
        connection.answer(b"done")
        connection.expect_close()

    origin.script(slow)
    # 3.6 s in all, which is more than the upstream has for the first of them.
    proxy = start_proxy({"forward_to": origin.url, "timeouts": {"first_byte": "3s"}})
    answer = proxy.connect().exchange(get("/api/job"))
    assert (answer.status, [each.status for each in answer.interim]) == (200, [102] * 6)


def test_interim_responses_end_at_the_total(start_proxy, origin):
    stop = threading.Event()

    def endless(connection):
        connection.request()
        try:
            while not stop.wait(0.05):
                connection.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass

    origin.script(endless)
    proxy = start_proxy({"forward_to": origin.url, "timeouts": {"total": "1s", "first_byte": "500ms"}})
    answer = proxy.connect().exchange(get("/api/job"))
    assert answer.status == 504
    assert len(answer.interim) > 0
    origin.wait_for_finished(1)
    stop.set()


def test_a_client_that_reads_late_gets_every_interim_response(start_proxy, origin):
    count = 900
    hint = b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 1_000 + b"\r\n\r\n"
    received = []

    def hinting(connection):
        received.append(connection.head())
        reading = threading.Thread(target=connection.body, args=[received[0]])
        reading.start()
        for _ in range(count):
            connection.send(hint)
        reading.join(PATIENCE)
        connection.answer(b"final")
        connection.expect_close()

    origin.script(hinting)
    proxy = start_proxy({"forward_to": origin.url}, limits={"buffer": "16KB"})
    client = RawClient.__new__(RawClient)
    client.socket = socket.socket()
    # So little room that the proxy has to wait for this client.
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.socket.settimeout(PATIENCE)
    client.socket.connect(proxy.address)
    client.reader = wire.Reader(lambda: client.socket.recv(1 << 18))
    body = content.content(2 << 20)
    # It reads nothing before it has sent its content, which goes on although interim responses wait for it.
    client.send(get("/api/late", f"Content-Length: {len(body)}", method="POST") + body)
    answer = client.answer("POST")
    assert (answer.status, answer.body) == (200, b"final")
    assert [each.status for each in answer.interim] == [103] * count
    assert received[0].body == body
    client.close()
