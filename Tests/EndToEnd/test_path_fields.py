"""Fields that carry a path do not get round the rules that a path decides about."""

import json

import pytest

from harness.client import get


@pytest.fixture
def proxy(start_proxy, origin):
    route = {"forward_to": origin.url}
    return start_proxy(
        route | {"name": "all", "match": "api.internal", "mount": "/api"},
        route | {"name": "admin", "match": "api.internal/admin", "mount": "/api/admin", "allow": "10.9.9.9"},
        route | {"name": "based", "mount": "/based", "match": "based.internal", "forward_to": f"{origin.url}/base"},
        route | {"name": "rules", "mount": "/rules", "match": "rules.internal", "paths": "/public/"},
        route | {"name": "free", "mount": "/free", "match": "free.internal"})


def send(proxy, target, *fields, method="GET"):
    return proxy.connect().exchange(get(target, *fields, method=method), method)


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL", "x_original_url"])
@pytest.mark.parametrize("target, passes", [
    ("http://api.internal/x", False), ("/api/x", False), ("/based/x", False), ("http://based.internal/x", False),
    ("/rules/public/x", False), ("/free/x", True), ("http://free.internal/x", True)])
def test_a_field_that_replaces_the_path_passes_only_where_no_path_decides(proxy, origin, name, target, passes):
    before = len(origin.requests)
    assert send(proxy, target, f"{name}: /admin").status == (200 if passes else 403)
    assert len(origin.requests) == before + passes


INSIDE = [
    ("http://api.internal/a", "http://api.internal/b"), ("http://api.internal/a", "/b?x=/admin"),
    ("http://api.internal/a", "https://API.internal:8443/b%20c"), ("/api/a", "/b"), ("/based/a", "/base/b"),
    ("http://based.internal/a", "http://upstream/base/b"), ("/based/a", "/base"), ("/rules/public/a", "/public/b%2Fc"),
    ("/free/a", "anything at all"), ("http://free.internal/a", "/../admin"),
]
OUTSIDE = [
    ("http://api.internal/a", "http://api.internal/admin/x"), ("http://api.internal/a", "/%61dmin"),
    ("http://api.internal/a", "http://other//admin"), ("http://api.internal/a", "HTTP://api.internal/x/../admin"),
    ("http://api.internal/a", "admin"), ("http://api.internal/a", ""), ("http://api.internal/a", "ftp://h/x"),
    ("/api/a", "/admin"), ("/api/a", "/x/..%2fadmin"), ("/based/a", "/b"), ("/based/a", "/base/../b"),
    ("/based/a", "/basement/b"), ("/based/a", "/base%2f..%2fb"), ("/rules/public/a", "/private"),
    ("/rules/public/a", "http://h/public/..;/private"), ("/rules/public/a", "http://h"),
]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("target, destination", INSIDE)
def test_a_destination_within_the_route_goes_on(proxy, origin, method, target, destination):
    assert send(proxy, target, f"Destination: {destination}", method=method).status == 200
    assert origin.requests[-1].values("destination") == [destination.encode()]


@pytest.mark.parametrize("method", ["COPY", "MOVE", "move"])
@pytest.mark.parametrize("target, destination", OUTSIDE)
def test_a_destination_elsewhere_is_refused(proxy, origin, method, target, destination):
    answer = send(proxy, target, f"Destination: {destination}", method=method)
    assert answer.status == 403 and json.loads(answer.body)["hop"] == "policy"
    assert origin.requests == [] and proxy.requests_logged(1)[0]["error"] == "override_field"


def test_a_destination_means_nothing_to_other_methods(proxy, origin):
    assert send(proxy, "http://api.internal/a", "Destination: /admin").status == 200
