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
    "X-Original-Uri", "X-Forwarded-Uri", "X-HTTP-DestinationURL", "X-Accel-Mapping", "Destination-Account",
    "X-Copy-From-Account", "X-Symlink-Target-Account", "X-Object-Manifest"])
@pytest.mark.parametrize("target, passes", [ROUTES[0], ROUTES[5], ROUTES[-1]])
def test_variables_of_wsgi_and_fields_of_proxies_pass_only_there_too(proxy, origin, name, target, passes):
    answer = send(proxy, target, f"{name}: /y")
    assert answer.status == (200 if passes else 403) and len(origin.requests) == passes
    if not passes:
        assert proxy.requests_logged(1)[0]["error"] == "override_field" and name in json.loads(answer.body)["detail"]


def test_a_wildcard_with_a_path_is_a_choice_by_path(proxy, origin):
    answer = send(proxy, "http://a.wild.internal/api/x", "X-Original-URL: /admin")
    assert answer.status == 403 and proxy.requests_logged(1)[0]["error"] == "override_field"


ORIGINAL = ["X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Envoy-Original-Path", "x_original_path"]


@pytest.mark.parametrize("name", [*ORIGINAL, "X-Forwarded-Path"])
@pytest.mark.parametrize("target, value, passes", [
    ("http://api.internal/a%20b?c=d", "/a%20b?c=d", True), ("http://api.internal/a%20b?c=d", "/a%20b", True),
    ("/api/a?", "/a?", True), ("http://api.internal/", "/", True), ("http://api.internal", "/", True),
    ("http://api.internal?q", "/?q", True), ("/based/x?y", "/base/x?y", True), ("/rules/public/x", "/public/x", True),
    ("/api/a?b", "/api/a?b", True), ("/rules/public/x", "/rules/public/x", False), ("/based/x", "/based/x", False),
    ("http://api.internal/b?/../admin", "/b?/../admin", False), ("http://api.internal/a", "/A%2f..%2fadmin", False),
    ("http://api.internal/a", "/admin", False), ("http://api.internal/a?b", "/admin?b", False),
    ("http://api.internal/a", "http://api.internal/a", False), ("http://api.internal/a", "", False)])
def test_a_field_with_the_path_of_the_request_itself_passes(proxy, origin, name, target, value, passes):
    """Proxies in front send it, and obeying it changes nothing."""
    assert send(proxy, target, f"{name}: {value}").status == (200 if passes else 403)
    assert len(origin.requests) == passes


def test_several_fields_with_that_path_pass(proxy, origin):
    assert send(proxy, "http://api.internal/a?b", *[f"{name}: /a?b" for name in ORIGINAL]).status == 200
    assert send(proxy, "http://api.internal/a?b", "X-Original-URI: /a?b", "X-Forwarded-Uri: /admin").status == 403
    assert len(origin.requests) == 1


@pytest.mark.parametrize("name", ORIGINAL)
def test_most_such_fields_pass_with_no_other_path(proxy, origin, name):
    for value in ["/b", "/a?c", "/a?b#", "/A?b", "/a?b?", "/a?b,/a?b", "/a/?b"]:
        assert send(proxy, "http://api.internal/a?b", f"{name}: {value}").status == 403
    assert origin.requests == []


@pytest.mark.parametrize("target, value, passes", [
    ("http://api.internal/a", "/shop/a", True), ("http://api.internal/a", "/caf%C3%A9/a", True), ("/api/a", "/api/a", True),
    ("http://api.internal/a", "/admin/a", False), ("http://api.internal/a", "/%61dmin", False),
    ("http://swift.internal/private", "/v1/a", False), ("/rules/public/a", "/a", False), ("/based/a", "/based/a", False),
    ("http://api.internal/a", "/x\tadmin", False), ("http://api.internal/a", "shop/a", False),
    ("http://api.internal/a", "http://h/a", False)])
def test_the_field_of_kong_passes_with_another_path_of_the_route(proxy, origin, target, value, passes):
    """Others put a prefix into it: in front of the path, that must not lead elsewhere either."""
    assert send(proxy, target, f"X-Forwarded-Path: {value}").status == (200 if passes else 403)
    assert len(origin.requests) == passes


PREFIX_NAMES = ["X-Forwarded-Prefix", "X-Ingress-Path", "X-Forwarded-Context", "X-ProxyContextPath"]


@pytest.mark.parametrize("name", PREFIX_NAMES)
@pytest.mark.parametrize("target, prefix, passes", [
    ("http://api.internal/x", "/shop", True), ("http://api.internal/shop/x", "/shop/", True),
    ("http://api.internal/x", "", True), ("http://api.internal/x", "/", True), ("/rules/public/x", "/public", False),
    ("http://api.internal/x", "/admin", False), ("http://api.internal/x", "/admin/", False),
    ("http://api.internal/shop/admin/x", "/shop", False), ("http://api.internal/shopadmin/x", "/shop", False),
    ("http://api.internal/SHOP/admin/x", "/shop", False), ("http://api.internal/shop/admin/x", "/Shop", False),
    ("http://api.internal/s%68op/admin/x", "/shop", False), ("http://api.internal/x", "/%61dmin", False),
    ("http://api.internal/x", "/a, /admin", False), ("http://api.internal/x", "admin", False),
    ("http://single.internal/api/x", "/api", False), ("http://single.internal/api/api/x", "/api", True),
    ("/based/x", "/shop", False), ("http://free.internal/x", "/admin", True)])
def test_a_prefix_passes_if_it_cannot_move_the_request_to_another_rule(proxy, origin, name, target, prefix, passes):
    assert send(proxy, target, f"{name}: {prefix}").status == (200 if passes else 403)
    assert len(origin.requests) == passes


@pytest.mark.parametrize("target, passes", [
    ("/a%20b", True), ("/files/caf%C3%A9", True), ("/a+b;v=1/c", False), ("/files/a+b;v=1", True), ("/caf%C3%A9/x%2Fy", True),
    ("/shop/files/a%20b", True), ("/shop%20x/y", True), ("/sh/a%20b", True), ("/files/x%2Fy", True),
    ("/shop/%61dminx/y", True), ("/x.y%20z", True),
    ("/s%68op/admin", False), ("/%73hop/admin", False), ("//shop/admin/%20", False), ("/x/../shop/admin", False),
    ("/x%2f../shop/admin", False), ("/x%20/..%2fshopadmin", False), ("/x/..;/shop/admin", False), ("/./shop/admin", False),
    ("/(S(x))/shop/admin", False), ("/%2e/shop/admin", False), ("/sh%6Fpadmin/x", False), ("/shop;x/admin", False),
    ("/shop%2fx/admin", False), ("/x%5c..%5cshop/admin", False), ("/x%ef%bc%8f..%ef%bc%8fshop", False)])
def test_a_path_with_several_readings_takes_a_prefix_unless_it_may_begin_with_that(proxy, origin, target, passes):
    """What Traefik and Spring Cloud Gateway send with each request."""
    answer = send(proxy, f"http://api.internal{target}", "X-Forwarded-Prefix: /shop")
    assert answer.status == (200 if passes else 403) and len(origin.requests) == passes


@pytest.mark.parametrize("prefix", ["/admin?", "/admin#", "/admin?x", "/ad\tmin", "/ad min", "/admin\\", "/ad\xe9min", '/"', "/a%zz"])
def test_a_prefix_that_no_path_could_begin_with_is_refused(proxy, origin, prefix):
    assert send(proxy, "http://api.internal/x", f"X-Forwarded-Prefix: {prefix}").status == 403 and origin.requests == []


def test_one_prefix_may_have_several_names_and_two_prefixes_are_rejected(proxy, origin):
    """Jupyter sends two of the names. A second line of one name is joined with the first by some servers."""
    target = "http://api.internal/x"
    assert send(proxy, target, *[f"{name}: /shop" for name in PREFIX_NAMES]).status == 200
    for names in [["X-Forwarded-Prefix", "X_Forwarded_Prefix"], ["X-Ingress-Path", "X-Forwarded-Context", "x-forwarded-context"]]:
        answer = send(proxy, target, *[f"{name}: /shop" for name in names])
        assert answer.status == 403 and "The second" in json.loads(answer.body)["detail"]
    assert send(proxy, target, "X-Forwarded-Prefix: /shop", "X-Ingress-Path: /shop2").status == 403
    assert len(origin.requests) == 1


SOURCES_INSIDE = [
    ("http://api.internal/a", "x-ms-copy-source: https://x.blob.core.windows.net/b?sv=1&sig=a%2Fb%3D"),
    ("http://api.internal/a", "x-amz-copy-source: bucket/key?versionId=1"), ("/based/a", "x-goog-copy-source: /base/b"),
    ("http://api.internal/a", "x-ms-rename-source: /b/c"), ("http://free.internal/a", "X-Copy-From: admin/x"),
    ("http://swift.internal/v1/a/public/x", "X-Copy-From: public/y"),
    ("http://swift.internal/v1/a/public/x", "X-Symlink-Target: public/y"),
    ("http://swift.internal/v1/a/public", "X-Versions-Location: archive"),
    ("http://api.internal/b/x", "x-oss-symlink-target: y%20z"),
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
    *[("http://api.internal/a", f"x-ms-copy-source: {value}") for value in [
        "https://h\\admin/b", "https:///b/admin/c", "ad\tmin/x", "/ad\tmin/x", "https://h/ad\tmin/x", "https://h?/b",
        "https://h#/b", "https://u@h/b", "https://h:x/b", "https:/admin/b", "https:admin/b", "b/%zz", "b/%00", "b\xe9",
        "ht\ttps://h/b", "b c", "b#c", ""]],
    ("http://swift.internal/v1/a/public/x", "X-Symlink-Target: private/y"),
    ("http://swift.internal/v1/a/public", "X-Versions-Location: private"),
    ("http://swift.internal/v1/a/public", "X-History-Location: private"),
    ("http://swift.internal/v1/a/public/x", "x-oss-symlink-target: /v1/a/private/y"),
]


@pytest.mark.parametrize("target, field", SOURCES_INSIDE)
def test_the_source_of_a_copy_within_the_route_is_forwarded(proxy, origin, target, field):
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
    # What parsers of URLs repair, and read as another path.
    ("http://api.internal/a", "/ad\tmin/x"), ("http://api.internal/a", "http://h/ad\tmin/x"),
    ("http://api.internal/a", "/\tadmin"), ("http://api.internal/a", "http://h\\admin/b"),
    ("/rules/public/a", "http://h\\private\\x/public/y"), ("http://api.internal/a", "http:///b/admin/x"),
    ("/rules/public/a", "http:///public/private/x"), ("http://api.internal/a", "http://h?/b"),
    ("http://api.internal/a", "http://h#/b"), ("http://api.internal/a", "/admin /x"), ("http://api.internal/a", "/b c"),
    ("http://api.internal/a", "/b#"), ("http://api.internal/a", "http://u@h/b"), ("http://api.internal/a", "http://h:x/b"),
    ("http://api.internal/a", "/b%"), ("http://api.internal/a", "/b%0"), ("http://api.internal/a", "/b%00"),
    ("http://api.internal/a", "/b\xe9"), ("http://api.internal/a", "http:/admin"), ("http://api.internal/a", "http:admin"),
]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("target, destination", INSIDE)
def test_a_destination_within_the_route_is_forwarded(proxy, origin, method, target, destination):
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


def test_what_is_compared_for_one_request_is_bounded(proxy, origin):
    """Each value may be compared alone, all of them together may not."""
    path = "/" + "a%20" * 200
    fields = [f"Destination: {path}", f"x-ms-copy-source: {path}", f"X-Copy-From: {path}", "X-Forwarded-Prefix: /shop"]
    for field in fields:
        assert send(proxy, f"http://api.internal{path}", field, method="COPY").status == 200
    many = [f"Destination: {path}{path}{path}", f"x-ms-copy-source: {path}{path}{path}", f"X-Copy-From: {path}{path}{path}"]
    assert send(proxy, f"http://api.internal{path}", many[0], method="COPY").status == 200
    answer = send(proxy, f"http://api.internal{path}", *many, "X-Forwarded-Prefix: /shop", method="COPY")
    assert answer.status == 403 and "too long to compare" in json.loads(answer.body)["detail"]
    assert len(origin.requests) == len(fields) + 1


def test_account_forms_of_a_long_path_are_refused(proxy, origin):
    """The beginnings of the request's path are compared in front of the value, three of them."""
    path = "/" + "/".join(["a%20" * 500] * 4)
    assert send(proxy, f"http://api.internal{path}", "Destination: http://h/b", method="COPY").status == 200
    assert send(proxy, f"http://api.internal{path}", "Destination: /b", method="COPY").status == 403
    assert len(origin.requests) == 1


# A client behind a mount knows the upstream by the proxy's name.


def mapped(origin, path: str) -> str:
    return f"{origin.url}{path}"


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("target, destination, path", [
    ("/based/a", "/based/b", "/base/b"), ("/based/a", "/based", "/base/"), ("/rules/public/a", "/rules/public/b%20c", "/public/b%20c"),
    ("/api/a", "/api/b?x=1", "/b?x=1"), ("/api/a", "/api", "/"), ("/free/a", "/free/x/caf%C3%A9/", "/x/caf%C3%A9/"),
    ("/free/a", "/free", "/")])
def test_a_destination_below_the_mount_becomes_the_upstreams(proxy, origin, method, target, destination, path):
    for scheme in ["http", "https"]:
        value = f"{scheme}://API.internal{destination}"
        assert send(proxy, target, f"Destination: {value}", method=method).status == 200
        assert origin.requests[-1].values("destination") == [mapped(origin, path).encode()]
    assert send(proxy, target, f"Destination: {destination}", method=method).status == 200
    assert origin.requests[-1].values("destination") == [path.encode()]


@pytest.mark.parametrize("target, destination", [
    # Of another route, another rule, or no route at all.
    ("/api/a", "/api/admin/x"), ("/api/a", "/api/%61dmin/x"), ("/api/a", "/api/x/../admin"), ("/api/a", "/api//admin"),
    ("/api/a", "/api/x/..%2fadmin"), ("/api/a", "/based/x"), ("/api/a", "/nothing"), ("/api/a", ""), ("/api/a", "/"),
    ("/based/a", "/based/../x"), ("/based/a", "/base/b"), ("/rules/public/a", "/rules/private"),
    ("/rules/public/a", "/rules/public/..;/private"), ("/rules/public/a", "/rules"), ("/free/a", "/api/x"), ("/free/a", "/freedom")])
def test_a_destination_of_the_proxy_that_the_route_does_not_serve_is_refused(proxy, origin, target, destination):
    answer = send(proxy, target, f"Destination: http://api.internal{destination}", method="MOVE")
    assert answer.status == 403 and proxy.requests_logged(1)[0]["error"] == "override_field"
    assert origin.requests == []


def test_a_destination_on_another_host_is_forwarded_if_its_path_is_the_routes(proxy, origin):
    """The upstream knows which names are its own, and refuses others (RFC 4918 section 9.8.5)."""
    for destination in [f"{origin.url}/base/b", "http://elsewhere.example/base/b"]:
        assert send(proxy, "/based/a", f"Destination: {destination}", method="COPY").status == 200
        assert origin.requests[-1].values("destination") == [destination.encode()]
    assert send(proxy, "/based/a", "Destination: http://elsewhere.example/based/b", method="COPY").status == 403


def test_of_two_destinations_none_is_forwarded_where_one_is_mapped(proxy, origin):
    for fields in [["/free/b", "/free/c"], ["/free/b", "/c"], ["/c", "/free/b"]]:
        answer = send(proxy, "/free/a", *[f"Destination: {value}" for value in fields], method="MOVE")
        assert answer.status == 403 and "The second" in json.loads(answer.body)["detail"]
    assert origin.requests == []


def test_a_destination_that_connection_names_is_not_forwarded(proxy, origin):
    assert send(proxy, "/free/a", "Destination: /free/b", "Connection: destination", method="MOVE").status == 200
    assert origin.requests[-1].values("destination") == []


@pytest.mark.parametrize("rewriting, mounted, matched", [
    ("auto", "/base/b", None), ("on", "/base/b", "/base/b"), ("off", None, None)])
def test_a_destination_is_mapped_where_links_are(start_proxy, origin, rewriting, mounted, matched):
    proxy = start_proxy({"forward_to": f"{origin.url}/base", "match": "dav.internal", "mount": "/dav", "rewrite_links": rewriting})
    host = proxy.url.removeprefix("http://")
    for target, destination, path in [
            ("/dav/a", f"http://{host}/dav/b", mounted), ("http://dav.internal/a", "http://dav.internal/b", matched)]:
        request = get(target, f"Destination: {destination}", method="MOVE", host=host)
        answer = proxy.connect().exchange(request, "MOVE")
        if path:
            assert answer.status == 200 and origin.requests[-1].values("destination") == [mapped(origin, path).encode()]
        else:
            assert answer.status == 403
