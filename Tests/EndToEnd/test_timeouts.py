"""Upstreams and clients that do not answer, do not accept, or stop in the middle."""

import contextlib
import json
import signal
import socket

import pytest

from harness import content
from harness.client import get
from harness.waiting import poll
from harness.wire import Incomplete


def problem_of(proxy, status: int):
    answer = proxy.connect().exchange(get("http://api.internal/x"))
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"], problem["hop"], problem["route"]) == (status, status, "upstream", "api")
    return answer, problem


def test_an_upstream_that_refuses_connections_is_a_502_naming_it(start_proxy, refusing_port):
    answer, problem = problem_of(start_proxy({"forward_to": f"http://127.0.0.1:{refusing_port}"}), 502)
    assert b"error=connection_refused" in answer.value("proxy-status")
    assert f"127.0.0.1:{refusing_port}" in problem["detail"]


def test_an_upstream_whose_name_does_not_resolve_is_a_502_naming_it(start_proxy):
    answer, problem = problem_of(start_proxy({"forward_to": "https://no-such-host.invalid"}), 502)
    assert b"error=dns_error" in answer.value("proxy-status") and "no-such-host.invalid" in problem["detail"]


@contextlib.contextmanager
def silent_listener():
    """A port whose accept queue is full, so that the kernel lets new connections hang."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_an_upstream_that_does_not_accept_is_a_504(start_proxy):
    with silent_listener() as port:
        proxy = start_proxy({"forward_to": f"http://127.0.0.1:{port}"}, timeouts={"connect": "300ms"})
        answer, _ = problem_of(proxy, 504)
        assert b"error=connection_timeout" in answer.value("proxy-status")


def test_an_upstream_that_does_not_finish_its_tls_handshake_is_a_504(start_proxy, origin):
    origin.otherwise = lambda connection: connection.expect_close()
    proxy = start_proxy({"forward_to": f"https://{origin.authority}"}, timeouts={"connect": "300ms"})
    problem_of(proxy, 504)
    origin.wait_for_finished(1)


def test_an_upstream_that_does_not_respond_is_a_504_and_its_connection_is_closed(start_proxy, origin):
    origin.otherwise = lambda connection: (connection.request(), connection.expect_close())
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"first_byte": "300ms"})
    answer, _ = problem_of(proxy, 504)
    assert b"error=http_response_timeout" in answer.value("proxy-status")
    origin.wait_for_finished(1)
    assert len(origin.requests) == 1, "a request that timed out was repeated"


def test_a_timeout_of_a_route_wins_over_the_general_one(start_proxy, origin):
    origin.otherwise = lambda connection: (connection.request(), connection.expect_close())
    proxy = start_proxy({"forward_to": origin.url, "timeouts": {"first_byte": "200ms"}}, timeouts={"first_byte": "1h"})
    problem_of(proxy, 504)


def test_an_upstream_that_stops_in_the_middle_of_a_response_ends_it_incomplete(start_proxy, origin):
    def stop(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        connection.expect_close()

    origin.script(stop)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "300ms"})
    with pytest.raises(Incomplete):
        proxy.connect().exchange(get("http://api.internal/x"))
    origin.wait_for_finished(1)


def test_a_client_that_stops_in_the_middle_of_its_body_is_dropped_and_its_upstream_connection_too(start_proxy, origin):
    origin.script(lambda connection: (connection.head(), connection.expect_close()))
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "300ms"})
    client = proxy.connect().send(get("http://api.internal/x", "Content-Length: 10", method="PUT") + b"hello")
    origin.wait_for_finished(1)
    try:
        assert client.answer("PUT").status == 408
    except Incomplete:
        pass


def test_a_client_that_stops_in_the_middle_of_its_head_is_dropped(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"head": "300ms"})
    client = proxy.connect().send(b"GET http://api.internal/ HTTP/1.1\r\nHost: api")
    if not client.reader.at_end():
        assert client.answer().status == 408
        client.expect_end()
    assert origin.requests == []


def test_a_head_that_trickles_cannot_outlast_its_time(start_proxy, origin):
    """Every byte is in time, the whole is not."""
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"head": "400ms"})
    client = proxy.connect().send(b"GET http://api.internal/ HTTP/1.1\r\nHost: api.internal\r\nX: ")
    client.socket.settimeout(0.05)
    for _ in range(200):
        try:
            client.send(b"x")
            client.socket.recv(1000)  # An answer or the end.
            break
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
    else:
        pytest.fail("a head may trickle for ever")


def test_an_idle_client_connection_is_closed_after_its_time(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"idle": "300ms"})
    used, unused = proxy.connect(), proxy.connect()
    assert used.exchange(get("http://api.internal/x")).status == 200
    used.expect_end()
    unused.expect_end()


@pytest.fixture
def resting(start_proxy, origin):
    """A proxy and a connection that has carried a request and then waited longer than its task is kept for."""
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"head": "300ms", "idle": "60s"})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/first")).status == 200
    # What is waited for is that another one's time is over.
    assert proxy.connect().send(b"GET").answer().status == 408
    return proxy, client


def test_a_connection_that_has_been_idle_for_long_is_served(resting):
    proxy, client = resting
    for _ in range(2):
        assert client.exchange(get("http://api.internal/later")).status == 200
    client.send(get("http://api.internal/later") * 3)
    assert [client.answer().status for _ in range(3)] == [200] * 3
    proxy.requests_logged(7)


def test_a_connection_that_has_been_idle_for_long_ends_when_its_client_leaves(resting):
    proxy, client = resting
    client.close()
    poll(lambda: proxy.sample("m2m_proxy_connections") == 0, "the connection is gone")


def test_a_connection_that_has_been_idle_for_long_ends_with_the_proxy(resting):
    proxy, client = resting
    proxy.signal(signal.SIGTERM)
    client.expect_end()
    assert proxy.wait() == 0


def test_a_slow_but_steady_transfer_is_not_cut(start_proxy, origin):
    """The body's time is for a pause, not for the whole."""
    piece = content.content(1000)

    def trickle(connection):
        request = connection.head()
        got = content.Digest()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n")
        for _ in range(6):
            connection.reader.copy(1000, got)
            connection.send(piece)
        assert request.method == b"PUT"
        connection.expect_close()

    origin.script(trickle)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "1s"})
    client = proxy.connect().send(get("http://api.internal/x", "Content-Length: 6000", method="PUT"))
    assert client.head().status == 200
    for _ in range(6):
        # A pause well below the limit; six of them are well above it.
        client.socket.settimeout(0.25)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(10)
        client.send(piece)
        client.reader.copy(1000, content.Digest())
