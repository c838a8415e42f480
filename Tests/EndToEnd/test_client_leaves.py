"""A client that goes away frees its upstream connection at once, long before any timeout."""

import os
import threading

import pytest

from harness import content
from harness.client import get, post
from harness.waiting import poll

LEAVE = ["close", "reset"]


@pytest.mark.parametrize("how", LEAVE)
def test_leaving_while_waiting_for_the_answer_closes_the_upstream_connection(proxy, origin, how):
    def wait(connection):
        connection.request()
        connection.expect_close()

    origin.script(wait)
    client = proxy.connect().send(get("http://api.internal/slow"))
    origin.wait_for_requests(1)
    getattr(client, how)()
    origin.wait_for_finished(1)


@pytest.mark.parametrize("how", LEAVE)
def test_leaving_in_the_middle_of_an_answer_closes_the_upstream_connection(proxy, origin, how):
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


def test_leaving_a_stalled_answer_closes_the_upstream_connection(proxy, origin):
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
