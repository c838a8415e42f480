"""Absolute targets that name the proxy's own listener: some clients write all of a base URL into the target."""

import json

import pytest

from harness.client import get


def own(proxy, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{proxy.address[1]}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "a.localhost", "[::ffff:127.0.0.1]"])
def test_the_proxys_own_address_in_the_target_means_the_path(proxy, origin, authlib, host):
    """RFC 9112 section 3.2.2: a server MUST accept the absolute form."""
    for number, (path, sent) in enumerate([("/api/x?y", b"/x?y"), ("/api", b"/"), ("/api?y", b"/?y")]):
        assert proxy.connect().exchange(get(own(proxy, host) + path)).status == 200
        request = origin.requests[number]
        assert (request.target, request.value("host")) == (sent, origin.authority.encode())
        assert request.values("authorization") == [b"Bearer " + authlib.tokens[0].encode()]


def test_host_means_nothing_beside_it(proxy, origin):
    """RFC 9112 section 3.2.2: Host is ignored beside an absolute target."""
    assert proxy.connect().exchange(get(f"{own(proxy)}/api/x", host="evil.example")).status == 200
    assert len(origin.requests) == 1


@pytest.mark.parametrize("path", ["", "/", "/x", "/apis", "?x", "/x/../api/y"])
def test_where_nothing_is_mounted_the_refusal_is_that_of_the_origin_form(proxy, origin, path):
    absolute = proxy.connect().exchange(get(own(proxy) + path))
    plain = proxy.connect().exchange(get(path if path.startswith("/") else "/" + path))
    assert absolute.status == plain.status == 403
    assert absolute.body_without_id == plain.body_without_id
    assert "is mounted at" in json.loads(absolute.body)["detail"] and origin.requests == []


def test_dot_segments_do_not_lead_out_of_the_mount(proxy, origin):
    assert proxy.connect().exchange(get(f"{own(proxy)}/api/../x")).status == 403
    assert origin.requests == []


@pytest.mark.parametrize("host, port, scheme", [
    ("127.0.0.1", 1, "http"), ("127.0.0.1", None, "http"), ("localhost", 1, "http"), ("127.0.0.2", 0, "http"),
    ("[::1]", 0, "http"), ("0.0.0.0", 0, "http"), ("127.0.0.1.example", 0, "http"), ("notlocalhost", 0, "http"),
    ("127.0.0.1", 0, "https"), ("169.254.169.254", 0, "http"),
])
def test_another_address_port_or_scheme_is_another_server(proxy, origin, authlib, host, port, scheme):
    port = f":{port or proxy.address[1]}" if port is not None else ""
    answer = proxy.connect().exchange(get(f"{scheme}://{host}{port}/api/x"))
    assert answer.status == 403 and f"matches {host}" in json.loads(answer.body)["detail"]
    assert origin.requests == [] and authlib.fetches == []


def test_a_port_that_ends_like_ours_is_another(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    for port in {str(proxy.address[1])[1:].lstrip("0"), str(proxy.address[1])[-1]} - {"", "0"}:
        assert proxy.connect().exchange(get(f"http://127.0.0.1:{port}/api/x")).status == 403
    assert origin.requests == []


def test_the_address_of_another_listener_is_not_the_own_one(start_proxy, origin, free_port):
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.0.1:0", f"127.0.0.1:{free_port}"])
    assert proxy.connect().exchange(get(f"http://127.0.0.1:{free_port}/api/x")).status == 403
    assert origin.requests == []


def test_a_listener_on_all_addresses_is_known_by_the_one_that_was_connected_to(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, listen=[{"address": "0.0.0.0:0", "allow": ["127.0.0.0/8"]}])
    port = proxy.address[1]
    for address, expected in [("127.0.0.1", 200), ("127.0.0.3", 403)]:
        proxy.address = ("127.0.0.1", port)
        assert proxy.connect().exchange(get(f"http://{address}:{port}/api/x")).status == expected
    proxy.address = ("127.0.0.3", port)
    assert proxy.connect().exchange(get(f"http://127.0.0.3:{port}/api/x")).status == 200


def test_a_route_that_matches_our_address_comes_first(start_proxy, origin, tls_origin, free_port):
    proxy = start_proxy({"forward_to": origin.url}, {
        "name": "local", "match": f"127.0.0.1:{free_port}/api/deep", "mount": "/elsewhere", "forward_to": f"{origin.url}/l"},
        listen=[f"127.0.0.1:{free_port}"])
    client = proxy.connect()
    assert [client.exchange(get(f"http://127.0.0.1:{free_port}/api/{path}")).status for path in ("deep/x", "x")] == [200] * 2
    assert [request.target for request in origin.requests] == [b"/l/api/deep/x", b"/x"]


@pytest.mark.parametrize("field, status", [
    ("Origin: http://evil.example", 403), ("Sec-Fetch-Site: cross-site", 403), ("Sec-Fetch-Site: same-origin", 200),
])
def test_the_rules_for_web_pages_hold(proxy, origin, field, status):
    assert proxy.connect().exchange(get(f"{own(proxy)}/api/x", field)).status == status
    assert len(origin.requests) == (status == 200)


def test_a_page_of_our_own_origin_is_not_another_s(proxy):
    assert proxy.connect().exchange(get(f"{own(proxy)}/api/x", f"Origin: {own(proxy)}")).status == 200


def test_a_loop_is_still_found(start_proxy, origin, free_port):
    """By the address that is connected to, and by Via."""
    proxy = start_proxy({"forward_to": f"http://127.0.0.1:{free_port}/api"}, {
        "name": "good", "match": "good.internal", "mount": "/good", "forward_to": origin.url}, listen=[f"127.0.0.1:{free_port}"])
    assert proxy.connect().exchange(get(f"http://127.0.0.1:{free_port}/api/x")).status == 508
    assert proxy.connect().exchange(get("http://good.internal/")).status == 200
    via = origin.requests[0].value("via").decode()
    assert proxy.connect().exchange(get(f"http://127.0.0.1:{free_port}/good/x", f"Via: {via}")).status == 508
    assert len(origin.requests) == 1


def test_options_for_the_server_as_a_whole(start_proxy, origin):
    """RFC 9112 section 3.2.4: OPTIONS with an empty path is OPTIONS *."""
    proxy = start_proxy({"forward_to": origin.url, "mount": "/"})
    assert proxy.connect().exchange(get(own(proxy), method="OPTIONS"), "OPTIONS").status == 200
    assert proxy.connect().exchange(get(own(proxy))).status == 200
    assert [request.target for request in origin.requests] == [b"*", b"/"]
