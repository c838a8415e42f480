"""Requests that a browser sends on behalf of a web page: refused on loopback listeners, unless proxy.conf allows them, and
on the admin listener."""

import json

import pytest

from harness.client import RawClient, get
from harness.output import run
from harness.own_network import own_network
from harness.proxy import clean_environment

LISTEN = {"address": "127.0.0.1:0"}


def refused(proxy, request: bytes) -> dict:
    answer = proxy.connect().exchange(request)
    assert answer.status == 403, request
    problem = json.loads(answer.body)
    assert problem["hop"] == "policy" and "browser_requests: allow" in problem["hint"]
    return problem


@pytest.mark.parametrize("target", ["/api/x", "http://api.internal/x"])
@pytest.mark.parametrize("field", [
    "Sec-Fetch-Site: cross-site", "sec-fetch-site: same-site", "Sec-Fetch-Site: something-new", "Sec-Fetch-Site:",
    "Origin: http://evil.example", "Origin: null", "Origin: https://api.internal", "Origin: http://api.internal:81",
    "Origin: http://api.internal.evil.example", "Origin: http://evil.example/api.internal", "origin: http://",
])
def test_a_request_of_a_web_page_is_refused(proxy, origin, authlib, target, field):
    refused(proxy, get(target, field))
    assert origin.requests == [] and authlib.fetches == []


def test_one_bad_sign_among_good_ones_is_enough(proxy, origin):
    refused(proxy, get("/api/x", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"))
    refused(proxy, get("/api/x", "Origin: http://api.internal", "Origin: http://evil.example"))
    assert origin.requests == []


@pytest.mark.parametrize("target", ["/api/x", "http://api.internal/x"])
@pytest.mark.parametrize("fields", [
    [], ["Sec-Fetch-Site: none"], ["Sec-Fetch-Site: same-origin", "Origin: http://api.internal"],
    ["Origin: http://API.internal:80"], ["Referer: http://anything.example/", "User-Agent: Mozilla/5.0"],
])
def test_a_client_that_speaks_for_itself_is_served(proxy, origin, target, fields):
    assert proxy.connect().exchange(get(target, *fields)).status == 200
    assert len(origin.requests) == 1


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:8080", "localhost.evil.example", "0.0.0.0", "10.0.0.1", "[::]", "128.0.0.1",
    "api.internal.evil.example", "notlocalhost",
])
def test_a_name_that_was_made_to_lead_here_is_refused(proxy, origin, authlib, host):
    assert host.split(":")[0].strip("[]") in refused(proxy, get("/api/x", host=host))["detail"]
    assert origin.requests == [] and authlib.fetches == []


@pytest.mark.parametrize("host", [
    "127.0.0.1", "127.9.9.9:1", "[::1]:8080", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.:8080", "a.localhost",
    "api.internal", "API.internal.:8080",
])
def test_a_name_of_this_machine_or_of_the_operator_is_served(proxy, host):
    assert proxy.connect().exchange(get("/api/x", host=host)).status == 200


def test_the_host_of_an_absolute_target_means_nothing(proxy):
    assert proxy.connect().exchange(get("http://api.internal/x", host="evil.example")).status == 200


def test_http_1_0_without_a_host_is_served(proxy):
    assert proxy.connect().exchange(b"GET /api/x HTTP/1.0\r\n\r\n").status == 200


def test_a_preflight_is_refused_without_a_field_that_lets_the_page_read_it(proxy, origin):
    request = get("/api/x", "Origin: http://evil.example", "Access-Control-Request-Method: PUT", method="OPTIONS")
    answer = proxy.connect().exchange(request, "OPTIONS")
    assert answer.status == 403 and origin.requests == []
    assert not any(name.lower().startswith(b"access-control") for name, _ in
                   [(n if isinstance(n, bytes) else n.encode(), v) for n, v in answer.fields])


def test_proxy_conf_can_allow_them(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, listen=[LISTEN | {"browser_requests": "allow"}])
    client = proxy.connect()
    for fields in [["Sec-Fetch-Site: cross-site", "Origin: http://evil.example"], []]:
        assert client.exchange(get("/api/x", *fields, host="evil.example")).status == 200


@pytest.fixture
def network(tmp_path_factory):
    """A network with every address there is, all of them on this machine; `origin` and the proxy are started in it."""
    with own_network(tmp_path_factory.mktemp("own-network") / "hosts") as network:
        yield network


SIGNS = ["Sec-Fetch-Site: cross-site", "Origin: http://evil.example"]


def at(proxy, address: str):
    proxy.address = (address, proxy.address[1])
    return proxy


def test_on_all_addresses_it_depends_on_where_the_connection_leads(network, start_proxy, origin):
    rules = {"address": "0.0.0.0:0", "allow": ["0.0.0.0/0"]}
    proxy = start_proxy({"forward_to": origin.url}, listen=[rules])
    network.expect(proxy.process.pid)
    # DNS rebinding leads to 127.0.0.1.
    for fields, host in [(SIGNS[:1], "localhost"), (SIGNS[1:], "localhost"), ([], "evil.example")]:
        refused(at(proxy, "127.0.0.1"), get("/api/x", *fields, host=host))
        refused(at(proxy, "127.9.9.9"), get("/api/x", *fields, host=host))
    connection = at(proxy, "127.0.0.1").connect()
    for _ in range(2):
        assert connection.exchange(get("/api/x", host="localhost")).status == 200
    # Elsewhere it has names that are not known.
    assert at(proxy, "10.1.2.3").connect().exchange(get("/api/x", *SIGNS, host="proxy.corp.example")).status == 200
    allowing = start_proxy({"forward_to": origin.url}, listen=[rules | {"browser_requests": "allow"}])
    assert at(allowing, "127.0.0.1").connect().exchange(get("/api/x", *SIGNS, host="evil.example")).status == 200
    closed = start_proxy({"forward_to": origin.url}, listen=[rules | {"browser_requests": "refuse"}])
    for sign in SIGNS:
        refused(at(closed, "10.1.2.3"), get("/api/x", sign))
    assert closed.connect().exchange(get("/api/x", host="proxy.corp.example")).status == 200
    refused(at(closed, "127.0.0.1"), get("/api/x", host="proxy.corp.example"))


# The admin listener.

@pytest.mark.parametrize("target", ["/", "/healthz", "/metrics"])
@pytest.mark.parametrize("host, field", [
    ("evil.example", ""), ("evil.example:9901", ""), ("localhost", "Sec-Fetch-Site: cross-site"),
    ("localhost", "Origin: http://evil.example"), ("localhost", "Origin: null"),
])
def test_a_web_page_learns_nothing_from_the_admin_listener(proxy, target, host, field):
    answer = RawClient(proxy.admin).exchange(get(target, *filter(None, [field]), host=host))
    assert answer.status == 403 and b"m2m_proxy_" not in answer.body
    absolute = RawClient(proxy.admin).exchange(get(f"http://evil.example{target}", host="localhost"))
    assert absolute.status == 403 and b"m2m_proxy_" not in absolute.body
    # A page of its own may ask it.
    own = get(target, "Sec-Fetch-Site: same-origin", "Origin: http://localhost:9901", host="localhost:9901")
    assert RawClient(proxy.admin).exchange(own).status == 200


@pytest.mark.parametrize("listen, elsewhere, loopback", [
    ("0.0.0.0:0", "10.42.0.7", "127.0.0.1"), ("[::]:0", "2001:db8::7", "::1")])
def test_an_admin_listener_on_the_network_is_called_by_any_name_but_not_by_pages(
        network, start_proxy, origin, listen, elsewhere, loopback):
    proxy = start_proxy({"forward_to": origin.url}, admin=listen)
    network.expect(proxy.process.pid)
    admin = (elsewhere, proxy.admin[1])
    assert RawClient(admin).exchange(get("/healthz", host="10.42.0.7:9901")).status == 200
    assert RawClient(admin).exchange(get("/metrics", host="m2m-proxy.monitoring.svc")).status == 200
    assert RawClient(admin).exchange(get("/metrics", "Sec-Fetch-Site: cross-site", host="10.42.0.7")).status == 403
    assert RawClient(admin).exchange(get("/metrics", "Origin: http://evil.example", host="10.42.0.7")).status == 403
    # On loopback it has loopback's names: others were made to lead there.
    local = (loopback, proxy.admin[1])
    answer = RawClient(local).exchange(get("/metrics", host="evil.example"))
    assert answer.status == 403 and b"m2m_proxy_" not in answer.body
    assert RawClient(local).exchange(get("/metrics", host="localhost:9901")).status == 200


@pytest.mark.parametrize("address, asked", [
    ("127.0.0.1:0", "127.0.0.1:%d"), ("[::1]:0", "[::1]:%d"), ("0.0.0.0:0", "0.0.0.0:%d"), ("[::]:0", "[::]:%d"),
])
def test_the_health_check_uses_a_name_that_is_served(start_proxy, origin, binary, address, asked):
    proxy = start_proxy({"forward_to": origin.url}, admin=address)
    command = [str(binary), "health", "--address", asked % proxy.admin[1]]
    assert run(command, env=clean_environment()).stdout == "ok\n"
