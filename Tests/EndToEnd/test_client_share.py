"""One client cannot use all connections to an upstream, whatever it does with them; the others are served meanwhile."""

import collections
import contextlib
import json
import threading

import pytest

from harness.callers import basic, with_password
from harness.client import get
from harness.ntlm import ConnectionAuthentication, log_on
from harness.waiting import poll
from test_upgrade import handshake

GREEDY = "127.0.0.2"
URL = "http://api.internal/"
NONE = {"credentials": "none", "audience": None}


@pytest.fixture
def gates(origin):
    """Requests for /hold/… are answered when the test sets the event of their target, uploads never, and others at once."""
    over = threading.Event()

    def gate():
        event = threading.Event()
        if over.is_set():
            event.set()
        return event

    gates = collections.defaultdict(gate)

    def script(connection):
        while not connection.at_end():
            request = connection.head()
            if request.method == b"PUT":
                return connection.expect_close()
            target = request.target.decode()
            if target.startswith("/hold"):
                connection.hold(gates[target])
            connection.answer(target.encode())

    origin.otherwise = script
    yield gates
    # What waits for a connection until now will not be held either.
    over.set()
    for event in list(gates.values()):
        event.set()


@pytest.fixture
def start(start_proxy, origin):
    """Starts a proxy with 16 connections to its upstream, of which one client may use 14."""
    def start(route={}, *more, loops=1, limits={}, **settings):
        return start_proxy(NONE | {"forward_to": origin.url} | route, *more, loops=loops,
                           limits={"upstream_connections": 16} | limits, **settings)
    return start


def in_use(proxy, upstream: str | None = None) -> float:
    labels = {"upstream": upstream} if upstream else {}
    return (proxy.sample("m2m_proxy_upstream_connections", **labels)
            - proxy.sample("m2m_proxy_upstream_connections_idle", **labels))


def waiting(proxy) -> float:
    return proxy.sample("m2m_proxy_upstream_requests_waiting")


def send(proxy, targets: list, *fields: str, source: str | None = None) -> list:
    """Sends requests for `targets` that hang, or wait, each on a connection of its own and after the one before it."""
    clients = []
    before = in_use(proxy) + waiting(proxy)
    for number, target in enumerate(targets):
        clients.append(proxy.connect(source=source).send(get(f"http://api.internal{target}", *fields)))
        poll(lambda: in_use(proxy) + waiting(proxy) == before + number + 1, "another one")
    return clients


def take(proxy, origin, count: int, held: int, *fields: str, source: str = GREEDY) -> list:
    """Sends `count` requests that hang: the first `held` are at the origin then, and the others wait."""
    clients = send(proxy, [f"/hold/{number}" for number in range(count)], *fields, source=source)
    origin.wait_for_requests(held)
    assert (in_use(proxy), waiting(proxy)) == (held, count - held)
    return clients


# What one client may do with its connections.


def hang(proxy):
    return proxy.connect(source=GREEDY).send(get(f"{URL}hold/x"))


def upload(proxy):
    return proxy.connect(source=GREEDY).send(get(f"{URL}x", "Content-Length: 1000", method="PUT") + b"x")


def download(proxy):
    return proxy.connect(source=GREEDY).send(get(f"{URL}large"))


def web_socket(proxy):
    return proxy.connect(source=GREEDY).send(handshake(f"{URL}chat"))


def endless(connection):
    """An answer that the client does not take."""
    connection.request()
    with contextlib.suppress(OSError):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 20_000_000)
        connection.expect_close()


def switching(connection):
    connection.switch()
    connection.expect_close()


ATTACKS = {hang: None, upload: None, download: endless, web_socket: switching}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_one_client_leaves_connections_to_others(start, origin, gates, attack):
    proxy = start()
    if ATTACKS[attack]:
        origin.script(*[ATTACKS[attack]] * 14)
    clients = []
    for number in range(14):
        clients.append(attack(proxy))
        poll(lambda: in_use(proxy) == number + 1, "another connection in use")
    clients += [attack(proxy) for _ in range(10)]
    poll(lambda: waiting(proxy) == 10, "ten that wait")
    for number in range(10):
        answer = proxy.connect().exchange(get(f"{URL}{number}"))
        assert (answer.status, answer.body) == (200, b"/%d" % number)
    # Several at a time, as many as are left.
    others = [proxy.connect().send(get(f"{URL}hold/other/{number}")) for number in range(2)]
    poll(lambda: in_use(proxy) == 16, "all connections in use")
    for number in range(2):
        gates[f"/hold/other/{number}"].set()
    assert [other.answer().status for other in others] == [200, 200]
    assert (in_use(proxy), waiting(proxy)) == (14, 10)
    for client in clients:
        client.close()
    poll(lambda: (in_use(proxy), waiting(proxy)) == (0, 0), "no connection in use")


def test_those_that_have_logged_on_count(start, origin):
    origin.otherwise = ConnectionAuthentication()
    proxy = start(timeouts={"connect": "200ms"})
    clients = [proxy.connect(source=GREEDY) for _ in range(14)]
    for number, client in enumerate(clients):
        assert log_on(client, f"user{number}").status == 200
    assert proxy.sample("m2m_proxy_upstream_connections_pinned") == 14
    assert proxy.connect(source=GREEDY).exchange(get(URL)).status == 503
    # They go on, and so do others.
    assert clients[3].exchange(get(f"{URL}mail")).body == b"user3 /mail"
    assert log_on(proxy.connect(), "alice").body == b"alice /"
    clients.pop().close()
    poll(lambda: proxy.sample("m2m_proxy_upstream_connections_pinned") == 14, "one connection less")
    assert proxy.connect(source=GREEDY).exchange(get(URL)).status == 401


def test_tunnels_count(start, origin):
    proxy = start({}, {"name": "tunnel", "match": origin.authority, "mount": None, "audience": None, "tunnel": "blind"},
                  timeouts={"connect": "200ms"})
    target = origin.authority

    def tunnel(source=None):
        client = proxy.connect(source=source).send(get(target, method="CONNECT", host=target))
        head = client.head()
        return head.status, client

    opened = [tunnel(GREEDY) for _ in range(14)]
    assert [status for status, _ in opened] == [200] * 14
    assert tunnel(GREEDY)[0] == 503
    status, other = tunnel()
    assert status == 200
    assert other.exchange(get("/inside")).status == 200
    opened.pop()[1].close()
    poll(lambda: in_use(proxy) == 14, "one tunnel less")
    assert tunnel(GREEDY)[0] == 200


# Event loops. Which one a connection comes to is the kernel's choice.


def test_each_loop_keeps_a_connection_for_others(start, gates):
    """Two loops have eight connections each: one client has seven of them, and no more."""
    proxy = start(loops=2, limits={"upstream_connections": 16}, timeouts={"connect": "1s"})
    clients = []
    while in_use(proxy) < 14:
        assert len(clients) < 300
        clients.append(proxy.connect(source=GREEDY).send(get(f"{URL}hold/x")))
    assert in_use(proxy) == 14
    assert [proxy.connect().exchange(get(URL)).status for _ in range(40)] == [200] * 40


@pytest.mark.parametrize("attack", [hang, upload, download], ids=lambda attack: attack.__name__)
def test_loops_share_few_connections(start, origin, gates, attack):
    """Eight loops have eight connections together: one client has seven of them, wherever its connections came to."""
    proxy = start(loops=8, limits={"upstream_connections": 8})
    if ATTACKS[attack]:
        origin.script(*[ATTACKS[attack]] * 7)
    clients = [attack(proxy) for _ in range(40)]
    poll(lambda: (in_use(proxy), waiting(proxy)) == (7, 33), "seven in use, and 33 that wait")
    for number in range(60):
        answer = proxy.connect(source=f"127.0.0.{3 + number % 20}").exchange(get(f"{URL}{number}"))
        assert (answer.status, answer.body) == (200, b"/%d" % number)
    assert proxy.sample("m2m_proxy_upstream_connections") == 8
    # A kept connection serves the requests of a client's connection without being made again.
    client = proxy.connect()
    made = [client.exchange(get(f"{URL}again")).status and proxy.sample("m2m_proxy_upstream_connections_opened_total")
            for _ in range(10)]
    assert made[1:] == made[1:2] * 9
    assert (in_use(proxy), waiting(proxy)) == (7, 33)
    for client in clients:
        client.close()
    poll(lambda: (in_use(proxy), waiting(proxy)) == (0, 0), "no connection in use")


def test_the_next_of_few_connections_goes_to_the_client_that_uses_fewest(start, origin, gates):
    proxy = start(loops=8, limits={"upstream_connections": 8})
    clients = take(proxy, origin, 20, 7)
    others = send(proxy, [f"/hold/other/{number}" for number in range(5)])
    origin.wait_for_requests(8)
    assert (in_use(proxy), waiting(proxy)) == (8, 17)
    for number in range(3):
        gates[f"/hold/{number}"].set()
    targets = [request.target for request in origin.wait_for_requests(11)[8:]]
    assert all(target.startswith(b"/hold/other/") for target in targets)
    poll(lambda: (in_use(proxy), waiting(proxy)) == (8, 14), "three more that are served")
    for gate in range(20):
        gates[f"/hold/{gate}"].set()
    for gate in range(5):
        gates[f"/hold/other/{gate}"].set()
    assert [client.answer().status for client in clients + others] == [200] * 25


def test_connections_that_one_loop_keeps_do_not_keep_others_waiting(start, origin):
    proxy = start(loops=8, limits={"upstream_connections": 2, "client_share": "off", "queue": 0})
    for number in range(40):
        assert proxy.connect(source=f"127.0.0.{2 + number % 3}").exchange(get(f"{URL}{number}")).status == 200
        assert proxy.sample("m2m_proxy_upstream_connections") <= 2


def test_tunnels_of_all_loops_count(start, origin):
    proxy = start({}, {"name": "tunnel", "match": origin.authority, "mount": None, "audience": None, "tunnel": "blind"},
                  loops=8, limits={"upstream_connections": 8}, timeouts={"connect": "500ms"})

    def tunnel(source=None):
        client = proxy.connect(source=source).send(get(origin.authority, method="CONNECT", host=origin.authority))
        return client.head().status, client

    opened = [tunnel(GREEDY) for _ in range(7)]
    assert [status for status, _ in opened] == [200] * 7
    assert [tunnel(GREEDY)[0] for _ in range(2)] == [503] * 2
    for _ in range(10):
        status, other = tunnel()
        assert status == 200
        other.close()
        poll(lambda: in_use(proxy) == 7, "one tunnel less")


# Who is a client.


def test_callers_are_clients_wherever_they_come_from(start, origin, gates):
    proxy = start({"callers": ["alice", "mallory", "anyone"]},
                  callers={name: with_password(name) for name in ["alice", "mallory", "anyone"]},
                  timeouts={"connect": "200ms"})
    take(proxy, origin, 14, 14, basic("mallory", "mallory"), source="127.0.0.1")
    assert proxy.connect(source="127.0.0.3").exchange(get(URL, basic("mallory", "mallory"))).status == 503
    assert proxy.connect().exchange(get(URL, basic("alice", "alice"))).status == 200


def test_a_balancers_clients_are_those_that_it_names(start, gates):
    proxy = start(listen=[{"address": "127.0.0.1:0", "proxy_protocol": ["127.0.0.1"]}], timeouts={"connect": "200ms"})

    def client(address):
        return proxy.connect().send(f"PROXY TCP4 {address} 192.0.2.99 40000 8080\r\n".encode())

    clients = [client("192.0.2.1").send(get(f"{URL}hold/x")) for _ in range(14)]
    poll(lambda: in_use(proxy) == 14, "14 connections in use")
    assert client("192.0.2.1").exchange(get(URL)).status == 503
    assert client("192.0.2.2").exchange(get(URL)).status == 200
    assert len(clients) == 14


# What a client is told that has its share.


def test_what_is_too_much_is_a_503_that_names_the_setting(start, origin, gates):
    proxy = start(timeouts={"connect": "200ms"})
    clients = take(proxy, origin, 14, 14)
    client = proxy.connect(source=GREEDY)
    answer = client.exchange(get(f"{URL}more"))
    assert (answer.status, answer.value("retry-after")) == (503, b"1")
    assert answer.proxy_status == (
        b'm2m-proxy; error=connection_limit_reached; details="connections of this client"')
    problem = json.loads(answer.body)
    assert problem["hop"] == "internal" and "limits.client_share" in problem["hint"]
    line, = proxy.requests_logged(1)
    assert line["error"] == "client_share" and line["client"].startswith(GREEDY)
    assert float(line["total"].removesuffix("ms")) >= 200
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="client_share") == 1
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="queue") == 0
    # Its connection is as good as before.
    gates["/hold/0"].set()
    assert clients[0].answer().status == 200
    assert client.exchange(get(f"{URL}again")).status == 200


def test_the_next_connection_goes_to_the_client_that_uses_fewest(start, origin, gates):
    proxy = start()
    clients = take(proxy, origin, 19, 14)
    others = send(proxy, [f"/hold/other/{number}" for number in range(3)])
    origin.wait_for_requests(16)
    assert (in_use(proxy), waiting(proxy)) == (16, 6)
    gates["/hold/0"].set()
    assert clients[0].answer().status == 200
    assert origin.wait_for_requests(17)[16].target == b"/hold/other/2"
    assert waiting(proxy) == 5
    assert len(others) == 3


def test_a_full_queue_has_room_for_a_client_with_fewer_requests(start, origin, gates):
    proxy = start(limits={"queue": 3})
    clients = take(proxy, origin, 17, 14)
    assert proxy.connect(source=GREEDY).exchange(get(f"{URL}18")).status == 503
    others = [proxy.connect().send(get(f"{URL}hold/other/{number}")) for number in range(3)]
    # The newest that waited gives way.
    refused = clients.pop().answer()
    assert refused.status == 503 and b"client_share" in refused.body
    poll(lambda: waiting(proxy) == 3, "three that wait")
    for number in range(3):
        gates[f"/hold/other/{number}"].set()
    assert [other.answer().status for other in others] == [200] * 3
    assert {line["error"] for line in proxy.requests_logged(5) if "error" in line} == {"client_share"}
    for number in range(16):
        gates[f"/hold/{number}"].set()
    assert [client.answer().status for client in clients] == [200] * 16


# How it is set.


def test_without_it_one_client_has_all_and_requests_are_served_in_their_order(start, origin, gates):
    proxy = start(limits={"client_share": "off"}, timeouts={"connect": "5s"})
    clients = take(proxy, origin, 18, 16)
    other = proxy.connect().send(get(f"{URL}other"))
    poll(lambda: waiting(proxy) == 3, "three that wait")
    for number in [0, 16, 17]:
        gates[f"/hold/{number}"].set()
    assert other.answer().status == 200
    assert [request.target for request in origin.requests[16:]] == [b"/hold/16", b"/hold/17", b"/other"]
    assert clients[0].answer().status == 200


def test_a_route_may_have_another_one(start, origin, gates):
    proxy = start({"client_share": "50%"},
                  NONE | {"name": "all", "match": "all.internal", "mount": None, "forward_to": origin.url, "client_share": "off"})
    take(proxy, origin, 10, 8)
    # The same upstream, by a route without a share.
    clients = [proxy.connect(source=GREEDY).send(get(f"http://all.internal/hold/all/{number}")) for number in range(8)]
    poll(lambda: (in_use(proxy), waiting(proxy)) == (16, 2), "all connections in use")
    assert len(clients) == 8


# Requests under way.


def test_places_of_a_route_are_shared_with_client_share(start, origin, gates):
    proxy = start({"concurrency": {"requests": 10, "wait": "300ms", "client_share": "50%"}}, loops=2)
    clients = [proxy.connect(source=GREEDY).send(get(f"{URL}hold/x")) for _ in range(6)]
    poll(lambda: proxy.sample("m2m_proxy_concurrency_in_flight") == 5, "five under way")
    assert [proxy.connect().exchange(get(f"{URL}{number}")).status for number in range(10)] == [200] * 10
    line = next(line for line in proxy.requests_logged(11) if line["status"] == "503")
    assert line["error"] == "concurrency_client_share" and line["client"].startswith(GREEDY)
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="concurrency.client_share") == 1
    assert len(origin.requests) == 15 and len(clients) == 6


def test_places_of_a_route_go_to_the_first_request_without_client_share(start, origin, gates):
    proxy = start({"concurrency": {"requests": 4, "queue": 3}})
    clients = [proxy.connect(source=GREEDY).send(get(f"{URL}hold/x")) for _ in range(7)]
    poll(lambda: proxy.sample("m2m_proxy_concurrency_waiting") == 3, "three that wait")
    answer = proxy.connect().exchange(get(URL))
    assert answer.status == 503 and proxy.requests_logged(1)[0]["error"] == "concurrency_queue"
    assert len(clients) == 7
