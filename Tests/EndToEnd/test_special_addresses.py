"""Addresses that are not of the internet: in a network where each of them exists, and a server listens on all of them, the
proxy connects to those that it may connect to, and to no other."""

import ipaddress
import json
import socket

import pytest

from conftest import server_context
from harness.client import get
from harness.origin import RawOrigin
from harness.own_network import own_network
from test_tunnel import connect

# Hosts of the internet. The last two carry one of IPv4.
PUBLIC = ["8.8.8.8", "223.255.255.255", "192.0.0.9", "192.0.0.10", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2a00:1450::1",
          "2001:1::1", "2001:3::1", "2001:4:112::1", "2001:20::1", "2001:30::1", "2620:4f:8000::1", "64:ff9b::808:808",
          "2002:808:808::1"]
# Below wildcards and in tunnels only with allow_private: private, reserved, for documentation, for protocols. Those of the last
# lines carry one of IPv4.
RESTRICTED = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.0.1", "192.0.0.170", "192.0.2.1",
    "198.51.100.7", "203.0.113.1", "192.88.99.1", "192.88.99.2", "240.0.0.1", "255.255.255.254",
    "::1", "fc00::1", "fd00::1", "fec0::1", "100::1", "100:0:0:1::1", "2001:2::1", "2001:10::1", "2001:db8::1", "3fff::1", "5f00::1",
    "1fff::1", "4000::1", "fe00::1",
    "64:ff9b::a00:1", "64:ff9b:1::808:808", "64:ff9b::cb00:7101", "2002:a00:1::1", "2002:f000:1::1", "::ffff:0:808:808",
    "::ffff:0:a00:1", "::808:808", "2001:0:808:808::f7f7:f7f7", "2001:0:808:808::f5ff:fffe", "2001:0:a00:1::f7f7:f7f7",
    "2a00:1450::5efe:a00:1", "2a00:1450::200:5efe:7f00:1",
]
# Nowhere, whatever the route says.
FORBIDDEN = [
    "0.0.0.0", "0.1.2.3", "169.254.1.1", "169.254.169.254", "100.100.100.200", "100.96.0.96", "168.63.129.16", "192.0.0.192", "224.0.0.1",
    "255.255.255.255", "::", "fe80::1", "ff02::1", "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::1", "::ffff:0:a9fe:a9fe",
    "::a9fe:a9fe", "2001:0:808:808::5601:5601", "2001:0:a9fe:a9fe::f7f7:f7f7", "2a00:1450::5efe:a9fe:a9fe",
]


@pytest.fixture(scope="module", autouse=True)
def network(tmp_path_factory):
    with own_network(tmp_path_factory.mktemp("own-network") / "hosts") as network:
        yield network


class Servers:
    """One for https and one for what is in tunnels; both listen on every address."""

    def __init__(self, authority):
        self.secure = RawOrigin(server_context(authority.issue("special", "*.wild.example")), everywhere=True)
        self.plain = RawOrigin(everywhere=True)

    @property
    def reached(self) -> list:
        """Which addresses the proxy connected to."""
        addresses = [ipaddress.ip_address(connection.address)
                     for server in [self.secure, self.plain] for connection in server.connections]
        # The servers see IPv4 as it is mapped into IPv6.
        return [getattr(address, "ipv4_mapped", None) or address for address in addresses]


@pytest.fixture
def servers(authority):
    servers = Servers(authority)
    yield servers
    servers.secure.stop()
    servers.plain.stop()


@pytest.fixture
def outcomes(servers, network, start_proxy, authority):
    """What becomes of a request below a wildcard, and of one through a tunnel, for each of some addresses that names lead to:
    the answers of the proxy or the server."""
    def outcomes(addresses: list[str], **route):
        network.lead(**{f"host-{number}_{domain}_example": address for number, address in enumerate(addresses)
                        for domain in ["wild", "tunnel"]})
        wild, tunnel = servers.secure.port, servers.plain.port
        defaults = {"mount": None, "audience": None} | route
        proxy = start_proxy(
            {"name": "wild", "match": f"*.wild.example:{wild}", "credentials": "none"} | defaults,
            {"name": "tunnel", "match": f"*.tunnel.example:{tunnel}", "tunnel": "blind"} | defaults,
            launcher=network.launcher, tls={"ca_file": str(authority.file)})
        network.expect(proxy.pid)
        return [(proxy.connect().exchange(get(f"http://host-{number}.wild.example:{wild}/x")),
                 through_tunnel(proxy, f"host-{number}.tunnel.example:{tunnel}")) for number in range(len(addresses))]
    return outcomes


def through_tunnel(proxy, target: str):
    """The answer to a request through a tunnel, or the one that says why there is no tunnel."""
    client = proxy.connect()
    if client.send(connect(target)).head().status == 200:
        answer = client.exchange(get("/x"))
        client.close()
        return answer
    return proxy.connect().exchange(connect(target))


def statuses(addresses, found) -> list[tuple]:
    return [(address, *[answer.status for answer in answers]) for address, answers in zip(addresses, found, strict=True)]


def expect_refused(addresses, found, hint: bool) -> None:
    assert statuses(addresses, found) == [(address, 502, 502) for address in addresses]
    for address, answers in zip(addresses, found):
        for answer in answers:
            problem = json.loads(answer.body)
            assert answer.proxy_status == b"m2m-proxy; error=destination_ip_prohibited", (address, problem)
            assert socket.inet_ntop(*packed(address)) in problem["detail"], problem
            assert ("allow_private: true" in problem["hint"]) == hint, problem


def packed(address: str) -> tuple:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def expect_reached(addresses, found, servers) -> None:
    """Request and tunnel were answered, by the very addresses."""
    assert statuses(addresses, found) == [(address, 200, 200) for address in addresses]
    assert servers.reached == [ipaddress.ip_address(address) for address in addresses] * 2


def test_hosts_of_the_internet_are_connected_to(outcomes, servers):
    expect_reached(PUBLIC, outcomes(PUBLIC), servers)


def test_other_addresses_are_refused_below_a_wildcard_and_in_a_tunnel(outcomes, servers):
    expect_refused(RESTRICTED, outcomes(RESTRICTED), hint=True)
    assert servers.reached == []


def test_a_route_can_allow_them(outcomes, servers):
    expect_reached(RESTRICTED, outcomes(RESTRICTED, allow_private="true"), servers)


@pytest.mark.parametrize("allowed", ["true", "false"])
def test_some_are_refused_whatever_the_route_says(outcomes, servers, allowed):
    expect_refused(FORBIDDEN, outcomes(FORBIDDEN, allow_private=allowed), hint=False)
    assert servers.reached == []


# Of these not all versions of Python that are in use say the same: newer ones know more of the registries.
UNDECIDED = ["192.0.0.1", "192.88.99.1", "192.88.99.2", "fec0::1", "100:0:0:1::1", "3fff::1", "5f00::1"]


def test_python_is_of_the_same_opinion(outcomes):
    addresses = ["8.8.8.8", "223.255.255.255", "192.31.196.1", "2a00:1450::1", "2620:4f:8000::1",
                 *[address for address in RESTRICTED[:RESTRICTED.index("1fff::1")] if address not in UNDECIDED]]
    expected = {address: 200 if ipaddress.ip_address(address).is_global else 502 for address in addresses}
    assert set(expected.values()) == {200, 502}
    assert statuses(addresses, outcomes(addresses)) == [(address, status, status) for address, status in expected.items()]


@pytest.mark.parametrize("address", ["240.0.0.1", "198.51.100.7", "[2001:db8::1]", "[100::1]"])
def test_a_host_that_the_operator_wrote_out_may_be_any_of_them(servers, network, start_proxy, address):
    proxy = start_proxy({"forward_to": f"http://{address}:{servers.plain.port}", "credentials": "none", "audience": None},
                        launcher=network.launcher)
    network.expect(proxy.pid)
    assert proxy.connect().exchange(get("/api/x")).status == 200
    assert servers.reached == [ipaddress.ip_address(address.strip("[]"))]
