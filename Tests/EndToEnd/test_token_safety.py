"""The token: exactly one reaches the upstream it is for, none comes back by the proxy's doing, none goes elsewhere."""

import pytest

from harness.client import RawClient, get
from harness.edge import Edge, edge  # noqa: F401
from harness.wire import Answer

OWN = {
    "none": [],
    "one": ["Authorization: Bearer mine"],
    "another scheme": ["Authorization: Basic eDp5"],
    "in lower case": ["authorization: Bearer mine"],
    "in odd case": ["aUTHORIZATION: Bearer mine"],
    "two": ["Authorization: Bearer mine", "Authorization: Bearer other"],
    "two in different case": ["Authorization: Bearer mine", "AUTHORIZATION: Bearer other"],
    "an empty one": ["Authorization:"],
    "a long one": ["Authorization: Bearer " + "x" * 8000],
    "many": ["Authorization: Bearer mine"] * 50,
    "one that Connection names": ["Connection: Authorization", "Authorization: Bearer mine"],
    "none, and Connection names it": ["Connection: authorization"],
    "one that Connection names in odd case": ["cONNECTION: close , aUTHORIZATION", "Authorization: Bearer mine"],
    "one behind tabs": ["Authorization:\t\tBearer mine\t"],
    "one for the proxy": ["Proxy-Authorization: Bearer mine"],
    "one between others": ["X: 1", "Authorization: Bearer mine", "Y: 2"],
}


def exchange(edge: Edge, request: bytes, to: str = "GET") -> Answer:
    client = RawClient(edge.proxy.address)
    answer = client.exchange(request, to)
    client.close()
    return answer


@pytest.mark.parametrize("form", ["http://api.internal/case", "/api/case"])
@pytest.mark.parametrize("name", OWN)
def test_exactly_one_authorization_reaches_the_upstream(edge, name, form):
    """RFC 9110 section 11.6.2: one Authorization, and it is the proxy's."""
    before = len(edge.recorder.requests)
    assert exchange(edge, get(form, *OWN[name])).status == 200
    [got] = edge.recorder.requests[before:]
    edge.check_forwarded(got)
    assert b"mine" not in got.head and b"other" not in got.head


REFUSED = {
    "a space before the colon": "Authorization : Bearer mine", "a tab before the colon": "Authorization\t: Bearer mine",
    "a folded one": "Authorization: Bearer\r\n mine", "one in a fold": "X: y\r\n Authorization: Bearer mine",
    "one behind a bare LF": "X: y\nAuthorization: Bearer mine",
    "one behind a bare CR": "X: y\rAuthorization: Bearer mine",
    "a NUL in its name": "Authoriz\0ation: Bearer mine", "a NUL in its value": "Authorization: Bearer\0mine",
    "a CR in its value": "Authorization: Bearer a\rb", "an empty name": ": Bearer mine",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_disguised_authorization_is_refused(edge, name):
    """RFC 9112 section 5: what only some servers would read as Authorization is not forwarded."""
    seen = edge.send(get("http://api.internal/case", REFUSED[name]))
    assert seen.statuses == [400] and seen.stayed_here


@pytest.mark.parametrize("trailer", ["Authorization: Bearer mine", "authorization: Bearer mine", "Host: evil.example",
                                     "Proxy-Authorization: Basic eDp5", "Cookie: a=b", "Content-Length: 5",
                                     "Transfer-Encoding: chunked", "Connection: close", "Via: 1.1 x", "TE: x"])
def test_no_credentials_and_no_framing_in_trailers(edge, trailer):
    """RFC 9110 section 6.5.1: a server may merge trailers into the head."""
    before = len(edge.recorder.requests)
    body = f"3\r\nabc\r\n0\r\nX-Fine: y\r\n{trailer}\r\n\r\n".encode()
    request = get("http://api.internal/case", "Trailer: Authorization", "Transfer-Encoding: chunked", method="POST")
    assert exchange(edge, request + body).status == 200
    [got] = edge.recorder.requests[before:]
    edge.check_forwarded(got)
    assert got.trailers == [(b"X-Fine", b"y")]


@pytest.mark.parametrize("method", ["TRACE", "trace", "Trace", "TRACK", "track"])
@pytest.mark.parametrize("fields", [[], ["Max-Forwards: 0"], ["Max-Forwards: 1"]])
def test_what_echoes_requests_is_refused(edge, method, fields):
    """RFC 9110 section 9.3.8: the answer to TRACE would show the token."""
    before = len(edge.recorder.requests)
    answer = exchange(edge, get("http://api.internal/case", *fields, method=method))
    assert answer.status == 405
    assert b"TRACE" not in answer.value("allow")
    assert edge.token().encode() not in answer.head + answer.body
    assert edge.recorder.requests[before:] == []


ELSEWHERE = [
    "http://{0}/case", "http://127.0.0.1/case", "http://127.1/case", "http://127.1:{1}/case",
    "http://2130706433:{1}/case",
    "http://0x7f.1:{1}/case", "http://0177.0.0.1:{1}/case", "http://[::ffff:127.0.0.1]:{1}/case",
    "http://[::1]:{1}/case",
    "http://localhost:{1}/case", "http://0.0.0.0:{1}/case", "http://api.internal:{1}/case",
    "http://api.internal@{0}/case",
    "http://api.internal:80@{0}/case", "http://{0}#@api.internal/case",
    "http://{0}\\@api.internal/case", "http://api.internal\\@{0}/case", "http://api.internal%2f@{0}/case",
    "http://api.internal%00.{0}/case", "http://api.internal:80:{1}/case", "http://api.internal:65616/case",
    "http://api.internal:4294967376/case", "http://api.internal:+80/case", "http://api.internal..:80/case",
    "http://.api.internal/case", "http://api.internal.evil.example/case", "http://evil.example/api.internal",
    "http://evil.example?api.internal", "http://evil.example;api.internal/", "http://xapi.internal/case",
    "http://api%2einternal/case", "http://%61pi.internal/case", "http://xn--api-internal/case",
    "http://api_internal/case",
    "http://api.internal,evil.example/", "http://other.internal/case", "http://other.internal:80/case",
    "http://other.internal:443/case", "http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/",
    "//api.internal/case", "///api/case", "/api/../case", "/api/..%2fcase", "/api/%2e%2e/case", "/api/..;/case",
    "/other/case", "/other/deep/../x", "/other/deep/%2e%2e/x", "/other/deeper/x", "/API/case", "/%61pi/case",
    "/api%2fcase",
    "/case", "/", "https://api.internal:8443/case", "ftp://api.internal/case", "http:/api.internal/case",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_token_goes_where_no_route_leads(edge, target):
    """RFC 9110 section 17.1: the authority that a request names is the one that a route names, or it goes nowhere."""
    counts = len(edge.recorder.requests), len(edge.other.requests), len(edge.authlib.fetches)
    text = target.format(edge.recorder.origin.authority, edge.recorder.origin.port)
    answer = exchange(edge, get(text))
    assert answer.status in (400, 403)
    assert (len(edge.recorder.requests), len(edge.other.requests), len(edge.authlib.fetches)) == counts


@pytest.mark.parametrize("host", ["api.internal", "evil.example", "127.0.0.1", "other.internal:8443"])
@pytest.mark.parametrize("target, path, audience", [
    ("http://other.internal:8443/x", b"/base/x", "https://other.example"),
    ("http://OTHER.internal.:8443/x", b"/base/x", "https://other.example"),
    ("http://other.internal:08443/x", b"/base/x", "https://other.example"),
    ("/other/deep/x", b"/base/x", "https://other.example"),
    ("http://api.internal/x", b"/x", "https://api.example"),
    ("HTTPS://Api.Internal.:443/x", b"/x", "https://api.example"),
    ("/api/x", b"/x", "https://api.example"),
])
def test_each_upstream_gets_the_token_for_its_own_audience(edge, target, path, audience, host):
    """Host never decides where a request goes (RFC 9112 section 3.2.2); other spellings get what the route gives."""
    recorder = edge.recorder if audience == "https://api.example" else edge.other
    count = len(recorder.requests)
    answer = exchange(edge, get(target, host=host))
    if target.startswith("/") and host == "evil.example":
        # On loopback that is what DNS rebinding looks like.
        assert (answer.status, len(recorder.requests)) == (403, count)
        return
    assert answer.status == 200
    got = recorder.requests[-1]
    assert got.target == path
    edge.check_forwarded(got, audience)


def test_a_route_without_a_token_forwards_the_client_s_own_and_nothing_else(edge):
    assert exchange(edge, get("http://plain.internal/x", "Authorization: Bearer mine")).status == 200
    assert edge.other.requests[-1].values("authorization") == [b"Bearer mine"]
    assert exchange(edge, get("http://plain.internal/x")).status == 200
    assert edge.other.requests[-1].values("authorization") == []


def test_no_response_of_the_proxy_shows_the_token(edge):
    edge.probe()
    token = edge.token().encode()
    for request in [get("http://nowhere.internal/"), get("/nowhere"), get("http://api.internal/", "X : y"),
                    get("http://api.internal/", method="TRACE"), get("http://api.internal/", "Expect: x"),
                    get("http://api.internal/", "Max-Forwards: 0", method="OPTIONS")]:
        answer = exchange(edge, request)
        assert token not in answer.head + answer.body


ECHOES = {
    "a field": "HTTP/1.1 200 OK\r\nX-Echo: {0}\r\nContent-Length: 2\r\n\r\nok",
    "a redirect": "HTTP/1.1 302 Found\r\nLocation: http://evil.example/?{0}\r\nContent-Length: 0\r\n\r\n",
    "content": "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{0}",
    "a trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Echo: {0}\r\n\r\n",
}


@pytest.mark.parametrize("name", ECHOES)
def test_what_an_upstream_echoes_is_its_own_affair_and_ends_there(edge, name):
    """What an upstream writes into its answer is not looked into; a redirect is passed on, and never followed."""
    edge.forget_connections()

    def echo(connection):
        request = connection.request()
        connection.send(ECHOES[name].format(request.value("authorization").decode()).encode())
        connection.finish_sending()
        connection.expect_close()

    edge.recorder.origin.script(echo)
    before = len(edge.recorder.origin.requests), len(edge.other.origin.requests)
    answer = exchange(edge, get("http://api.internal/case", "TE: trailers", "Connection: TE"))
    whole = answer.head + answer.body + b"".join(value for _, value in answer.trailers)
    assert whole.count(edge.token().encode()) == 1
    assert len(edge.recorder.origin.requests) == before[0] + 1 and len(edge.other.origin.requests) == before[1]


@pytest.mark.parametrize("trailer", [
    "Authorization", "WWW-Authenticate", "Set-Cookie", "Location", "Proxy-Authorization"])
def test_an_echo_of_the_request_s_fields_in_trailers_is_dropped(edge, trailer):
    """RFC 9110 section 6.5.1: authentication has no place in trailers, in either direction."""
    edge.forget_connections()

    def echo(connection):
        request = connection.request()
        value = request.value("authorization").decode()
        head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.send(f"{head}0\r\n{trailer}: {value}\r\n\r\n".encode())
        connection.expect_close()

    edge.recorder.origin.script(echo)
    answer = exchange(edge, get("http://api.internal/case", "TE: trailers", "Connection: TE"))
    edge.forget_connections()
    assert (answer.status, answer.trailers) == (200, [])
