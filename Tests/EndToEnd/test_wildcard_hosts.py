"""Wildcards without forward_to: the client chooses the host, so the address it leads to decides."""

import json

import pytest

from conftest import server_context
from harness.certificates import CertificateAuthority
from harness.client import get
from harness.origin import RawOrigin
from harness.waiting import poll

# An address of the internet (one of AS112, RFC 7535: those for documentation are no public ones), and where it is in these tests.
PUBLIC = "192.31.196.1"
INTERNET = {PUBLIC: "127.0.0.1"}


@pytest.fixture(scope="session")
def wild_context(authority):
    return server_context(authority.issue("wild", "*.wild.example", "wild.example"))


@pytest.fixture
def wild(wild_context):
    """A server of every host below wild.example."""
    server = RawOrigin(wild_context)
    yield server
    server.stop()


@pytest.fixture
def another_wild(wild_context):
    server = RawOrigin(wild_context)
    yield server
    server.stop()


@pytest.fixture
def start(wild, another_wild, start_with_names, authority):
    """Starts a proxy whose route takes the hosts below wild.example, on the port of `wild`."""
    def start(lead, match=None, **route):
        settings = {key: route.pop(key) for key in ["limits", "loops"] if key in route}
        match = match or f"*.wild.example:{wild.port}"
        return start_with_names({"match": match, "mount": None, **route}, lead=lead, network=INTERNET,
                                tls={"ca_file": str(authority.file)}, **settings)
    return start


def refusal(answer, addresses):
    """The problem of a refused address."""
    problem = json.loads(answer.body)
    assert (answer.status, problem["hop"]) == (502, "upstream"), problem
    assert answer.proxy_status == b"m2m-proxy; error=destination_ip_prohibited"
    assert any(address in problem["detail"] for address in addresses)
    return problem


def test_each_request_goes_to_the_host_that_it_names(start, wild, authlib):
    proxy = start({"a_wild_example": [PUBLIC], "b_wild_example": [PUBLIC]})
    for host in ["a.wild.example", "b.wild.example"]:
        assert proxy.connect().exchange(get(f"http://{host}:{wild.port}/x?y")).status == 200
    requests = wild.wait_for_requests(2)
    assert [request.value("host").decode() for request in requests] == [
        f"a.wild.example:{wild.port}", f"b.wild.example:{wild.port}"]
    assert {request.target for request in requests} == {b"/x?y"}
    assert {request.value("authorization") for request in requests} == {f"Bearer {authlib.tokens[0]}".encode()}
    # Names come from clients, and would be labels without number.
    assert "wild.example" not in proxy.metrics()


def test_links_of_a_host_are_distinguished_from_those_of_others(start, wild):
    def script(connection):
        connection.request()
        own, other = f"https://a.wild.example:{wild.port}", f"https://b.wild.example:{wild.port}"
        connection.answer(b"", "302 Found", f"Location: {own}/next", f"Link: <{other}/x>, <{own}>")
        connection.expect_close()

    wild.script(script)
    proxy = start({"a_wild_example": [PUBLIC]}, rewrite_links="on")
    answer = proxy.connect().exchange(get(f"http://a.wild.example:{wild.port}/x"))
    own, other = f"http://a.wild.example:{wild.port}", f"https://b.wild.example:{wild.port}"
    assert answer.value("location") == f"{own}/next".encode()
    assert answer.value("link") == f"<{other}/x>, <{own}/>".encode()


def test_all_spellings_of_a_host_have_the_same_connections(start, wild):
    proxy = start({"a_wild_example": [PUBLIC]}, loops=1)
    for host in ["a.wild.example", "A.WILD.Example", "a.wild.example."]:
        assert proxy.connect().exchange(get(f"http://{host}:{wild.port}/")).status == 200
    assert len(wild.connections) == 1 and len(wild.requests) == 3


PRIVATE = [["127.0.0.1"], ["127.8.8.8"], ["10.1.2.3"], ["172.31.0.1"], ["192.168.1.1"], ["100.64.0.1"], ["198.18.0.1"],
           ["::1"], ["fd00::1"], ["::ffff:127.0.0.1"], ["::ffff:10.0.0.1"], ["64:ff9b::7f00:1"], ["64:ff9b::a00:1"],
           ["2002:7f00:1::1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "169.254.169.254"]]


@pytest.mark.parametrize("addresses", PRIVATE)
def test_a_private_address_is_refused_and_the_hint_names_the_setting(start, wild, addresses):
    proxy = start({"a_wild_example": addresses})
    problem = refusal(proxy.connect().exchange(get(f"http://a.wild.example:{wild.port}/x")), addresses)
    assert '"allow_private: true" for the route api' in problem["hint"]
    assert wild.connections == []
    assert proxy.requests_logged(1)[0]["error"] == "upstream_private"


@pytest.mark.parametrize("addresses", [
    ["169.254.169.254"], ["169.254.1.1"], ["100.100.100.200"], ["fe80::1"], ["fd00:ec2::254"], ["0.0.0.0"], ["::"],
    ["::ffff:169.254.169.254"], ["64:ff9b::a9fe:a9fe"], ["224.0.0.1"],
])
@pytest.mark.parametrize("allowed", ["true", "false"])
def test_some_addresses_are_refused_whatever_the_route_says(start, wild, addresses, allowed):
    proxy = start({"a_wild_example": addresses}, allow_private=allowed)
    problem = refusal(proxy.connect().exchange(get(f"http://a.wild.example:{wild.port}/x")), addresses)
    assert "allow_private" not in problem["hint"]
    assert wild.connections == []


def test_a_route_can_allow_private_addresses(start, wild):
    proxy = start({"a_wild_example": ["127.0.0.1"]}, allow_private="true")
    assert proxy.connect().exchange(get(f"http://a.wild.example:{wild.port}/x")).status == 200


def test_a_private_address_among_others_is_passed_over(start, wild):
    proxy = start({"a_wild_example": ["127.0.0.1", PUBLIC]})
    assert proxy.connect().exchange(get(f"http://a.wild.example:{wild.port}/x")).status == 200
    assert len(wild.connections) == 1


def test_a_name_that_is_bound_anew_does_not_lead_to_this_machine(start, wild, names):
    proxy = start({"a_wild_example": [PUBLIC]}, upstream={"dns_refresh": "1s"})
    client = proxy.connect()
    request = get(f"http://a.wild.example:{wild.port}/x")
    assert client.exchange(request).status == 200
    names.lead(a_wild_example=["127.0.0.1"])
    # Until the name is looked up again its earlier address is used; then the connection that is open ends as well.
    served, refused = 1, None
    while not refused:
        answer = client.exchange(request)
        if answer.status == 200:
            served += 1
        else:
            refused = answer
    refusal(refused, ["127.0.0.1"])
    assert len(wild.requests) == served and len(wild.connections) == 1


def test_a_name_with_two_faces_does_not_lead_to_this_machine(start_with_names, wild, authority):
    # Nothing listens at the public address, so the other one is next.
    proxy = start_with_names(
        {"match": f"*.wild.example:{wild.port}", "mount": None}, lead={"a_wild_example": [PUBLIC, "127.0.0.1"]},
        network={PUBLIC: "127.0.0.2"}, tls={"ca_file": str(authority.file)})
    answer = proxy.connect().exchange(get(f"http://a.wild.example:{wild.port}/x"))
    assert answer.status == 502 and wild.connections == []


def test_a_host_that_is_written_out_beside_the_wildcard_may_be_private(start, wild):
    proxy = start({"wild_example": ["127.0.0.1"], "a_wild_example": ["127.0.0.1"]},
                  match=[f"wild.example:{wild.port}", f"*.wild.example:{wild.port}"])
    client = proxy.connect()
    assert client.exchange(get(f"http://wild.example:{wild.port}/x")).status == 200
    refusal(client.exchange(get(f"http://a.wild.example:{wild.port}/x")), ["127.0.0.1"])
    assert wild.wait_for_requests(1)[0].value("host") == f"wild.example:{wild.port}".encode()
    assert len(wild.connections) == 1


def test_the_certificate_has_to_be_for_the_host_that_was_asked_for(start, wild):
    # One label: the certificate is not for hosts below a.wild.example.
    proxy = start({"b_a_wild_example": [PUBLIC]})
    answer = proxy.connect().exchange(get(f"http://b.a.wild.example:{wild.port}/x"))
    assert (answer.status, answer.proxy_status) == (502, b"m2m-proxy; error=tls_certificate_error")
    assert f"https://b.a.wild.example:{wild.port}" in json.loads(answer.body)["detail"]
    assert wild.requests == []


def test_hosts_give_way_to_others_and_more_than_there_may_be_are_refused(start, wild):
    lead = {f"{name}_wild_example": [PUBLIC] for name in "abc"}
    proxy = start(lead, loops=1, limits={"wildcard_hosts": 1})
    first, second = proxy.connect(), proxy.connect()
    ask = {name: get(f"http://{name}.wild.example:{wild.port}/") for name in "abc"}

    def answer_when_told(connection):
        connection.request()
        assert second.exchange(ask["b"]).status == 503
        connection.answer()
        connection.expect_close()

    wild.script(answer_when_told)
    assert first.exchange(ask["a"]).status == 200
    # a.wild.example is not in use now: its connection gives way.
    assert second.exchange(ask["c"]).status == 200
    wild.wait_for_finished(1)
    line = next(line for line in proxy.requests_logged(3) if line["host"] == "b.wild.example")
    assert (line["error"], line["connect"]) == ("too_many_hosts", "0ms")
    assert 'm2m_proxy_limit_reached_total{limit="wildcard_hosts"} 1' in proxy.metrics()


def test_what_a_route_says_of_tokens_and_throttling_holds_for_each_host(start, wild, authlib):
    statuses = ["401 Unauthorized", "429 Too Many Requests", "200 OK"]

    def script(connection):
        while not connection.at_end():
            connection.request()
            connection.answer(b"ok", statuses.pop(0), "Retry-After: 0")

    wild.otherwise = script
    proxy = start({"a_wild_example": [PUBLIC]}, concurrency=1, throttled={"wait": "1s"}, token={"header": "X-Api-Token"})
    answer = proxy.connect().exchange(get(f"http://a.wild.example:{wild.port}/x", "X-Api-Token: forged"))
    assert answer.status == 200 and len(wild.connections) == 1
    tokens = [request.value("x-api-token").decode() for request in wild.requests]
    assert tokens == [f"Bearer {authlib.tokens[number]}" for number in [0, 1, 1]]
    assert proxy.requests_logged(1)[0]["replayed"] == "401,429"
    poll(lambda: proxy.sample("m2m_proxy_concurrency_in_flight") == 0, "no request under way")


def test_a_host_that_does_not_exist_leaves_no_trace(start, wild):
    proxy = start({}, loops=1, limits={"wildcard_hosts": 1})
    client = proxy.connect()
    for number in range(3):
        answer = client.exchange(get(f"http://n{number}.wild.example:{wild.port}/"))
        assert (answer.status, answer.proxy_status) == (502, b"m2m-proxy; error=dns_error")


def test_check_says_which_addresses_will_do(check):
    checked = check("""
routes:
  - { name: public, match: "*.a.example", credentials: none }
  - { name: private, match: ["*.b.example:8443/x", b.example], credentials: none, allow_private: true }
""")
    assert [" ".join(line.split()) for line in checked.stdout.splitlines() if not line.startswith("memory ")] == [
        "route public *.a.example → https on the requested host, public addresses only no token",
        "route private *.b.example:8443/x, b.example → https on the requested host, public or private no token",
        "proxy.conf is valid."]


def test_connections_to_hosts_below_a_wildcard_end_when_the_authorities_change(start, wild, authority, tmp_path):
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.file.read_bytes())
    proxy = start({"a_wild_example": [PUBLIC], "b_wild_example": [PUBLIC]}, tls={"ca_file": str(file)}, loops=1)
    urls = [f"http://{host}.wild.example:{wild.port}/" for host in "ab"]
    assert [proxy.connect().exchange(get(url)).status for url in urls] == [200, 200]
    assert proxy.sample("m2m_proxy_upstream_connections", upstream="*") == 2
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    file.write_bytes(CertificateAuthority(stranger, "stranger").file.read_bytes())
    proxy.log.wait_for(r"event=tls\b.*certificate=reloaded")
    assert proxy.sample("m2m_proxy_upstream_connections", upstream="*") == 0
    assert [proxy.connect().exchange(get(url)).status for url in urls] == [502, 502]
