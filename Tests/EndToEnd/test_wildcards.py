"""Wildcards in match: which requests they take."""

import json

import pytest

from harness.client import get
from harness.origin import RawOrigin


@pytest.fixture
def other():
    server = RawOrigin()
    yield server
    server.stop()


@pytest.mark.parametrize("target, taken", [
    ("http://a.wild.example/x", True), ("http://a.b.wild.example/x", True), ("http://A.Wild.EXAMPLE./x", True),
    ("http://a.wild.example:443/x", True), ("https://a.wild.example/x", True),
    ("http://wild.example/x", False), ("http://awild.example/x", False), ("http://a.wild.example:81/x", False),
    ("http://a.wild.example.evil.example/x", False), ("http://127.0.0.1/x", False), ("http://[::1]/x", False),
])
def test_a_wildcard_takes_the_hosts_below_its_domain(start_proxy, origin, authlib, target, taken):
    proxy = start_proxy({"match": "*.wild.example", "forward_to": origin.url})
    answer = proxy.connect().exchange(get(target))
    if taken:
        assert answer.status == 200
        request = origin.wait_for_requests(1)[0]
        assert (request.target, request.value("host")) == (b"/x", origin.authority.encode())
        assert request.value("authorization") == f"Bearer {authlib.tokens[0]}".encode()
    else:
        assert answer.status == 403 and json.loads(answer.body)["hop"] == "policy"
        assert origin.requests == [] and authlib.fetches == []


def test_the_refusal_for_the_bare_domain_mentions_the_wildcard(start_proxy, origin):
    proxy = start_proxy({"match": "*.wild.example", "forward_to": origin.url})
    problem = json.loads(proxy.connect().exchange(get("http://wild.example/")).body)
    assert problem["detail"] == ("No route in proxy.conf matches wild.example. "
                                 "The most similar one known is *.wild.example.")


def test_a_host_that_is_written_out_keeps_its_paths_to_itself(other, start_proxy, origin):
    proxy = start_proxy(
        {"name": "wide", "match": "*.wild.example", "mount": None, "forward_to": origin.url},
        {"name": "narrow", "match": "a.wild.example/api/", "mount": None, "forward_to": other.url})
    client = proxy.connect()
    assert client.exchange(get("http://b.wild.example/api/x")).status == 200
    assert client.exchange(get("http://a.wild.example/api/x")).status == 200
    assert (len(origin.requests), len(other.requests)) == (1, 1)
    assert client.exchange(get("http://a.wild.example/admin")).status == 403
    assert (len(origin.requests), len(other.requests)) == (1, 1)


def test_a_browser_is_not_let_in_by_a_name_below_a_wildcard(start_proxy, origin):
    proxy = start_proxy({"match": ["*.wild.example", "b.wild.example"], "forward_to": origin.url})
    client = proxy.connect()
    assert client.exchange(get("/api/x", host="b.wild.example")).status == 200
    answer = client.exchange(get("/api/x", host="a.wild.example"))
    assert answer.status == 403 and "DNS rebinding" in json.loads(answer.body)["detail"]
    assert len(origin.requests) == 1
