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
        route | {"name": "free", "mount": "/free", "match": "free.internal"},
        route | {"name": "single", "mount": None, "match": "single.internal/api/"},
        route | {"name": "wildcard", "mount": None, "match": "*.wild.internal/api"},
        route | {"name": "port", "mount": None, "match": "port.internal:8081/api"},
        route | {"name": "swift", "mount": None, "match": "swift.internal"},
        route | {"name": "private", "mount": None, "match": "swift.internal/v1/a/private"})


def send(proxy, target, *fields, method="GET"):
    return proxy.connect().exchange(get(target, *fields, method=method), method)


ROUTES = [
    ("http://api.internal/x", False), ("/api/x", False), ("/based/x", False), ("http://based.internal/x", False),
    ("/rules/public/x", False), ("http://single.internal/api/x", False), ("http://port.internal:8081/api/x", False),
    ("/free/x", True), ("http://free.internal/x", True)]


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL", "x_original_url"])
@pytest.mark.parametrize("target, passes", ROUTES)
def test_a_field_that_replaces_the_path_passes_only_where_no_path_decides(proxy, origin, name, target, passes):
    before = len(origin.requests)
    assert send(proxy, target, f"{name}: /admin").status == (200 if passes else 403)
    assert len(origin.requests) == before + passes


@pytest.mark.parametrize("name", [
    "SCRIPT_NAME", "Script-Name", "PATH_INFO", "Path-Info", "path.info", "REQUEST_URI", "X-Script-Name", "X_Script_Name",
    "X-Original-Uri", "X-Forwarded-Uri", "X-HTTP-DestinationURL", "X-Accel-Mapping"])
@pytest.mark.parametrize("target, passes", [ROUTES[0], ROUTES[5], ROUTES[-1]])
def test_variables_of_wsgi_and_fields_of_proxies_pass_only_there_too(proxy, origin, name, target, passes):
    answer = send(proxy, target, f"{name}: /x")
    assert answer.status == (200 if passes else 403) and len(origin.requests) == passes
    if not passes:
        assert proxy.requests_logged(1)[0]["error"] == "override_field" and name in json.loads(answer.body)["detail"]


def test_a_wildcard_with_a_path_is_a_choice_by_path(proxy, origin):
    answer = send(proxy, "http://a.wild.internal/api/x", "X-Original-URL: /admin")
    assert answer.status == 403 and proxy.requests_logged(1)[0]["error"] == "override_field"


@pytest.mark.parametrize("target, prefix, passes", [
    ("http://api.internal/x", "/shop", True), ("http://api.internal/shop/x", "/shop/", True),
    ("http://api.internal/x", "", True), ("http://api.internal/x", "/", True), ("/rules/public/x", "/public", False),
    ("http://api.internal/x", "/admin", False), ("http://api.internal/x", "/admin/", False),
    ("http://api.internal/shop/admin/x", "/shop", False), ("http://api.internal/shopadmin/x", "/shop", False),
    ("http://api.internal/s%68op/admin/x", "/shop", False), ("http://api.internal/x", "/%61dmin", False),
    ("http://api.internal/x", "/a, /admin", False), ("http://api.internal/x", "admin", False),
    ("http://single.internal/api/x", "/api", False), ("http://single.internal/api/api/x", "/api", True),
    ("/based/x", "/shop", False), ("http://free.internal/x", "/admin", True)])
def test_a_prefix_passes_if_it_cannot_move_the_request_to_another_rule(proxy, origin, target, prefix, passes):
    assert send(proxy, target, f"X-Forwarded-Prefix: {prefix}").status == (200 if passes else 403)
    assert len(origin.requests) == passes


SOURCES_INSIDE = [
    ("http://api.internal/a", "x-ms-copy-source: https://x.blob.core.windows.net/b?sv=1&sig=a%2Fb%3D"),
    ("http://api.internal/a", "x-amz-copy-source: bucket/key?versionId=1"), ("/based/a", "x-goog-copy-source: /base/b"),
    ("http://api.internal/a", "x-ms-rename-source: /b/c"), ("http://free.internal/a", "X-Copy-From: admin/x"),
    ("http://swift.internal/v1/a/public/x", "X-Copy-From: public/y"),
]
SOURCES_OUTSIDE = [
    ("http://api.internal/a", "x-ms-copy-source: https://x.blob.core.windows.net/admin/b?sv=1"),
    ("http://api.internal/a", "x-amz-copy-source: admin/key"), ("http://api.internal/a", "x-amz-copy-source: /%61dmin/key"),
    ("http://api.internal/a", "X-Amz-Copy-Source: b?/../admin/x"), ("http://api.internal/a", "x-oss-copy-source: /admin/x"),
    ("/based/a", "x-goog-copy-source: bucket/b"), ("http://api.internal/a", "x-ms-rename-source: /admin/c"),
    ("http://single.internal/api/a", "x-ms-copy-source: https://h/b"), ("/rules/public/a", "X_Copy_From: private/x"),
    ("http://swift.internal/v1/a/public/x", "X-Copy-From: private/y"),
    ("http://swift.internal/v1/a/public/x", "Destination: /private/y"),
    ("http://api.internal/a", "x-amz-copy-source: arn:aws:s3:eu-west-1:1:accesspoint/x/object/y"),
    ("http://api.internal/a", "x-goog-copy-source: gs://admin/x"), ("http://api.internal/a", "x-ms-copy-source: //h/admin/x"),
    pytest.param("http://api.internal/a", f"x-ms-copy-source: https://h/{'b' * 4100}", id="long"),
]


@pytest.mark.parametrize("target, field", SOURCES_INSIDE)
def test_the_source_of_a_copy_within_the_route_goes_on(proxy, origin, target, field):
    assert send(proxy, target, field, method="PUT").status == 200 and len(origin.requests) == 1


@pytest.mark.parametrize("target, field", SOURCES_OUTSIDE)
def test_the_source_of_a_copy_elsewhere_is_refused(proxy, origin, target, field):
    answer = send(proxy, target, field, method="PUT")
    assert answer.status == 403 and "does not forward" in json.loads(answer.body)["detail"]
    assert origin.requests == [] and proxy.requests_logged(1)[0]["error"] == "override_field"


def test_of_two_destinations_or_sources_one_is_too_many(proxy, origin):
    for name in ["Destination", "x-ms-copy-source"]:
        answer = send(proxy, "http://api.internal/a", f"{name}: /b", f"{name}: /c", method="COPY")
        assert answer.status == 403 and "The second" in json.loads(answer.body)["detail"]
    assert origin.requests == []


INSIDE = [
    ("http://api.internal/a", "http://api.internal/b"), ("http://api.internal/a", "/b?x=/admin"),
    ("http://api.internal/a", "https://API.internal:8443/b%20c"), ("/api/a", "/b"), ("/based/a", "/base/b"),
    ("http://based.internal/a", "http://upstream/base/b"), ("http://single.internal/api/a", "https://h/api/b"), ("/based/a", "/base"), ("/rules/public/a", "/public/b%2Fc"),
    ("/free/a", "anything at all"), ("http://free.internal/a", "/../admin"),
]
OUTSIDE = [
    ("http://api.internal/a", "http://api.internal/admin/x"), ("http://api.internal/a", "/%61dmin"),
    ("http://api.internal/a", "http://other//admin"), ("http://api.internal/a", "HTTP://api.internal/x/../admin"),
    ("http://api.internal/a", "admin"), ("http://api.internal/a", ""), ("http://api.internal/a", "ftp://h/x"),
    ("http://api.internal/a", "/b#/../admin"), ("http://api.internal/a", "/b?/../admin"),
    ("http://single.internal/api/a", "/b"), ("http://single.internal/api/a", "http://single.internal/admin"),
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


@pytest.mark.parametrize("method, target, fields", [
    ("POST", "http://api.internal/a", ["X-HTTP-Method-Override: MOVE"]), ("POST", "http://api.internal/a?_method=copy", []),
    ("GET", "http://api.internal/a", ["X-HTTP-Method: COPY"]), ("POST", "http://api.internal/a", [])])
def test_a_destination_counts_whatever_the_method(proxy, origin, method, target, fields):
    """A field, a query or a form may make another method of it."""
    assert send(proxy, target, *fields, "Destination: /admin/x", method=method).status == 403
    assert send(proxy, target, *fields, "Destination: /b", method=method).status == 200
    assert len(origin.requests) == 1
