"""The section `upstream`: how long connections to an upstream are kept, and what the upstream itself says of that."""

import time

import pytest

from harness.client import get, post
from harness.ntlm import ConnectionAuthentication, log_on
from test_upgrade import handshake

URL = "http://api.internal/"


@pytest.fixture
def start(start_proxy, origin):
    """Starts a proxy with one loop, so that one pool serves every client."""
    def start(route=None, **settings):
        return start_proxy({"forward_to": origin.url} | (route or {}), loops=1, **settings)
    return start


def connections_of(origin, proxy, requests: int) -> int:
    """How many connections the origin has had after `requests` requests, one after the other."""
    client = proxy.connect()
    for number in range(requests):
        assert client.exchange(get(f"{URL}{number}")).status == 200
    return len(origin.connections)


# reuse


@pytest.mark.parametrize("where", ["top", "route"])
def test_without_reuse_each_request_has_a_connection_with_connection_close(start, origin, where):
    setting = {"upstream": {"reuse": "off"}}
    proxy = start(**setting) if where == "top" else start(setting)
    assert connections_of(origin, proxy, 3) == 3
    assert [request.values("connection") for request in origin.requests] == [[b"close"]] * 3
    assert [line["upstream"] for line in proxy.requests_logged(3)] == ["new"] * 3
    origin.wait_for_finished(3)


def test_with_reuse_there_is_no_connection_field(start, origin):
    assert connections_of(origin, start(), 3) == 1
    assert [request.values("connection") for request in origin.requests] == [[]] * 3


def test_without_reuse_a_post_never_uses_a_silently_closed_connection(start, origin):
    def silent(connection):
        connection.request()
        connection.answer()
        connection.expect_close()  # A second request would be lost.

    origin.otherwise = silent
    proxy = start({"upstream": {"reuse": "off"}})
    client = proxy.connect()
    answers = [client.exchange(post(f"{URL}{number}", b"pay"), "POST").status for number in range(5)]
    assert answers == [200] * 5 and len(origin.requests) == 5


def test_without_reuse_a_protocol_can_change(start, origin):
    origin.script(lambda connection: connection.switch())
    client = start({"upstream": {"reuse": "off"}}).connect()
    client.send(handshake(URL)).switched()
    assert origin.requests[0].values("connection") == [b"Upgrade"]


def test_without_reuse_a_client_can_log_on_to_its_connection(start, origin):
    origin.otherwise = ConnectionAuthentication()
    proxy = start({"upstream": {"reuse": "off"}, "credentials": "none", "audience": None})
    client = proxy.connect()
    assert log_on(client, "alice").status == 200
    assert client.exchange(get(f"{URL}mail")).status == 200
    assert len(origin.connections) == 1


# max_requests and max_age


def test_a_connection_serves_max_requests(start, origin):
    assert connections_of(origin, start({"upstream": {"max_requests": 2}}), 5) == 3


def test_a_connection_that_is_too_old_is_closed_when_its_request_has_ended(start, origin):
    # Older than a millisecond when the response has been read: the origin waits for longer than that.
    def slow(connection):
        connection.request()
        time.sleep(0.02)
        connection.answer()
        connection.expect_close()

    origin.otherwise = slow
    assert connections_of(origin, start({"upstream": {"max_age": "1ms"}}), 2) == 2
    origin.wait_for_finished(2)


def test_an_idle_connection_is_closed_at_its_age(start, origin):
    proxy = start({"upstream": {"max_age": "300ms", "idle": "24h"}})
    assert connections_of(origin, proxy, 1) == 1
    origin.wait_for_finished(1)
    assert connections_of(origin, proxy, 1) == 2


def test_routes_with_other_settings_have_connections_of_their_own(start_proxy, origin):
    proxy = start_proxy(
        {"name": "a", "mount": "/a", "match": None, "forward_to": origin.url},
        {"name": "b", "mount": "/b", "match": None, "forward_to": origin.url, "upstream": {"max_requests": 1}},
        {"name": "c", "mount": "/c", "match": None, "forward_to": origin.url}, loops=1)
    client = proxy.connect()
    for path in ["/a/1", "/b/2", "/c/3", "/b/4"]:
        assert client.exchange(get(path, host=proxy.url.removeprefix("http://"))).status == 200
    on = {request.target: number for number, each in enumerate(origin.connections)
          for request in origin.requests if request.head in each.received}
    assert on[b"/1"] == on[b"/3"] and len({on[b"/1"], on[b"/2"], on[b"/4"]}) == 3


# Keep-Alive


def announcing(*fields: str):
    def script(connection):
        while not connection.at_end():
            connection.request()
            connection.answer(b"ok", "200 OK", *fields)
    return script


def test_an_announced_number_of_requests_is_not_exceeded(start, origin):
    # As httpd counts: how many more it accepts.
    def counting(connection):
        for left in [1, 0]:
            if connection.at_end():
                return
            connection.request()
            connection.answer(b"ok", "200 OK", f"Keep-Alive: timeout=60, max={left}", "Connection: Keep-Alive")
        connection.expect_close()

    origin.otherwise = counting
    assert connections_of(origin, start(), 5) == 3


def test_an_announced_time_is_obeyed_with_a_second_to_spare(start, origin):
    origin.otherwise = announcing("Keep-Alive: timeout=2")
    proxy = start({"upstream": {"idle": "24h"}})
    assert connections_of(origin, proxy, 2) == 1
    # The proxy closes it: the origin's script waits for that.
    origin.wait_for_finished(1)


@pytest.mark.parametrize("field", ["timeout=1", "timeout=0", "max=0", "TIMEOUT=1 , max=100", "max=100,timeout=1"])
def test_a_connection_that_may_end_at_once_is_not_kept(start, origin, field):
    origin.otherwise = announcing(f"Keep-Alive: {field}")
    assert connections_of(origin, start(), 3) == 3


@pytest.mark.parametrize("field", ["timeout=", "timeout=5s", "timeout=-1", "max=x", "timeouts=0", "0", "", "timeout=9999999999"])
def test_an_unreadable_keep_alive_field_is_ignored(start, origin, field):
    origin.otherwise = announcing(f"Keep-Alive: {field}")
    assert connections_of(origin, start(), 3) == 1


# via


@pytest.mark.parametrize("value, names", [("on", 1), ("off", 0)])
def test_via_goes_to_the_upstream_unless_it_is_off(start, origin, value, names):
    proxy = start({"via": value})
    answer = proxy.connect().exchange(get(URL))
    assert len(origin.requests[0].values("via")) == names
    # The client is told in any case.
    assert len(answer.values("via")) == 1


def test_via_of_others_is_forwarded_where_it_is_off(start, origin):
    start({"via": "off"}).connect().exchange(get(URL, "Via: 1.1 other"))
    assert origin.requests[0].values("via") == [b"1.1 other"]


def test_with_via_off_a_request_to_a_listener_of_the_proxy_is_still_a_loop(start_proxy, free_port):
    proxy = start_proxy({"forward_to": f"http://127.0.0.1:{free_port}/api", "via": "off"},
                        listen=[f"127.0.0.1:{free_port}"])
    assert proxy.connect().exchange(get("/api/x")).status == 508


def test_a_connection_that_a_client_has_logged_on_to_has_no_age(start, origin):
    origin.otherwise = ConnectionAuthentication()
    proxy = start({"upstream": {"max_age": "1ms", "max_requests": 1}, "credentials": "none", "audience": None})
    client = proxy.connect()
    assert log_on(client, "alice").status == 200
    before = len(origin.connections)
    time.sleep(0.02)
    for _ in range(3):
        assert client.exchange(get(f"{URL}mail")).body == b"alice /mail"
    assert len(origin.connections) == before
