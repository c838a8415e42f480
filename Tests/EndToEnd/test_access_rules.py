"""Who may use the proxy: rules by client address, method and path."""

import json
import socket

import pytest

from harness import wire
from harness.client import RawClient, get, post


def client_from(proxy, source: str) -> RawClient:
    """A connection whose client address is `source`: every address of 127.0.0.0/8 is this machine's."""
    client = proxy.connect()
    client.socket.close()
    client.socket = socket.create_connection(proxy.address, timeout=20, source_address=(source, 0))
    client.reader = wire.Reader(lambda: client.socket.recv(1 << 18))
    return client


def problem(answer) -> dict:
    assert answer.value("content-type") == b"application/problem+json"
    return json.loads(answer.body)


def test_a_listener_serves_the_addresses_of_its_list_only(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url},
                        listen=[{"address": "127.0.0.1:0", "allow": ["127.0.0.2", "127.0.1.0/24"]}])
    for source in ["127.0.0.2", "127.0.1.1", "127.0.1.255"]:
        assert client_from(proxy, source).exchange(get("http://api.internal/x")).status == 200
    for source in ["127.0.0.1", "127.0.2.0"]:
        client = client_from(proxy, source)
        answer = client.exchange(get("http://api.internal/x"))
        assert answer.status == 403
        assert source in problem(answer)["detail"] and "127.0.0.1:%d" % proxy.address[1] in problem(answer)["detail"]
        assert "allow" in problem(answer)["hint"]
        assert answer.value("proxy-status").startswith(b"m2m-proxy; error=http_request_denied")
        client.expect_end()
    assert len(origin.requests) == 3
    assert [line.get("error") for line in proxy.requests_logged(5)][3:] == ["client_address", "client_address"]


def test_a_client_that_is_not_admitted_gets_nothing_done_whatever_it_sends(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url}, listen=[{"address": "127.0.0.1:0", "allow": ["127.0.0.9"]}])
    pipelined = get("/api/x") + get("/api/y")
    client = proxy.connect().send(pipelined)
    assert client.answer().status == 403
    client.expect_end()
    assert origin.requests == [] and authlib.fetches == []


def test_a_client_that_is_not_admitted_cannot_keep_a_connection_without_asking(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"head": "200ms", "idle": "24h"},
                        listen=[{"address": "127.0.0.1:0", "allow": ["127.0.0.9"]}])
    proxy.connect().expect_end()


def test_a_route_serves_the_addresses_of_its_list_only(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url},
                        {"name": "few", "match": "few.internal", "mount": "/few", "forward_to": origin.url,
                         "allow": ["127.0.0.2"]})
    assert client_from(proxy, "127.0.0.2").exchange(get("/few/x")).status == 200
    client = proxy.connect()
    for target in ["/few/x", "http://few.internal/x"]:
        answer = client.exchange(get(target))
        assert (answer.status, problem(answer)["route"]) == (403, "few")
        assert "127.0.0.1" in problem(answer)["detail"]
    # The connection, and the other route, are not concerned.
    assert client.exchange(get("/api/x")).status == 200


def test_a_route_serves_the_methods_of_its_list_only(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url, "methods": ["GET", "POST"]})
    client = proxy.connect()
    assert client.exchange(get("/api/x")).status == 200
    assert client.exchange(post("/api/x", b"abc"), "POST").status == 200
    for method in ["HEAD", "DELETE", "PUT", "OPTIONS", "get", "PATCH", "BREW"]:
        answer = client.exchange(get("/api/x", method=method), method)
        assert (answer.status, answer.value("allow")) == (405, b"GET, POST")
        if method != "HEAD":
            assert method in problem(answer)["detail"]
    assert len(origin.requests) == 2


@pytest.mark.parametrize("form", ["/api", "http://api.internal"])
def test_a_route_serves_the_paths_of_its_list_only(start_proxy, origin, form):
    proxy = start_proxy({"forward_to": f"{origin.url}/base", "paths": ["/v1/", "/health"]})
    client = proxy.connect()
    for path in ["/v1/", "/v1/orders?x=1", "/health", "/health?full", "/health/a/../b"]:
        assert client.exchange(get(form + path)).status == 200
    assert all(request.target.startswith(b"/base/") for request in origin.requests) and len(origin.requests) == 5
    for path in ["", "/", "/v1", "/v10/", "/healthy", "/admin?secret=1", "/v1/../admin", "/v1/%2e%2e/admin",
                 "/v1/..%2fadmin", "/health/..;/admin", "//v1/"]:
        answer = client.exchange(get(form + path))
        assert answer.status == 403, path
        assert "secret" not in answer.body.decode()
    assert len(origin.requests) == 5


def test_options_for_the_whole_server_is_below_no_path(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "mount": "/", "paths": ["/v1/"]})
    assert proxy.connect().exchange(get("http://api.internal", method="OPTIONS"), "OPTIONS").status == 403
    assert origin.requests == []


def test_the_warning_about_an_open_listener_is_gone_with_a_rule(start_proxy, origin):
    open_to_all = start_proxy({"forward_to": origin.url}, listen=["0.0.0.0:0"])
    assert "warning" in open_to_all.messages.text and "0.0.0.0:0" in open_to_all.messages.text
    ruled = start_proxy({"forward_to": origin.url}, listen=[{"address": "0.0.0.0:0", "allow": ["127.0.0.0/8"]}])
    assert "warning" not in ruled.messages.text
