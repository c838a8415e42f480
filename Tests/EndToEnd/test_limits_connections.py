"""How many connections there may be, and how many requests on each."""

import json
import socket
import threading

import pytest

from harness.client import get, post
from harness.waiting import PATIENCE, poll


def reached(proxy, limit: str) -> int:
    """How often a limit made itself felt."""
    name = f'm2m_proxy_limit_reached_total{{limit="{limit}"}} '
    return next(int(line.removeprefix(name)) for line in proxy.metrics().splitlines() if line.startswith(name))


def test_one_address_cannot_have_more_connections_than_its_share_over_all_loops(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=4, limits={"connections_per_client": 3})
    clients = [proxy.connect() for _ in range(3)]
    for client in clients:
        assert client.exchange(get("http://api.internal/x")).status == 200
    # However the kernel spreads them over the loops.
    for _ in range(12):
        refused = proxy.connect()
        answer = refused.exchange(get("http://api.internal/refused"))
        assert (answer.status, answer.value("retry-after")) == (503, b"1")
        assert b"error=connection_limit_reached" in answer.value("proxy-status")
        assert "connections_per_client" in json.loads(answer.body)["hint"]
        refused.expect_end()
        refused.close()
    assert reached(proxy, "connections_per_client") == 12
    assert not any(b"refused" in request.target for request in origin.requests)
    # Those that it has are not disturbed, and one that ends makes room.
    assert clients[0].exchange(get("http://api.internal/x")).status == 200
    clients[1].close()
    poll(lambda: proxy.connect().exchange(get("http://api.internal/x")).status == 200, "room for another connection")


def test_refused_connections_cannot_pile_up(start_proxy, origin):
    """Those that are told why are bounded; the others are closed at once, though they never read or close."""
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"connections_per_client": 1})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/x")).status == 200
    crowd = [proxy.connect() for _ in range(200)]
    poll(lambda: reached(proxy, "connections_per_client") == 200, "the crowd's refusal")
    open_now = next(line for line in proxy.metrics().splitlines() if line.startswith("m2m_proxy_connections "))
    assert int(open_now.split()[1]) <= 65
    assert client.exchange(get("http://api.internal/x")).status == 200
    assert len(crowd) == 200 and proxy.log.text.count("event=refused") <= 1


def test_further_connections_wait_when_all_are_in_use(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"connections": 2})
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        assert client.exchange(get("http://api.internal/x")).status == 200
    waiting = proxy.connect().send(get("http://api.internal/waited"))
    assert reached(proxy, "connections") == 1
    # The loop had every opportunity to accept it.
    for _ in range(20):
        assert clients[0].exchange(get("http://api.internal/x")).status == 200
    assert not any(b"waited" in request.target for request in origin.requests)
    clients[1].close()
    assert waiting.answer().status == 200


def test_the_last_request_of_a_connection_says_so_and_is_the_last(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, limits={"requests_per_connection": 3})
    client = proxy.connect()
    answers = [client.exchange(get("http://api.internal/x")) for _ in range(3)]
    assert [answer.values("connection") for answer in answers] == [[], [], [b"close"]]
    assert [answer.status for answer in answers] == [200] * 3
    client.expect_end()
    assert reached(proxy, "requests_per_connection") == 1


def test_the_last_request_ends_the_connection_when_it_fails_or_is_pipelined(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, limits={"requests_per_connection": 2})
    client = proxy.connect().send(post("http://api.internal/x", b"abc") + get("http://other.internal/") * 3)
    assert client.answer().status == 200
    last = client.answer()
    assert (last.status, last.value("connection")) == (403, b"close")
    client.expect_end()
    assert len(origin.requests) == 1


def test_waiting_for_an_upstream_connection_and_being_refused_are_counted_apart(start_proxy, origin):
    event = threading.Event()

    def hold(connection):
        connection.request()
        connection.hold(event)
        connection.answer()
        connection.request()
        connection.answer()
        connection.expect_close()

    origin.script(hold)
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"upstream_connections": 1, "queue": 1})
    try:
        first = proxy.connect().send(get("http://api.internal/x"))
        origin.wait_for_requests(1)
        second = proxy.connect().send(get("http://api.internal/x"))
        poll(lambda: reached(proxy, "upstream_connections") == 1, "the second request's waiting")
        assert reached(proxy, "queue") == 0
        refused = proxy.connect().exchange(get("http://api.internal/x"))
        assert (refused.status, refused.value("retry-after")) == (503, b"1")
        assert reached(proxy, "queue") == 1
    finally:
        event.set()
    assert (first.answer().status, second.answer().status) == (200, 200)


@pytest.mark.parametrize(("limits", "launcher", "most"), [
    ({"connections": 50}, (), 45),
    ({"connections": 50, "connections_per_client": 40}, (), 40),
    ({}, ("prlimit", "--nofile=328:328"), 221),
    ({}, ("prlimit", "--nofile=612:612"), 435),
], ids=["connections", "its own limit is less", "few descriptors", "descriptors"])
def test_one_address_leaves_connections_to_others(start_proxy, origin, limits, launcher, most):
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits=limits, launcher=launcher)
    silent = [proxy.connect() for _ in range(most + 20)]
    poll(lambda: reached(proxy, "connections_per_client") == 20, "the refusal of those beyond its share")
    with socket.socket() as other:
        other.settimeout(PATIENCE)
        other.bind(("127.0.0.2", 0))
        other.connect(proxy.address)
        other.sendall(get("http://api.internal/x", "Connection: close"))
        assert other.recv(12) == b"HTTP/1.1 200"
    assert len(silent) == most + 20
