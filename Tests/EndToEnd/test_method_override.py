"""Fields that make frameworks take a request for another one: they do not get round a route's rules."""

import json

import pytest

from harness.client import get, post

NAMES = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-http-method-override", "X_HTTP_METHOD_OVERRIDE",
         "X-Original-Method", "X-Forwarded-Method"]


@pytest.fixture
def proxy(start_proxy, origin):
    other = {"mount": "/paths", "match": "paths.internal", "forward_to": origin.url}
    return start_proxy({"forward_to": origin.url, "methods": ["GET", "POST"]},
                       other | {"name": "paths", "paths": ["/v1/"]},
                       other | {"name": "free", "mount": "/free", "match": "free.internal"})


def refused(proxy, origin, request: bytes, *words: str) -> None:
    before = len(origin.requests)
    client = proxy.connect()
    answer = client.exchange(request, "POST")
    assert answer.status == 403
    assert answer.value("proxy-status").startswith(b"m2m-proxy; error=http_request_denied; details=")
    problem = json.loads(answer.body)
    assert problem["hop"] == "policy" and all(word in problem["detail"] for word in words), problem
    assert len(origin.requests) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_method_that_the_route_does_not_serve_is_refused_in_a_field_too(proxy, origin, authlib, name):
    for value in ["DELETE", "delete", "PUT", "HEAD", "", "GET, DELETE", "GET DELETE", "GET;q=1", '"GET"', "G\xe4T"]:
        refused(proxy, origin, post("/api/x", b"abc", f"{name}: {value}"), name, '"methods"', "GET, POST")
    assert authlib.fetches == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["GET", "POST", "get", "  post\t"])
def test_a_method_that_the_route_allows_is_forwarded(proxy, origin, name, value):
    assert proxy.connect().exchange(post("/api/x", b"abc", f"{name}: {value}"), "POST").status == 200
    assert origin.requests[0].values(name) == [value.strip().encode()]


@pytest.mark.parametrize("second", NAMES)
def test_two_such_fields_are_rejected_whatever_their_values(proxy, origin, second):
    refused(proxy, origin, post("/api/x", b"abc", "X-HTTP-Method-Override: GET", "X: y", f"{second}: GET"), "second")


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL", "x-original-url", "X_REWRITE_URL"])
def test_a_field_that_replaces_the_path_is_refused_where_paths_are_named(proxy, origin, name):
    for value in ["/admin", "/v1/y", ""]:
        refused(proxy, origin, get("/paths/v1/x", f"{name}: {value}"), name, "the path decides")
        refused(proxy, origin, get("http://paths.internal/v1/x", f"{name}: {value}"), name, "the path decides")


@pytest.mark.parametrize("target, passes", [("/api/x", False), ("/paths/v1/x", False), ("/free/x", True)])
def test_such_a_field_in_a_trailer_section_is_dropped(proxy, origin, target, passes):
    """What a rule cannot see in time goes no further: trailers may be dropped (RFC 9110 section 6.5.1)."""
    request = get(target, "Transfer-Encoding: chunked", "Trailer: X-HTTP-Method", method="POST")
    content = b"3\r\nabc\r\n0\r\nX-HTTP-Method: DELETE\r\nX-Original-URL: /y\r\n\r\n"
    assert proxy.connect().exchange(request + content, "POST").status == 200
    assert origin.requests[0].body == b"abc"
    assert len(origin.requests[0].trailers) == 2 * passes and len(origin.requests[0].values("trailer")) == passes


def test_a_route_without_such_a_rule_is_not_concerned(proxy, origin):
    overrides = ["X-HTTP-Method-Override: DELETE", "X-HTTP-Method: PUT", "X-HTTP-Method: a b"]
    assert proxy.connect().exchange(get("/free/x", *overrides, "X-Original-URL: /y")).status == 200
    # A rule for paths says nothing about methods, and the other way round.
    assert proxy.connect().exchange(get("/paths/v1/x", *overrides)).status == 200
    assert proxy.connect().exchange(get("/api/x", "X-Original-URL: /y")).status == 200
    assert len(origin.requests) == 3
