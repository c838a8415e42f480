"""Old clients that write requests in a way of their own: what has one reading is corrected, and the log says so."""

import base64
import socket

import pytest

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
def test_user_and_password_become_basic_where_the_clients_own_credentials_go_on(start_proxy, origin, userinfo, pair):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    assert proxy.connect().exchange(get(f"http://{userinfo}@api.internal/x")).status == 200
    assert origin.requests[0].values("authorization") == [b"Basic " + base64.b64encode(pair)]
    assert proxy.requests_logged(1)[0]["normalised"] == "userinfo"


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
                                                    "forward_to": origin.url})
    for raw, encoded in {"/caf\xc3\xa9/x": "/caf%C3%A9/x", '/a"b': "/a%22b", "/x/..;/{": "/x/..;/%7B"}.items():
        sent = [proxy.connect().exchange(get(f"http://api.internal{path}")).status for path in (raw, encoded)]
        assert sent[0] == sent[1], raw
    lines = proxy.requests_logged(6)
    for raw, encoded in zip(lines[::2], lines[1::2]):
        assert (raw.get("route"), raw["path"], raw["status"]) == (encoded.get("route"), encoded["path"], encoded["status"])
