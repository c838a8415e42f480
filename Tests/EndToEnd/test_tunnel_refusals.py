"""Tunnels that there are not: what is refused, with which words, and that nothing is sent anywhere."""

import json
import re

import pytest

from harness.client import get
from harness.waiting import poll
from test_tunnel import connect, curl, opened, start, tunnel_route  # noqa: F401 (start is a fixture)

# Of the internet (AS112, RFC 7535); in these tests it is on this machine.
PUBLIC = "192.31.196.1"


def refused(client, message: bytes, status: int) -> dict:
    """The problem of a refusal, after which the connection ends: what comes after it is no request (RFC 9931)."""
    client.send(message + get("http://api.internal/behind"))
    answer = client.answer()
    assert answer.status == status and answer.value("connection") == b"close", answer
    client.expect_end()
    return json.loads(answer.body)


@pytest.fixture
def mixed(start_with_names, origin):
    """api.internal has requests, tunnel.example tunnels, and below wild.example there are both."""
    wild = {"tunnel": "blind", "mount": None, "audience": None}
    return start_with_names(
        {"forward_to": origin.url}, tunnel_route(origin.port, name="tunnels"),
        wild | {"name": "wild", "match": ["*.wild.example", "*.tunnels.wild.example"]},
        {"name": "inside", "match": "api.wild.example/v1/", "mount": None, "forward_to": origin.url},
        {"name": "requests", "match": "*.requests.example", "mount": None, "forward_to": origin.url},
        wild | {"name": "exception", "match": "static.requests.example"},
        lead={"tunnel_example": ["127.0.0.1"]})


@pytest.mark.parametrize("target", ["api.internal:443", "API.internal.:443", "api.internal:80", "api.internal:8443",
                                    "api.wild.example:443", "a.requests.example:443"])
def test_a_host_with_a_route_for_requests_is_never_tunnelled(mixed, origin, authlib, target):
    problem = refused(mixed.connect(), connect(target), 403)
    assert (problem["hop"], problem["title"]) == ("policy", "This host is not for tunnels")
    assert f"http://{target.rpartition(':')[0]}/" in problem["hint"]
    assert mixed.requests_logged(1)[0]["error"] == "tunnel_past_route"
    assert origin.connections == [] and authlib.fetches == []


def test_an_application_with_an_https_url_gets_an_explanation(mixed, origin):
    result = curl(mixed, "https://api.internal/x")
    assert (result.returncode, "403" in result.stderr) == (56, True)
    assert origin.connections == []


@pytest.mark.parametrize("target, match", [
    ("other.example:443", "other.example"), ("Other.Example.:8443", "other.example:8443"), ("192.0.2.1:443", "192.0.2.1"),
    ("[2001:db8::1]:22", "[2001:db8::1]:22"), ("wild.example:443", "wild.example"),
    (f"{'a.' * 50}example:443", f"{'a.' * 50}example"),
])
def test_for_an_unknown_host_the_refusal_shows_what_to_write(mixed, check, target, match):
    problem = refused(mixed.connect(), connect(target), 403)
    line = re.search(r"under routes: (- \{.*?\}) ", problem["hint"])[1]
    assert f'match: "{match}", tunnel: blind' in line
    # Word by word it is a proxy.conf.
    checked = check(f"routes:\n  {line}\n")
    assert checked.returncode == 0, checked.stderr
    logged = mixed.requests_logged(1)[0]
    assert (logged["error"], logged["hint"]) == ("no_route", problem["hint"])


@pytest.mark.parametrize("target, port", [("x.wild.example:22", 443), ("x.wild.example:80", 443), ("tunnel.example:443", None)])
def test_ports_that_are_not_named_are_rejected_with_the_named_ones(mixed, origin, target, port):
    problem = refused(mixed.connect(), connect(target), 403)
    assert problem["title"] == "No tunnel to this port" and target in problem["hint"]
    assert problem["detail"].endswith(f": {port or origin.port}.")
    assert mixed.requests_logged(1)[0]["error"] == "tunnel_port"


def test_a_host_of_tunnels_below_a_wildcard_for_requests_has_no_tunnel_to_other_ports(mixed):
    refused(mixed.connect(), connect("static.requests.example:80"), 403)
    assert mixed.requests_logged(1)[0]["error"] == "tunnel_past_route"


def test_a_host_of_tunnels_is_no_name_of_the_proxy(mixed, origin):
    # A page there could make it lead to this machine, and ask what is mounted here.
    answer = mixed.connect().exchange(get("/api/x", host="static.requests.example"))
    assert (answer.status, json.loads(answer.body)["title"]) == (403, "This is not a name of the proxy")
    assert origin.connections == []


@pytest.mark.parametrize("target", [
    "http://x.wild.example/", "https://x.wild.example/y", "http://static.requests.example/z"])
def test_a_request_for_a_host_of_tunnels_is_refused_and_the_connection_goes_on(mixed, origin, target):
    client = mixed.connect()
    answer = client.exchange(get(target))
    assert (answer.status, json.loads(answer.body)["title"]) == (403, "This host is for tunnels only")
    assert client.exchange(get("http://api.internal/x")).status == 200
    assert [request.target for request in origin.requests] == [b"/x"]
    assert mixed.requests_logged(2)[0]["error"] == "tunnel_only"


@pytest.mark.parametrize("fields", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_content_of_connect_is_refused(start, origin, fields):
    problem = refused(start(origin.port).connect(), connect(f"tunnel.example:{origin.port}", fields), 400)
    assert "CONNECT" in problem["detail"] and origin.connections == []


def test_no_content_is_no_content(start, origin):
    opened(start(origin.port), origin.port, "Content-Length: 0")


@pytest.mark.parametrize("method", ["connect", "Connect"])
def test_what_others_may_take_for_connect_is_not_served(start, origin, method):
    target = f"tunnel.example:{origin.port}"
    refused(start(origin.port).connect(), get(target, host=target, method=method), 501)
    assert origin.connections == []


def test_host_decides_nothing(mixed, origin):
    problem = refused(mixed.connect(), get("api.internal:443", host=f"tunnel.example:{origin.port}", method="CONNECT"), 403)
    assert problem["title"] == "This host is not for tunnels"


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["10.1.2.3"], ["::1"], ["::ffff:127.0.0.1"], ["64:ff9b::a00:1"]])
def test_a_name_that_leads_to_a_private_address_is_refused_unless_the_route_allows_it(start, origin, addresses):
    # The name is written out in proxy.conf, but what it leads to is not, and no certificate is verified.
    proxy = start(origin.port, lead={"tunnel_example": addresses}, allow_private=None)
    problem = refused(proxy.connect(), connect(f"tunnel.example:{origin.port}"), 502)
    assert '"allow_private: true" for the route api' in problem["hint"] and addresses[0] in problem["detail"]
    assert origin.connections == []


@pytest.mark.parametrize("addresses", [["169.254.169.254"], ["fe80::1"], ["0.0.0.0"], ["::ffff:169.254.169.254"]])
def test_some_addresses_are_refused_whatever_the_route_says(start, origin, addresses):
    proxy = start(origin.port, lead={"tunnel_example": addresses})
    problem = refused(proxy.connect(), connect(f"tunnel.example:{origin.port}"), 502)
    assert "allow_private" not in problem["hint"]
    assert origin.connections == []


def test_a_name_that_is_bound_anew_does_not_lead_to_this_machine(start, origin, names):
    proxy = start(origin.port, lead={"tunnel_example": [PUBLIC]}, network={PUBLIC: "127.0.0.1"}, allow_private=None,
                  upstream={"dns_refresh": "1s"})
    opened(proxy, origin.port)
    names.lead(tunnel_example=["127.0.0.1"])
    opens = 1

    def is_refused() -> bool:
        nonlocal opens
        client = proxy.connect()
        status = client.send(connect(f"tunnel.example:{origin.port}")).head().status
        client.close()
        opens += status == 200
        return status == 502

    poll(is_refused, "the end of the earlier address")
    refused(proxy.connect(), connect(f"tunnel.example:{origin.port}"), 502)
    poll(lambda: len(origin.connections) >= opens, "the connections of the tunnels")
    assert len(origin.connections) == opens


def test_a_host_below_a_wildcard_may_be_public_only(start, origin):
    proxy = start(match=f"*.wild.example:{origin.port}", allow_private=None,
                  lead={"a_wild_example": [PUBLIC], "b_wild_example": ["127.0.0.1"]}, network={PUBLIC: "127.0.0.1"})
    client = proxy.connect().send(connect(f"a.wild.example:{origin.port}"))
    assert client.head().status == 200
    refused(proxy.connect(), connect(f"b.wild.example:{origin.port}"), 502)


def test_a_tunnel_to_the_proxy_itself_is_a_loop(start, free_port):
    proxy = start(free_port, listen=[f"127.0.0.1:{free_port}"])
    problem = refused(proxy.connect(), connect(f"tunnel.example:{free_port}"), 508)
    assert "proxy itself" in problem["title"]
    assert len(proxy.requests_logged(1)) == 1


def test_a_client_that_the_route_does_not_allow_has_no_tunnel(start, origin):
    proxy = start(origin.port, allow="10.0.0.0/8")
    problem = refused(proxy.connect(), connect(f"tunnel.example:{origin.port}"), 403)
    assert problem["title"] == "This client may not use the route"
    assert origin.connections == []


@pytest.mark.parametrize("lead, error", [({}, "upstream_dns"), ({"tunnel_example": ["127.0.0.1"]}, "upstream_connect")])
def test_an_unreachable_server_is_an_error_response_and_not_a_tunnel(start, refusing_port, lead, error):
    proxy = start(refusing_port, lead=lead)
    problem = refused(proxy.connect(), connect(f"tunnel.example:{refusing_port}") + b"behind", 502)
    assert f"tunnel.example:{refusing_port}" in problem["detail"] and "http://" not in problem["detail"]
    assert proxy.requests_logged(1)[0]["error"] == error


def test_check_shows_tunnels(check):
    checked = check("""
routes:
  - { name: public, match: ["*.a.example", "b.example:22"], tunnel: blind }
  - { name: private, match: c.example, tunnel: blind, allow_private: true }
""")
    assert [" ".join(line.split()) for line in checked.stdout.splitlines() if not line.startswith("memory ")] == [
        "route public *.a.example, b.example:22 → blind tunnel, public addresses only no token",
        "route private c.example → blind tunnel, public or private no token",
        "proxy.conf is valid."]
