"""Clients that vanish without a word: TCP asks whether they are still there."""

import re

import pytest

from harness.client import get
from harness.output import run
from harness.own_network import own_network
from harness.proxy import clean_environment
from harness.waiting import poll


def timers(proxy) -> list[str]:
    """The timers of the proxy's open connections to clients, as the kernel shows them."""
    result = run(["ss", "-tnoH", "state", "established", f"( sport = :{proxy.address[1]} )"], env=clean_environment())
    assert result.returncode == 0, result.stderr
    return [match[1] if (match := re.search(r"timer:\((\w+),", line)) else "none" for line in result.stdout.splitlines()]


@pytest.mark.parametrize("setting, timer", [({}, "keepalive"), ({"tcp_keepalive": "5s"}, "keepalive"), ({"tcp_keepalive": "off"}, "none")])
@pytest.mark.parametrize("loops", [1, 2])
def test_the_kernel_asks_for_the_other_end_unless_that_is_off(start_proxy, origin, setting, timer, loops):
    proxy = start_proxy({"forward_to": origin.url}, timeouts=setting, loops=loops)
    clients = [proxy.connect() for _ in range(4)]
    for client in clients:
        assert client.exchange(get("/api/x")).status == 200
    # Right after a response its acknowledgement may be what is waited for.
    poll(lambda: timers(proxy) == [timer] * 4, f"four connections with the timer {timer}")


@pytest.fixture
def network(tmp_path_factory):
    with own_network(tmp_path_factory.mktemp("own-network") / "hosts") as network:
        yield network


def test_a_client_that_vanishes_frees_what_it_holds(network, start_proxy, origin):
    def wait(connection):
        connection.request()
        connection.expect_close()

    origin.script(wait)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"tcp_keepalive": "1s", "first_byte": "10m"})
    network.expect(proxy.process.pid)
    client = proxy.connect(source="10.9.9.9").send(get("/api/slow"))
    origin.wait_for_requests(1)
    # From now on nothing reaches the client, and nothing says so.
    result = run(["ip", "route", "add", "blackhole", "10.9.9.9/32"])
    assert result.returncode == 0, result.stderr
    origin.wait_for_finished(1)
    line, = proxy.requests_logged(1)
    assert line["error"] == "client_gone"
    client.close()
