"""An API that says 429, and when to come again: the request waits if that is soon enough, and is sent again."""

import signal
import time
from email.utils import formatdate

import pytest

from harness.client import get, post
from harness.waiting import poll

WAITING = "m2m_proxy_throttled_waiting"
REPLAYED = "m2m_proxy_requests_replayed_total"


def start(start_proxy, origin, **more):
    route = {"forward_to": origin.url, "credentials": "none", "audience": None, "throttled": {"wait": "2s", "attempts": 1}}
    return start_proxy(route | more)


def throttle(origin, *fields: str, times: int = 1, status: str = "429 Too Many Requests") -> None:
    """The first requests get `status`, all others 200 with what they brought."""
    def script(connection):
        while not connection.at_end():
            request = connection.request()
            if len(origin.requests) <= times:
                connection.answer(b"slower!", status, *fields)
            else:
                connection.answer(request.body or b"fine")

    origin.otherwise = script


@pytest.mark.parametrize("field", ["RateLimit-Reset: 1", "Retry-After: 1", "ratelimit-reset: 0", "Retry-After: 0"])
@pytest.mark.parametrize("request_bytes", [get("http://api.internal/"), post("http://api.internal/", b"x" * 1000)],
                         ids=["get", "post"])
def test_a_throttled_request_waits_and_is_sent_again(start_proxy, origin, field, request_bytes):
    throttle(origin, field)
    proxy = start(start_proxy, origin)
    began = time.monotonic()
    answer = proxy.connect().exchange(request_bytes)
    assert answer.status == 200 and answer.body in (b"fine", b"x" * 1000)
    assert len(origin.requests) == 2 and len(origin.connections) == 1
    # Never earlier than the API said.
    assert time.monotonic() - began >= float(field[-1])
    assert proxy.sample(REPLAYED, route="api", cause="429") == 1
    line = proxy.requests_logged(1)[0]
    assert line["replayed"] == "429" and ("throttled" in line or field.endswith("0"))


def test_a_date_counts_from_the_responses_own_date(start_proxy, origin):
    # That clock is an hour slow.
    throttle(origin, f"Retry-After: {formatdate(1_000_001, usegmt=True)}", f"Date: {formatdate(1_000_000, usegmt=True)}")
    proxy = start(start_proxy, origin)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200


@pytest.mark.parametrize("fields", [
    [], ["RateLimit-Reset: 3"], ["Retry-After: 60"], ["Retry-After: soon"], ["Retry-After: -1"],
    ["RateLimit-Reset: 1", "Retry-After: 60"],
    # Each worker collects the tests at a time of its own, and their names have to be the same.
    pytest.param([f"Retry-After: {formatdate(time.time() + 3600, usegmt=True)}"], id="a date in an hour"),
], ids=str)
def test_a_wait_that_is_too_long_or_not_known_is_the_clients(start_proxy, origin, fields):
    throttle(origin, *fields)
    proxy = start(start_proxy, origin)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert (answer.status, answer.body) == (429, b"slower!")
    assert {f"{name.decode()}: {value.decode()}" for name, value in answer.fields} >= set(fields)
    assert len(origin.requests) == 1 and proxy.sample(REPLAYED) == 0


@pytest.mark.parametrize(("attempts", "times", "status"), [(1, 2, 429), (2, 2, 200), (3, 9, 429)])
def test_after_the_last_attempt_the_client_gets_the_response(start_proxy, origin, attempts, times, status):
    throttle(origin, "Retry-After: 0", times=times)
    proxy = start(start_proxy, origin, throttled={"attempts": attempts})
    assert proxy.connect().exchange(post("http://api.internal/", b"content")).status == status
    assert len(origin.requests) == attempts + 1
    assert all(request.body == b"content" for request in origin.requests)
    assert proxy.requests_logged(1)[0]["replayed"] == ",".join(["429"] * attempts)


@pytest.mark.parametrize(("method", "fields", "status"), [
    ("GET", ["Retry-After: 0"], 200), ("PUT", ["RateLimit-Reset: 0"], 200), ("GET", [], 503),
    ("POST", ["Retry-After: 0"], 503), ("PATCH", ["Retry-After: 0"], 503)])
def test_a_503_counts_if_it_has_a_delay_and_the_method_may_be_retried(start_proxy, origin, method, fields, status):
    throttle(origin, *fields, status="503 Service Unavailable")
    proxy = start(start_proxy, origin)
    request = get("http://api.internal/") if method == "GET" else post("http://api.internal/", b"x", method=method)
    assert proxy.connect().exchange(request).status == status
    assert len(origin.requests) == (2 if status == 200 else 1)


def test_a_route_that_does_not_ask_for_it_does_not_wait(start_proxy, origin):
    throttle(origin, "Retry-After: 0")
    proxy = start(start_proxy, origin, throttled=None)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 429


def test_content_that_was_not_kept_is_not_sent_again(start_proxy, origin):
    throttle(origin, "Retry-After: 0")
    proxy = start(start_proxy, origin, replay_buffer=10)
    assert proxy.connect().exchange(post("http://api.internal/", b"x" * 11)).status == 429


def wait_for_one(proxy) -> None:
    poll(lambda: proxy.sample(WAITING, route="api") == 1, "a request that waits")


def test_a_client_that_leaves_is_not_waited_for(start_proxy, origin):
    throttle(origin, "Retry-After: 60")
    proxy = start(start_proxy, origin, throttled={"wait": "60s"})
    client = proxy.connect().send(get("http://api.internal/"))
    wait_for_one(proxy)
    client.close()
    poll(lambda: proxy.sample(WAITING, route="api") == 0, "no waiting request")
    assert proxy.requests_logged(1)[0]["error"] == "client_gone"
    assert len(origin.requests) == 1


def test_stopping_ends_the_wait_and_the_client_gets_the_response(start_proxy, origin):
    throttle(origin, "Retry-After: 60")
    proxy = start(start_proxy, origin, throttled={"wait": "60s"})
    client = proxy.connect().send(get("http://api.internal/"))
    wait_for_one(proxy)
    proxy.signal(signal.SIGTERM)
    answer = client.answer()
    assert (answer.status, answer.body, answer.value("retry-after")) == (429, b"slower!", b"60")
    assert proxy.wait() == 0


def test_a_wait_beyond_the_total_time_is_not_begun(start_proxy, origin):
    throttle(origin, "Retry-After: 30")
    proxy = start(start_proxy, origin, throttled={"wait": "60s"}, timeouts={"total": "20s"})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 429
    assert proxy.sample(REPLAYED) == 0


def test_a_token_may_be_replaced_after_the_wait(start_proxy, origin, authlib):
    answers = [("429 Too Many Requests", ["Retry-After: 0"]), ("401 Unauthorized", []), ("200 OK", [])]

    def script(connection):
        while not connection.at_end():
            request = connection.request()
            status, fields = answers[len(origin.requests) - 1]
            connection.answer(request.body, status, *fields)

    origin.otherwise = script
    proxy = start_proxy({"forward_to": origin.url, "throttled": {"wait": "1s"}})
    answer = proxy.connect().exchange(post("http://api.internal/", b"content"))
    assert (answer.status, answer.body) == (200, b"content")
    assert proxy.requests_logged(1)[0]["replayed"] == "429,401"
    assert len(authlib.fetches) == 2
