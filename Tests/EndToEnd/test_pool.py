"""Connections to the upstream: kept, used again, and given up when in doubt."""

import json
import threading

import pytest

from harness.client import get, post
from harness.waiting import PATIENCE, poll


@pytest.fixture
def proxy(start_proxy, origin):
    """One loop, so that one pool serves every client."""
    return start_proxy({"forward_to": origin.url}, loops=1)


def answer_then(*steps):
    """An origin that answers one request, and then takes `steps` with the connection."""
    def script(connection):
        connection.request()
        connection.answer(b"first")
        for step in steps:
            step(connection)
    return script


def test_one_upstream_connection_serves_many_requests_of_many_clients(proxy, origin):
    for _ in range(10):
        client = proxy.connect()
        for _ in range(10):
            assert client.exchange(get("http://api.internal/")).status == 200
    assert len(origin.connections) == 1
    reuse = [line["upstream"] for line in proxy.requests_logged(100)]
    assert reuse == ["new"] + ["reused"] * 99


def test_requests_at_the_same_time_have_connections_of_their_own(proxy, origin):
    clients = [proxy.connect().send(get("http://api.internal/")) for _ in range(20)]
    assert [client.answer().status for client in clients] == [200] * 20
    assert 1 <= len(origin.connections) <= 20


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_get_on_a_connection_that_turns_out_dead_is_sent_once_more_and_succeeds(proxy, origin, ending):
    def die(connection):
        connection.head()
        getattr(connection, ending)()

    origin.script(answer_then(die))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).body == b"first"
    assert client.exchange(get("http://api.internal/2")).body == b"ok"
    assert [request.target for request in origin.requests] == [b"/1", b"/2", b"/2"]


def test_a_get_is_sent_again_only_once(proxy, origin):
    def die(connection):
        connection.head()
        connection.close()

    origin.script(answer_then(die))
    origin.otherwise = die
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).status == 200
    assert client.exchange(get("http://api.internal/2")).status == 502
    assert [request.target for request in origin.requests] == [b"/1", b"/2", b"/2"]


def die_if_used_again(connection):
    if not connection.at_end():
        connection.head()
        connection.close()


def test_a_retry_gets_a_new_connection_and_those_that_are_idle_stay(proxy, origin):
    together = threading.Barrier(3)

    def serve_once(connection):
        connection.request()
        together.wait(PATIENCE)
        connection.answer()
        die_if_used_again(connection)

    origin.script(serve_once, serve_once, serve_once)
    clients = [proxy.connect().send(get(f"http://api.internal/{number}")) for number in range(3)]
    assert [client.answer().status for client in clients] == [200] * 3
    assert clients[0].exchange(get("http://api.internal/again")).status == 200
    assert len(origin.connections) == 4 and len(origin.requests) == 5
    assert proxy.sample("m2m_proxy_upstream_connections") == 3


def test_a_retry_that_waits_for_a_place_is_not_given_another_used_connection(start_proxy, origin):
    """The connection that comes back is as dead as the first one was, and a request is retried once."""
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"upstream_connections": 1})
    go = threading.Event()

    def die(connection):
        connection.head()
        connection.hold(go)
        connection.close()

    origin.script(answer_then(die), answer_then(die_if_used_again))
    client, other = proxy.connect(), proxy.connect()
    assert client.exchange(get("http://api.internal/1")).status == 200
    client.send(get("http://api.internal/2"))
    poll(lambda: proxy.sample("m2m_proxy_upstream_connections_idle") == 0, "the connection in use")
    other.send(get("http://api.internal/other"))
    poll(lambda: proxy.sample("m2m_proxy_upstream_requests_waiting") == 1, "a request that waits")
    go.set()
    assert other.answer().body == b"first"
    assert client.answer().body == b"ok"
    assert len(origin.connections) == 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_request_with_effects_that_was_sent_is_never_repeated(proxy, origin, method):
    def die(connection):
        connection.request()
        connection.close()

    origin.script(answer_then(die))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).status == 200
    answer = client.exchange(post("http://api.internal/2", b"pay", method=method), method)
    assert (answer.status, json.loads(answer.body)["hop"]) == (502, "upstream")
    assert [request.method for request in origin.requests] == [b"GET", method.encode()]


def die_after_the_request(connection):
    connection.request()
    connection.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("route", [{}, {"credentials": "none", "audience": None}], ids=["token", "none"])
@pytest.mark.parametrize("content", [b"", b"state", b"x" * 60_000], ids=["none", "little", "much"])
def test_an_idempotent_request_with_content_is_sent_once_more(start_proxy, origin, method, route, content):
    proxy = start_proxy({"forward_to": origin.url} | route, loops=1)
    origin.script(answer_then(die_after_the_request))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).body == b"first"
    assert client.exchange(post("http://api.internal/2", content, method=method), method).body == b"ok"
    assert [(request.method, request.body) for request in origin.requests[1:]] == [(method.encode(), content)] * 2
    assert proxy.sample("m2m_proxy_requests_repeated_total") == 1


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_an_idempotent_request_whose_body_arrives_in_pieces_is_retried(proxy, origin, ending):
    def die(connection):
        connection.head()
        assert connection.reader.line() == b"5"
        getattr(connection, ending)()

    origin.script(answer_then(die))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).body == b"first"
    client.send(get("http://api.internal/2", "Transfer-Encoding: chunked", method="PUT") + b"5\r\nfirst\r\n")
    origin.wait_for_finished(1)
    client.send(b"6\r\nsecond\r\n0\r\n\r\n")
    assert client.answer("PUT").body == b"ok"
    assert origin.requests[-1].body == b"firstsecond"


def test_an_idempotent_request_whose_body_is_not_kept_is_not_retried(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "replay_buffer": "1KB"}, loops=1)
    origin.script(answer_then(die_after_the_request))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).status == 200
    answer = client.exchange(post("http://api.internal/2", b"x" * 2000, method="PUT"), "PUT")
    assert (answer.status, json.loads(answer.body)["hop"]) == (502, "upstream")
    assert len(origin.requests) == 2


def test_a_get_that_failed_on_a_fresh_connection_is_not_repeated(proxy, origin):
    def die(connection):
        connection.head()
        connection.close()

    origin.otherwise = die
    assert proxy.connect().exchange(get("http://api.internal/1")).status == 502
    assert len(origin.requests) == 1


def test_a_get_whose_response_has_begun_is_not_retried(proxy, origin):
    def die(connection):
        connection.head()
        connection.send(b"HTTP/1.1 200 O")
        connection.close()

    origin.script(answer_then(die))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).status == 200
    assert client.exchange(get("http://api.internal/2")).status == 502
    assert len(origin.requests) == 2


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_connection_closed_while_idle_is_not_used_even_for_a_post(proxy, origin, ending):
    origin.script(answer_then(lambda connection: getattr(connection, ending)()))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).status == 200
    origin.wait_for_finished(1)
    assert client.exchange(post("http://api.internal/2", b"pay"), "POST").status == 200
    assert [request.method for request in origin.requests] == [b"GET", b"POST"]


def test_a_connection_that_talks_while_idle_is_not_used_again(proxy, origin):
    talked = []

    def talk(connection):
        connection.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        talked.append(True)
        connection.expect_close()

    origin.script(answer_then(talk))
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).body == b"first"
    origin.wait_for_finished(1)  # The proxy has seen it, and closed.
    assert client.exchange(post("http://api.internal/2", b"pay"), "POST").body == b"ok"
    assert talked and len(origin.connections) == 2


def test_a_tls_connection_whose_end_came_with_the_response_is_not_used_again(start_proxy, tls_origin, authority):
    proxy = start_proxy({"forward_to": tls_origin.url}, loops=1, tls={"ca_file": str(authority.file)})
    # The first answer of a connection is read in another way than those after it.
    for number, answers in enumerate([1, 2], 1):
        def last(connection):
            for _ in range(answers - 1):
                connection.request()
                connection.answer(b"more")
            connection.request()
            with connection.in_one_piece():
                connection.answer(b"last")
                connection.end_tls()
            connection.expect_close()

        tls_origin.script(last)
        client = proxy.connect()
        for _ in range(answers - 1):
            assert client.exchange(get("http://api.internal/1")).body == b"more"
        assert client.exchange(get("http://api.internal/1")).body == b"last"
        assert client.exchange(post("http://api.internal/2", b"pay"), "POST").body == b"ok"
        # That one is left to the idle connections.
        tls_origin.connections[-1].end()
        tls_origin.wait_for_finished(2 * number)


def test_a_connection_that_the_upstream_closes_after_its_response_is_not_used_again(proxy, origin):
    def closing(connection):
        connection.request()
        connection.answer(b"last", "200 OK", "Connection: close")
        connection.expect_close()

    origin.script(closing)
    client = proxy.connect()
    answer = client.exchange(get("http://api.internal/1"))
    assert answer.body == b"last"
    assert client.exchange(get("http://api.internal/2")).body == b"ok", "the client's own connection stays open"


def test_an_http_1_0_upstream_is_used_for_one_request(proxy, origin):
    def old(connection):
        connection.request()
        connection.send(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
        connection.expect_close()

    origin.script(old)
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).body == b"old"
    assert client.exchange(get("http://api.internal/2")).body == b"ok"


def test_an_idle_connection_is_closed_after_its_time(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=1, timeouts={"upstream_idle": "200ms"})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/1")).status == 200
    origin.wait_for_finished(1)
    assert client.exchange(get("http://api.internal/2")).status == 200


def test_requests_beyond_the_connection_limit_wait_their_turn(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"upstream_connections": 2})
    clients = [proxy.connect().send(get(f"http://api.internal/{number}")) for number in range(20)]
    assert [client.answer().status for client in clients] == [200] * 20
    assert len(origin.connections) == 2


def test_requests_beyond_the_queue_are_refused_with_retry_after(start_proxy, origin):
    go = threading.Event()

    def slow(connection):
        while not connection.at_end():
            connection.request()
            connection.hold(go)
            connection.answer()

    origin.otherwise = slow
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"upstream_connections": 1, "queue": 1})
    busy = proxy.connect().send(get("http://api.internal/busy"))
    origin.wait_for_requests(1)
    others = [proxy.connect().send(get(f"http://api.internal/{number}")) for number in range(4)]
    refused = 0
    for line in proxy.requests_logged(3):
        refused += line["status"] == "503"
    go.set()
    answers = [client.answer() for client in others]
    assert busy.answer().status == 200
    assert sorted(answer.status for answer in answers) == [200, 503, 503, 503] and refused == 3
    assert all(int(answer.value("retry-after")) >= 1 for answer in answers if answer.status == 503)
