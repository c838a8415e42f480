"""What reaches the origin, line by line: everything of the application, exactly one token, and nothing invented."""

import pytest

from harness import content
from harness.client import get

OURS = {b"host", b"authorization", b"via", b"content-length", b"transfer-encoding"}


def forwarded(request) -> list[bytes]:
    """The fields at the origin without those that the proxy has to set: its own, and the framing."""
    return [name + b": " + value for name, value in request.fields if name.lower() not in OURS]


def check(proxy, origin, authlib, request: bytes, *expected: str):
    """Sends `request` and compares what arrives; host, token and Via are there exactly once."""
    assert proxy.connect().exchange(request).status == 200
    got = origin.requests[-1]
    assert forwarded(got) == [line.encode("latin-1") for line in expected]
    assert got.value("host") == origin.authority.encode()
    assert got.value("authorization") == f"Bearer {authlib.tokens[-1]}".encode()
    return got


END_TO_END = [
    "Cookie: a=b; c=d", "Range: bytes=0-5", 'If-None-Match: "x"', "Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4",
    "Cache-Control: no-cache", "Accept-Encoding: gzip", "Referer: http://a/", "Origin: http://api.internal", "Max-Forwards: 3",
]

FIELD_SETS = {
    "none": ([], []),
    "case and order": (
        ["x-lower: a", "X-UPPER: b", "X-Mixed-cAsE: c", "Accept: text/html", "x-lower: d"],
        ["x-lower: a", "X-UPPER: b", "X-Mixed-cAsE: c", "Accept: text/html", "x-lower: d"]),
    "empty values": (["X-Empty:", "Accept:", "X-After: 1"], ["X-Empty: ", "Accept: ", "X-After: 1"]),
    "values with spaces, commas, quotes and bytes above ASCII": (
        ['X-Quoted: "a, b"; c="d\\"e"', "X-Bytes: gr\xfc\xdfe", "X-Spaces: a  b\tc"],
        ['X-Quoted: "a, b"; c="d\\"e"', "X-Bytes: gr\xfc\xdfe", "X-Spaces: a  b\tc"]),
    "unusual names": (["!#$%&'*+-.^_`|~09: x", "X_Under_Score: y"], ["!#$%&'*+-.^_`|~09: x", "X_Under_Score: y"]),
    "end-to-end fields that look like ours": (END_TO_END, END_TO_END),
    "hop-by-hop fields": (
        ["Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip", "X-Kept: 1"],
        ["X-Kept: 1"]),
    # Trailers do pass, so the proxy says so for itself (RFC 9110 section 10.1.4).
    "TE: trailers": (
        ["Connection: TE", "TE: gzip;q=0.5, trailers", "X-Kept: 1"], ["X-Kept: 1", "TE: trailers", "Connection: TE"]),
    "an upgrade": (
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"], []),
    "fields named by Connection": (
        ["Connection: X-Foo, x-bar", "X-Foo: dropped", "X-BAR: dropped", "X-Baz: kept"], ["X-Baz: kept"]),
    "several Connection fields": (
        ["Connection: X-One", "X-One: 1", "X-Two: 2", "connection: ,, X-Two ,", "X-Three: 3"], ["X-Three: 3"]),
    "Connection: Authorization": (["Connection: Authorization", "Authorization: Bearer mine"], []),
    "Connection: Host": (["Connection: Host, Via", "X-Kept: 1"], ["X-Kept: 1"]),
    "the client's own Authorization": (["Authorization: Bearer mine", "X-Kept: 1"], ["X-Kept: 1"]),
    "several Authorization fields in odd case": (
        ["authorization: Basic YTpi", "AUTHORIZATION: Bearer mine", "X-Authorization: stays"],
        ["X-Authorization: stays"]),
    "Proxy fields": (
        ["Proxy-Authorization: Basic YTpi", "Proxy-Connection: keep-alive", "proxy-anything: x", "X-Proxy-Kept: 1"],
        ["X-Proxy-Kept: 1"]),
}


@pytest.mark.parametrize("form", ["http://api.internal/x", "/api/x"])
@pytest.mark.parametrize("case", FIELD_SETS)
def test_fields(proxy, origin, authlib, case, form):
    fields, expected = FIELD_SETS[case]
    check(proxy, origin, authlib, get(form, *fields), *expected)


def test_the_fields_of_a_body_are_kept_and_nothing_is_invented(proxy, origin, authlib):
    request = get("http://api.internal/x", "Content-Type: text/x", "content-length: 3", "X-After: 1", method="POST")
    got = check(proxy, origin, authlib, request + b"abc", "Content-Type: text/x", "X-After: 1")
    assert got.value("content-length") == b"3"
    assert got.body == b"abc"


def test_a_chunked_body_is_reframed_and_keeps_its_fields(proxy, origin):
    request = get("http://api.internal/x", "X-Before: 1", "Transfer-Encoding: chunked", "X-After: 2", method="POST")
    assert proxy.connect().exchange(request + content.chunked(b"abc"), "POST").status == 200
    got = origin.requests[0]
    assert forwarded(got) == [b"X-Before: 1", b"X-After: 2"]
    assert (got.framing, got.body) == ("chunked", b"abc")


def test_content_length_zero_is_kept_and_none_is_added(proxy, origin, authlib):
    got = check(proxy, origin, authlib, get("/api/x", "Content-Length: 0", method="POST"))
    assert got.value("content-length") == b"0"
    got = check(proxy, origin, authlib, get("/api/x", method="DELETE"))
    assert got.framing == "none"


def test_via_is_added_behind_those_that_were_there(proxy, origin):
    assert proxy.connect().exchange(get("http://api.internal/x", "Via: 1.0 fred, 1.1 p.example")).status == 200
    values = b", ".join(origin.requests[0].values("via"))
    assert values.startswith(b"1.0 fred, 1.1 p.example, 1.1 ") and b"m2m-proxy" in values


def test_via_names_the_version_that_the_client_spoke(proxy, origin):
    assert proxy.connect().exchange(get("http://api.internal/x", version="1.0")).status == 200
    assert origin.requests[0].value("via").startswith(b"1.0 ")


@pytest.mark.parametrize("path", [
    "/", "//", "//evil.example/x", "/a/../b", "/a/./b/", "/a%2Fb", "/a/%2e%2e/x", "/a%20b", "/a;b=c",
    "/a?", "/?", "/a??b", "/a?b=c&d=%26&e", "/a?x=http://other/", "/a?b/../c", "/~user/'()!*,:@&=+$",
    "/%E4%BD%A0", "/a/",
])
def test_a_path_and_query_arrive_as_they_were_sent(proxy, origin, path):
    client = proxy.connect()
    assert client.exchange(get(f"http://api.internal{path}")).status == 200
    assert client.exchange(get(f"/api{path}")).status == 200
    assert [request.target.decode() for request in origin.requests] == [path, path]


@pytest.mark.parametrize("path", ["/..", "/../other", "/%2e%2e/x", "/a/../../x", "/.%2E/"])
def test_a_path_that_climbs_out_of_its_mount_is_refused(proxy, origin, path):
    assert proxy.connect().exchange(get(f"/api{path}")).status == 403
    assert origin.requests == []


def test_a_very_long_path_arrives_as_it_was_sent(proxy, origin):
    path = "/" + "a" * 10_000 + "?" + "b" * 5_000
    assert proxy.connect().exchange(get(f"http://api.internal{path}")).status == 200
    assert origin.requests[0].target.decode() == path


def test_everything_that_reaches_the_origin_is_one_request_line_fields_and_body(proxy, origin, authlib):
    request = get("http://api.internal/x", "X-A: 1", "Content-Length: 3", method="PUT") + b"abc"
    assert proxy.connect().exchange(request, "PUT").status == 200
    received = bytes(origin.connections[0].received)
    head, body = received.split(b"\r\n\r\n", 1)
    assert head.split(b"\r\n")[0] == b"PUT /x HTTP/1.1" and body == b"abc"
    assert sorted(line.split(b":")[0] for line in head.split(b"\r\n")[1:]) == [
        b"Authorization", b"Content-Length", b"Host", b"Via", b"X-A"]


def test_the_proxy_adds_only_via_and_a_missing_date_to_a_response(proxy, origin):
    def plain(connection):
        connection.request()
        connection.answer(b"x", "200 OK", "X-B: 1")
        connection.expect_close()

    origin.script(plain)
    answer = proxy.connect().exchange(get("http://api.internal/x"))
    names = {name.lower() for name, _ in answer.fields} - {b"via", b"date"}
    assert names == {b"content-length", b"x-b"}


def test_a_date_of_the_upstream_is_kept(proxy, origin):
    def dated(connection):
        connection.request()
        connection.answer(b"x", "200 OK", "Date: Sun, 06 Nov 1994 08:49:37 GMT")
        connection.expect_close()

    origin.script(dated)
    answer = proxy.connect().exchange(get("http://api.internal/x"))
    assert answer.values("date") == [b"Sun, 06 Nov 1994 08:49:37 GMT"]


def test_a_forged_proxy_status_of_the_upstream_does_not_pass_for_ours(proxy, origin):
    def forging(connection):
        connection.request()
        connection.answer(b"x", "200 OK", "Proxy-Status: m2m-proxy; error=destination_unavailable")
        connection.expect_close()

    origin.script(forging)
    answer = proxy.connect().exchange(get("http://api.internal/x"))
    assert not any(b"m2m-proxy" in value for value in answer.values("proxy-status"))
