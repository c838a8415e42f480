"""Old clients that write requests in a way of their own: what has one reading is corrected, and the log says so."""

import base64
from random import Random

import pytest

from harness.callers import basic, with_password
from harness.client import get


def kinds(proxy) -> dict[str, float]:
    return {dict(labels)["kind"]: value for (name, labels), value in proxy.samples().items()
            if name == "m2m_proxy_requests_normalised_total"}


def test_the_log_and_a_metric_say_what_was_corrected(proxy, origin):
    target = 'http://me:s3cret-pass@api.internal/caf\xe9?q="x"#top'
    assert proxy.connect().exchange(get(target)).status == 200
    assert origin.requests[0].target == b"/caf%E9?q=%22x%22"
    line, = proxy.requests_logged(1)
    assert (line["normalised"], line["path"], line["host"]) == ("fragment,userinfo,raw_bytes", "/caf%E9", "api.internal")
    assert kinds(proxy) == {"fragment": 1, "userinfo": 1, "raw_bytes": 1}
    assert proxy.connect().exchange(get("/api/plain#")).status == 200
    # The figures are counted before the line is written.
    proxy.requests_logged(2)
    assert kinds(proxy) == {"fragment": 2, "userinfo": 1, "raw_bytes": 1}
    assert proxy.connect().exchange(get("/api/plain")).status == 200
    assert "normalised" not in proxy.requests_logged(3)[2]
    assert "s3cret" not in proxy.output and "me:" not in proxy.output


def test_a_corrected_request_arrives_in_whatever_pieces_it_is_sent(proxy, origin):
    request = get("http://a:b@api.internal/\xe9{#x", "X-A: 1") + get("/api/next")
    for size in [1, 3, 7]:
        client = proxy.connect()
        client.send_pieces(request[at : at + size] for at in range(0, len(request), size))
        assert [client.answer().status, client.answer().status] == [200, 200]
        assert [each.target for each in origin.requests[-2:]] == [b"/%E9%7B", b"/next"]
        assert origin.requests[-2].value("x-a") == b"1"


def test_content_behind_a_corrected_head_is_forwarded_whole(proxy, origin):
    body = bytes(range(256)) * 40
    request = get("/api/\xe4#x", f"Content-Length: {len(body)}", method="POST") + body
    assert proxy.connect().exchange(request, "POST").status == 200
    assert (origin.requests[0].target, origin.requests[0].body) == (b"/%E4", body)


def test_the_token_is_the_proxys_whatever_user_the_target_names(proxy, origin, authlib):
    assert proxy.connect().exchange(get("http://me:pw@api.internal/")).status == 200
    assert origin.requests[0].values("authorization") == [f"Bearer {authlib.tokens[0]}".encode()]


@pytest.mark.parametrize("userinfo, pair", {
    "me:pw": b"me:pw", "me": b"me:", "me:": b"me:", ":pw": b":pw", ":": b":", "a%40b:p%2F%3Aq%25": b"a@b:p/:q%",
    "j\xc3\xbcrgen:%C3%A9": b"j\xc3\xbcrgen:\xc3\xa9", "D%5Cu:p:q": b"D\\u:p:q", "u:p%20w": b"u:p w",
}.items())
def test_user_and_password_become_basic_where_the_clients_own_credentials_are_forwarded(start_proxy, origin, userinfo, pair):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    assert proxy.connect().exchange(get(f"http://{userinfo}@api.internal/x")).status == 200
    assert origin.requests[0].values("authorization") == [b"Basic " + base64.b64encode(pair)]
    assert proxy.requests_logged(1)[0]["normalised"] == "userinfo"


def test_a_host_that_repeats_user_and_password_is_corrected_with_the_target(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    client = proxy.connect()
    assert client.exchange(get("http://me:s3cret@api.internal:80/x", "X-A: 1", host="me:s3cret@api.internal:80")).status == 200
    assert client.exchange(get("http://api.internal/next")).status == 200
    assert [request.target for request in origin.requests] == [b"/x", b"/next"]
    assert origin.requests[0].values("host") == [origin.authority.encode()]
    assert origin.requests[0].value("authorization") == b"Basic " + base64.b64encode(b"me:s3cret")
    assert [line.get("normalised") for line in proxy.requests_logged(2)] == ["userinfo", None]


@pytest.mark.parametrize("userinfo, host, pair", [
    ("m%40e:s3cret%3A%25", "m@e:s3cret:%", b"m@e:s3cret:%"), ("m%40e:s3cret%3A%25", "m%40e:s3cret%3A%25", b"m@e:s3cret:%"),
    ("u:s3cret%20x", "u:s3cret x", b"u:s3cret x"),
    # As urllib does it, a character is one byte.
    ("j%C3%BCrgen:s3cret", "j\xfcrgen:s3cret", "j\xfcrgen:s3cret".encode()),
])
def test_a_host_that_repeats_them_decoded_is_corrected_with_the_target(start_proxy, origin, userinfo, host, pair):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    answer = proxy.connect().exchange(get(f"http://{userinfo}@api.internal/x", host=f"{host}@api.internal"))
    assert answer.status == 200, answer.body
    assert origin.requests[0].values("authorization") == [b"Basic " + base64.b64encode(pair)]
    assert origin.requests[0].values("host") == [origin.authority.encode()]
    assert "s3cret" not in proxy.output


@pytest.mark.parametrize("target, host", [
    ("http://m%40e:s3cret@api.internal/x", "m@x:s3cret@api.internal"), ("http://m%40e:s3cret@api.internal/x", "m@e:s3cret@other.internal"),
    ("http://m%40e:s3cret@api.internal/x", "other.internal@m@e:s3cret@api.internal"),
    ("http://api.internal/x", "me:s3cret@api.internal"), ("/api/x", "me:s3cret@api.internal"),
    ("http://me:s3cret@api.internal/x", "me:other1@api.internal"), ("http://me:s3cret@api.internal/x", "me:s3cret@api.interna1"),
    ("http://a@b@api.internal/x", "a@b@api.internal"), ("http://a\\@api.internal/x", "a\\@api.internal"),
    ("http://me:s3cret@api.internal/x", "me:s3cret@api.internal\r\nHost: api.internal"),
])
def test_any_other_host_with_a_user_name_is_refused(proxy, origin, target, host):
    assert proxy.connect().exchange(get(target, host=host)).status == 400
    assert origin.requests == []
    assert "s3cret" not in proxy.output


def test_without_user_and_password_there_are_no_credentials(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    assert proxy.connect().exchange(get("http://@api.internal/x")).status == 200
    assert origin.requests[0].values("authorization") == []


def test_the_clients_own_authorization_comes_before_the_user_of_the_target(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    client = proxy.connect()
    assert client.exchange(get("http://me:pw@api.internal/", "Authorization: Bearer mine")).status == 200
    assert origin.requests[0].values("authorization") == [b"Bearer mine"]
    # And they are gone with their request.
    assert client.exchange(get("http://api.internal/")).status == 200
    assert origin.requests[1].values("authorization") == []


@pytest.mark.parametrize("target, says", {
    "http://a@b@api.internal/s3cret": "user name", "http://a\\@api.internal/s3cret": "user name",
    "/api/100%": "%25", "/api/%zz\xe9": "%25", "/api/a\\b": "percent-encoded",
}.items())
def test_two_readings_are_refused_with_what_to_write(proxy, origin, target, says):
    answer = proxy.connect().exchange(get(target))
    assert answer.status == 400
    assert says in answer.body.decode(), answer.body
    assert origin.requests == []


@pytest.mark.parametrize("request_line, host, says", [
    ("GET /api/my file HTTP/1.1", "a", "%20"), ("GET /api/x?a b HTTP/1.1", "a", "%20"),
    ("GET http://\xe4.internal/ HTTP/1.1", "a", "xn--"), ("GET /api/x HTTP/1.1", "\xe4.internal", "xn--"),
    ("CONNECT \xe4.internal:443 HTTP/1.1", "a", "xn--"), ("CONNECT h\xe4.internal:443 HTTP/1.1", "a", "xn--"),
    ("CONNECT https://api.internal:443 HTTP/1.1", "a", "host:port alone"), ("CONNECT api.internal:443/ HTTP/1.1", "a", "host:port alone"),
])
def test_the_cause_is_named(proxy, origin, request_line, host, says):
    request = f"{request_line}\r\nHost: {host}\r\n\r\n".encode("latin-1")
    answer = proxy.connect().exchange(request)
    assert answer.status == 400 and says in answer.body.decode(), answer.body
    assert origin.requests == []


def test_a_target_that_grows_beyond_the_limit_is_refused(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, limits={"head": "8KB"})
    # 3,000 bytes become 9,000.
    assert proxy.connect().exchange(get("/api/" + "\xe9" * 3_000)).status in (414, 431)
    assert proxy.connect().exchange(get("/api/" + "\xe9" * 2_000)).status == 200
    assert origin.requests[0].target == b"/" + b"%E9" * 2_000


def test_bytes_that_are_not_http_are_refused_without_waiting(proxy):
    # No space will come, and none is waited for.
    client = proxy.connect().send(b"AB \xff\xfe\xfd")
    assert client.answer().status == 400


def test_a_corrected_path_is_judged_like_the_encoded_one(start_proxy, origin):
    proxy = start_proxy(
        {"name": "all", "forward_to": origin.url}, {"name": "admin", "match": "api.internal/caf%C3%A9", "mount": None,
                                                    "forward_to": origin.url}, loops=1)
    for raw, encoded in {"/caf\xc3\xa9/x": "/caf%C3%A9/x", '/a"b': "/a%22b", "/x/..;/{": "/x/..;/%7B"}.items():
        sent = [proxy.connect().exchange(get(f"http://api.internal{path}")).status for path in (raw, encoded)]
        assert sent[0] == sent[1], raw
    lines = proxy.requests_logged(6)
    for raw, encoded in zip(lines[::2], lines[1::2]):
        assert (raw.get("route"), raw["path"], raw["status"]) == (encoded.get("route"), encoded["path"], encoded["status"])


PIECES = ["/", "a", "..", ".", ";", "@", ":", "#", "?", "%41", "%2f", "%0a", "%23", "%", "\\", '"', "{", "|", "<", "[", "\xe9", "\xc3\xa9",
          "u:p@", "/admin/", "admin", "=", "+", "http://"]


def test_what_was_judged_is_what_the_upstream_gets(start_proxy, origin, authlib):
    """The path in the log is the one that routes and rules saw."""
    proxy = start_proxy(
        {"name": "all", "forward_to": origin.url}, {"name": "admin", "match": "api.internal/admin/", "mount": None, "credentials": "none",
                                                    "audience": None, "forward_to": origin.url}, loops=1)
    random = Random(17)
    count = 600
    for _ in range(count):
        start = random.choice(["http://api.internal", "http://u:p%2F@api.internal", "HTTP://API.internal:80", "/api", "/"])
        proxy.connect().exchange(get(start + "".join(random.choices(PIECES, k=random.randrange(6))), "Connection: close"))
    lines = [line for line in proxy.requests_logged(count) if line["status"] == "200"]
    assert len(lines) == len(origin.requests) > 100
    assert {line.get("normalised") for line in lines} >= {None, "fragment", "userinfo", "raw_bytes", "fragment,userinfo,raw_bytes"}
    for line, request in zip(lines, origin.requests):
        assert request.target.split(b"?")[0] == (line["path"].removeprefix("/api") or "/").encode()
        assert not set(request.target) & set(b'"#<>^`{|} ') and max(request.target) < 0x7f
        is_admin = line["path"].startswith("/admin/")
        assert line["route"] == ("admin" if is_admin else "all"), line
        given = [b"Basic " + base64.b64encode(b"u:p/")] if "userinfo" in line.get("normalised", "") else []
        assert request.values("authorization") == (given if is_admin else [f"Bearer {authlib.tokens[0]}".encode()])
        assert request.values("host") == [origin.authority.encode()]


SAAJ = ("Content-Type: multipart/related; type=\"text/xml\";\r\n\tboundary=\"----=_Part_0_1.2\"; \r\n"
        "  start=\"<a@b>\"; action=\"urn:x\"")


def test_a_folded_content_type_is_forwarded_as_one_line(proxy, origin):
    request = get("/api/soap", SAAJ, "Soapaction:\r\n \"urn:do\"", "X-After: 1", "Content-Length: 2", method="POST") + b"ok"
    for size in [len(request), 1, 5]:
        client = proxy.connect()
        client.send_pieces(request[at : at + size] for at in range(0, len(request), size))
        assert client.answer("POST").status == 200
        # The connection goes on, and nothing of this request is left.
        assert client.exchange(get("/api/next")).status == 200
        got = origin.requests[-2]
        assert got.value("content-type") == (b'multipart/related; type="text/xml"; boundary="----=_Part_0_1.2"; '
                                             b'start="<a@b>"; action="urn:x"')
        assert (got.value("soapaction"), got.value("x-after"), got.body) == (b'"urn:do"', b"1", b"ok")
    # Two loops write them, in any order.
    found = [(line["path"], line.get("normalised")) for line in proxy.requests_logged(6)]
    assert sorted(found, key=str) == [("/api/next", None)] * 3 + [("/api/soap", "folded_field")] * 3
    assert kinds(proxy) == {"folded_field": 3}


@pytest.mark.parametrize("lines", [
    "Host: api.internal\r\n x", "Content-Length:\r\n 2", "Content-Length: 2\r\n ", "Transfer-Encoding:\r\n chunked",
    "Connection: close\r\n , x", "Authorization: Basic\r\n YTpi", "Cookie: a=b;\r\n c=d", "X-Any: a\r\n b", "Expect:\r\n 100-continue",
    "X-HTTP-Method-Override:\r\n DELETE", "X-Original-URL: /a\r\n b", "Forwarded: for=1;\r\n by=2", "TE:\r\n trailers",
    "Proxy-Authorization: Basic\r\n YTpi", "Upgrade:\r\n h2c", "Content-Location: /a\r\n b", "Content-Encoding: gzip,\r\n br",
    # Of a field that may be folded, what is no continuation for everyone.
    "Content-Type: a/b;\r\n ", "Content-Type: a/b;\r\n \t ", "Content-Type: a/b\r\n Authorization: mine",
    "Content-Type: a/b\r\n\tContent-Length : 5", "Content-Type: a/b;\r\n c=d\r\n X:y", "Content-Type: a/b;\n c=d",
    "Content-Type: a/b;\r\n c=\x01", "Content-Type: a/b;\r\r\n c=d", "Content_Type: a/b;\r\n c=d", "Content-Type : a/b;\r\n c=d",
    "Content-Type: a/b;\r\n c=d\r\nX-Other: e\r\n f",
])
def test_other_folds_are_refused(proxy, origin, lines):
    client = proxy.connect().send(get("/api/x", lines) + get("/api/next"))
    assert client.answer().status == 400
    client.expect_end()
    assert origin.requests == []


def test_a_fold_in_the_first_line_or_in_a_trailer_is_refused(proxy, origin):
    client = proxy.connect().send(b"GET /api/x HTTP/1.1\r\n Content-Type: a\r\nHost: a\r\n\r\n")
    assert client.answer().status == 400
    request = get("/api/x", "Transfer-Encoding: chunked", method="POST") + b"0\r\nContent-Type: a;\r\n b\r\n\r\n"
    assert proxy.connect().exchange(request, "POST").status in (400, 502)
    assert [each.method for each in origin.requests] in ([], [b"POST"])


def axis(port: int, *lines: str, end: str = "\r\n\r\n", version: str = "1.0") -> bytes:
    """What org.apache.axis.components.net.JSSESocketFactory 1.4 writes."""
    return (f"CONNECT tunnel.example:{port} HTTP/{version}\r\nUser-Agent: AxisClient"
            + "".join(f"\n{line}" for line in lines) + end).encode()


@pytest.fixture
def tunnelling(start_with_names, origin):
    route = {"match": f"tunnel.example:{origin.port}", "mount": None, "audience": None, "tunnel": "blind", "allow_private": "true"}
    proxy = start_with_names(route, lead={"tunnel_example": ["127.0.0.1"]})
    return proxy, origin.port


def test_axis_opens_a_tunnel_although_its_lines_end_with_lf(tunnelling, origin):
    proxy, port = tunnelling
    for size in [1 << 16, 1, 6]:
        request = axis(port, "Content-Length: 0", "Pragma: no-cache")
        client = proxy.connect()
        client.send_pieces(request[at : at + size] for at in range(0, len(request), size))
        assert client.head().status == 200
        # What comes behind the head is the tunnel's, from the first byte on.
        client.send(get("/inside", "Connection: close"))
        assert client.answer().status == 200
        assert origin.requests[-1].target == b"/inside"
        client.close()
    assert [line["normalised"] for line in proxy.requests_logged(3)] == ["bare_lf"] * 3
    assert kinds(proxy) == {"bare_lf": 3}


def test_axis_gives_user_and_password_behind_lf(start_with_names, origin, transcript):
    password = transcript.keep_secret("axis-passw0rd-1")
    route = {"match": f"tunnel.example:{origin.port}", "mount": None, "audience": None, "tunnel": "blind", "allow_private": "true"}
    proxy = start_with_names(
        route, lead={"tunnel_example": ["127.0.0.1"]}, callers={"billing": with_password(password)},
        listen=[{"address": "127.0.0.1:0", "callers": "required"}])
    assert proxy.connect().send(axis(origin.port, "Content-Length: 0", "Pragma: no-cache")).answer().status == 407
    client = proxy.connect().send(axis(origin.port, basic("billing", password), "Content-Length: 0", "Pragma: no-cache"))
    assert client.head().status == 200
    client.close()
    assert [line.get("caller") for line in proxy.requests_logged(2)] == [None, "billing"]


@pytest.mark.parametrize("lines, end", [
    # The head would end earlier for a reader of bare LFs.
    (["", "X: y"], "\r\n\r\n"), (["X: y", ""], "\r\nZ: a\r\n\r\n"), (["X: y"], "\n\r\n\r\n"), (["X: y\r"], "\n\n\r\n\r\n"),
    # Content, in either way of reading.
    (["Content-Length: 5"], "\r\n\r\nhello"), (["Transfer-Encoding: chunked"], "\r\n\r\n0\r\n\r\n"),
    (["Content-Length: 0", "Content-Length: 5"], "\r\n\r\nhello"),
    # Folds, and what is no field.
    (["Pragma: a", " b"], "\r\n\r\n"), (["Pragma: a", "\tb"], "\r\n\r\n"), (["Pragma"], "\r\n\r\n"), (["P\rragma: a"], "\r\n\r\n"),
    (["Pragma : a"], "\r\n\r\n"), (["Pragma: \x00"], "\r\n\r\n"),
])
def test_a_connect_with_bare_lf_and_two_readings_is_refused(tunnelling, origin, lines, end):
    proxy, port = tunnelling
    client = proxy.connect().send(axis(port, *lines, end=end))
    assert client.answer("GET").status == 400
    client.expect_end()
    assert origin.connections == []


@pytest.mark.parametrize("request_bytes", [
    b"GET /api/x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", b"connect a:443 HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\nHost: a\r\n\r\n", b"POST /api/x HTTP/1.1\r\nHost: a\nContent-Length: 0\r\n\r\n",
    b"CONNECTX /api/x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", b"\nCONNECT a:443 HTTP/1.0\r\nA: b\nX: y\r\n\r\n",
])
def test_bare_lf_is_refused_everywhere_else(proxy, origin, request_bytes):
    client = proxy.connect().send(request_bytes)
    assert client.answer().status == 400
    client.expect_end()
    assert origin.requests == []
