"""All connections to the upstream in use: waiting has an end, and the metrics show who waits."""

import json
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.client import get
from harness.waiting import poll


def figures(proxy, upstream: str) -> tuple[int, int, int]:
    """Connections open and idle, and requests that wait."""
    values = {sample.name: sample.value for family in text_string_to_metric_families(proxy.metrics())
              for sample in family.samples if sample.labels.get("upstream") == upstream and "address" not in sample.labels}
    assert set(values) == {"m2m_proxy_upstream_connections", "m2m_proxy_upstream_connections_idle",
                           "m2m_proxy_upstream_connections_pinned", "m2m_proxy_upstream_requests_waiting"}
    assert values.pop("m2m_proxy_upstream_connections_pinned") == 0
    return tuple(int(values[name]) for name in sorted(values))


@pytest.fixture
def go(origin):
    """The origin answers nothing until this is set."""
    event = threading.Event()

    def slow(connection):
        while not connection.at_end():
            connection.request()
            connection.hold(event)
            connection.answer()

    origin.otherwise = slow
    yield event
    event.set()


def test_the_metrics_show_connections_and_requests_that_wait_for_one(start_proxy, origin, go):
    proxy = start_proxy({"forward_to": origin.url}, {
        "name": "same", "match": "same.internal", "mount": "/same", "forward_to": f"{origin.url}/base"},
        loops=1, limits={"upstream_connections": 2, "queue": 5})
    assert figures(proxy, origin.url) == (0, 0, 0)
    busy = [proxy.connect().send(get("http://api.internal/x")) for _ in range(2)]
    origin.wait_for_requests(2)
    assert figures(proxy, origin.url) == (2, 0, 0)
    # Two routes to one origin have one pool, and one series.
    waiting = [proxy.connect().send(get("http://same.internal/x")) for _ in range(3)]
    poll(lambda: figures(proxy, origin.url) == (2, 0, 3), "three requests that wait")
    waiting.pop().close()
    poll(lambda: figures(proxy, origin.url) == (2, 0, 2), "one of them gone")
    go.set()
    assert [client.answer().status for client in busy + waiting] == [200] * 4
    poll(lambda: figures(proxy, origin.url) == (2, 2, 0), "two idle connections")
    for connection in origin.connections:
        connection.end()
    poll(lambda: figures(proxy, origin.url) == (0, 0, 0), "no connection")


@pytest.mark.parametrize("loops", [1, 3])
def test_the_metrics_of_all_loops_are_one_series(start_proxy, origin, loops):
    proxy = start_proxy({"forward_to": origin.url}, loops=loops)
    assert all(proxy.connect().exchange(get("http://api.internal/x")).status == 200 for _ in range(20))
    poll(lambda: figures(proxy, origin.url) == (len(origin.connections), len(origin.connections), 0), "idle connections")
    assert proxy.metrics().count("m2m_proxy_upstream_connections{") == 1


def test_an_unreachable_upstream_leaves_no_metrics_behind(start_proxy, refusing_port):
    upstream = f"http://127.0.0.1:{refusing_port}"
    proxy = start_proxy({"forward_to": upstream}, loops=1)
    assert proxy.connect().exchange(get("http://api.internal/x")).status == 502
    assert figures(proxy, upstream) == (0, 0, 0)


def test_waiting_for_a_connection_ends_with_the_time_for_connecting(start_proxy, origin, go):
    proxy = start_proxy({"forward_to": origin.url}, loops=1, limits={"upstream_connections": 1},
                        timeouts={"connect": "200ms"})
    busy = proxy.connect().send(get("http://api.internal/x"))
    origin.wait_for_requests(1)
    client = proxy.connect()
    answer = client.exchange(get("http://api.internal/y"))
    assert (answer.status, answer.value("retry-after")) == (503, b"1")
    assert answer.proxy_status == b"m2m-proxy; error=connection_limit_reached"
    assert json.loads(answer.body)["hop"] == "upstream"
    waited = proxy.requests_logged(1)[0]["total"]
    assert waited.endswith("ms") and 200 <= float(waited.removesuffix("ms")) < 1000, waited
    go.set()
    assert busy.answer().status == 200
    # The client's connection is as good as before.
    assert client.exchange(get("http://api.internal/z")).status == 200
    assert [request.target for request in origin.requests] == [b"/x", b"/z"]
