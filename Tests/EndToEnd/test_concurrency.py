"""A route sends its API so many requests at once, all event loops together; the others wait for their turn."""

import signal
import threading

import pytest

from harness.client import get, post
from harness.waiting import poll

IN_FLIGHT = "m2m_proxy_concurrency_in_flight"
WAITING = "m2m_proxy_concurrency_waiting"


@pytest.fixture
def gate(origin):
    """Requests for /hold are answered when the test says so; all others at once."""
    gate = threading.Event()

    def script(connection):
        while not connection.at_end():
            if connection.request().target.startswith(b"/hold"):
                connection.hold(gate)
            connection.answer()

    origin.otherwise = script
    yield gate
    gate.set()


def start(start_proxy, origin, concurrency, settings={}, **more):
    return start_proxy(
        {"forward_to": origin.url, "credentials": "none", "audience": None, "concurrency": concurrency, **more},
        **settings)


def figures(proxy) -> tuple[float, float]:
    return proxy.sample(IN_FLIGHT, route="api"), proxy.sample(WAITING, route="api")


def wait_for(proxy, in_flight: int, waiting: int) -> None:
    poll(lambda: figures(proxy) == (in_flight, waiting), f"{in_flight} under way and {waiting} that wait")


def occupy(proxy, origin, count: int) -> list:
    clients = [proxy.connect().send(get(f"http://api.internal/hold/{number}")) for number in range(count)]
    origin.wait_for_requests(count)
    return clients


def test_the_api_never_sees_more_at_once_and_all_are_served_in_their_order(start_proxy, origin, gate):
    proxy = start(start_proxy, origin, 2, settings={"loops": 2})
    clients = occupy(proxy, origin, 2)
    for number in range(20):
        clients.append(proxy.connect().send(get(f"http://api.internal/{number}")))
        wait_for(proxy, 2, number + 1)
    assert len(origin.requests) == 2
    gate.set()
    assert [client.answer().status for client in clients] == [200] * 22
    wait_for(proxy, 0, 0)
    waited = [line for line in proxy.requests_logged(22) if "queued" in line]
    assert len(waited) == 20 and all(line["queued"].endswith("ms") for line in waited)
    assert proxy.sample("m2m_proxy_concurrency_wait_seconds_count", route="api") == 20
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="concurrency") == 20


def test_the_request_that_waited_longest_is_next(start_proxy, origin, gate):
    proxy = start(start_proxy, origin, 1)
    clients = occupy(proxy, origin, 1)
    for number in range(12):
        clients.append(proxy.connect().send(get(f"http://api.internal/{number}")))
        wait_for(proxy, 1, number + 1)
    gate.set()
    assert [client.answer().status for client in clients] == [200] * 13
    assert [request.target for request in origin.requests[1:]] == [b"/%d" % number for number in range(12)]


def test_a_full_queue_is_a_503_that_names_the_setting(start_proxy, origin, gate):
    proxy = start(start_proxy, origin, {"requests": 1, "queue": 1})
    occupy(proxy, origin, 1)
    proxy.connect().send(get("http://api.internal/"))
    wait_for(proxy, 1, 1)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 503 and b"concurrency" in answer.body
    assert (answer.value("retry-after"), answer.proxy_status) == (
        b"1", b'm2m-proxy; error=connection_limit_reached; details="concurrency"')
    assert proxy.requests_logged(1)[0]["error"] == "concurrency_queue"
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="concurrency.queue") == 1
    assert len(origin.requests) == 1


def test_waiting_too_long_is_a_503_and_gives_up_the_place_in_the_queue(start_proxy, origin, gate):
    proxy = start(start_proxy, origin, {"requests": 1, "queue": 1, "wait": "50ms"})
    client, = occupy(proxy, origin, 1)
    for _ in range(3):
        answer = proxy.connect().exchange(get("http://api.internal/"))
        assert answer.status == 503 and b"concurrency" in answer.body
    assert figures(proxy) == (1, 0)
    assert {line["error"] for line in proxy.requests_logged(3)} == {"concurrency_wait"}
    gate.set()
    assert client.answer().status == 200
    wait_for(proxy, 0, 0)


def test_a_client_that_leaves_gives_up_its_place_at_once(start_proxy, origin, gate):
    proxy = start(start_proxy, origin, {"requests": 1, "queue": 2})
    client, = occupy(proxy, origin, 1)
    leaving = proxy.connect().send(post("http://api.internal/", b"x"))
    wait_for(proxy, 1, 1)
    staying = proxy.connect().send(get("http://api.internal/stays"))
    wait_for(proxy, 1, 2)
    leaving.close()
    wait_for(proxy, 1, 1)
    # One whose request is under way does, too.
    client.close()
    assert staying.answer().status == 200
    wait_for(proxy, 0, 0)
    assert [request.target for request in origin.requests] == [b"/hold/0", b"/stays"]


def ends_badly(connection):
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


def resets(connection):
    connection.request()
    connection.reset()


def talks_nonsense(connection):
    connection.request()
    connection.send(b"nonsense\r\n\r\n")


@pytest.mark.parametrize("script", [ends_badly, resets, talks_nonsense], ids=lambda script: script.__name__)
def test_a_request_that_fails_gives_its_place_back(start_proxy, origin, script):
    proxy = start(start_proxy, origin, 1)
    origin.script(script, script)
    for _ in range(2):
        proxy.connect().send(get("http://api.internal/")).head()
        wait_for(proxy, 0, 0)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200


def test_a_response_of_the_proxy_itself_gives_its_place_back(start_proxy, origin, authlib, refusing_port):
    proxy = start_proxy(
        {"forward_to": origin.url, "concurrency": 1},
        {"name": "down", "match": "down.internal", "mount": None, "forward_to": f"http://127.0.0.1:{refusing_port}",
         "credentials": "none", "audience": None, "concurrency": 1})
    authlib.answer(500, "broken")
    client = proxy.connect()
    for host in ["api", "down", "api", "down"]:
        assert client.exchange(get(f"http://{host}.internal/")).status in (502, 503)
        poll(lambda: proxy.sample(IN_FLIGHT) == 0, "no request under way")


def test_a_request_that_is_sent_again_keeps_its_place(start_proxy, origin, authlib):
    seen = []

    def script(connection):
        while not connection.at_end():
            connection.request()
            seen.append(figures(proxy))
            connection.answer(b"no", "401 Unauthorized") if len(seen) == 1 else connection.answer()

    proxy = start_proxy({"forward_to": origin.url, "concurrency": 1})
    origin.otherwise = script
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert seen == [(1, 0), (1, 0)]
    wait_for(proxy, 0, 0)


def test_total_time_includes_the_wait(start_proxy, origin, gate):
    proxy = start(start_proxy, origin, 1, timeouts={"total": "2s"})
    client, = occupy(proxy, origin, 1)
    waiting = proxy.connect().send(get("http://api.internal/hold/waiting"))
    wait_for(proxy, 1, 1)
    assert [client.answer().status, waiting.answer().status] == [504, 504]
    lines = {line["path"]: line for line in proxy.requests_logged(2)}
    assert "queued" in lines["/hold/waiting"] and float(lines["/hold/waiting"]["total"].removesuffix("ms")) < 4000
    wait_for(proxy, 0, 0)


def test_those_that_wait_when_the_proxy_stops_are_served(start_proxy, origin, gate):
    proxy = start(start_proxy, origin, 1)
    client, = occupy(proxy, origin, 1)
    waiting = proxy.connect().send(get("http://api.internal/"))
    wait_for(proxy, 1, 1)
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("draining: 2 requests")
    gate.set()
    assert [client.answer().status, waiting.answer().status] == [200, 200]
    assert proxy.wait() == 0
