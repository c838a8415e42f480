"""No descriptor left: waiting instead of spinning, 503 instead of a crash, and everything as before afterwards."""

import json
import os
import resource
from pathlib import Path

import pytest

from harness.client import RawClient, get
from harness.waiting import poll

LIMIT = 'm2m_proxy_limit_reached_total{limit="descriptors"} '


def descriptors(proxy) -> int:
    return len(os.listdir(f"/proc/{proxy.pid}/fd"))


def processor_ticks(proxy) -> int:
    fields = Path(f"/proc/{proxy.pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def allow(proxy, further: int) -> None:
    """Lets the proxy open `further` descriptors more than it has."""
    used = {int(name) for name in os.listdir(f"/proc/{proxy.pid}/fd")}
    limit = next(n for n in range(1 << 20) if n - sum(number < n for number in used) == further + 1) - 1
    hard = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (limit, hard))


class AdminConnection:
    """One that is open already: a new one could not be accepted."""

    def __init__(self, proxy):
        self.client = RawClient(proxy.admin)
        self.client.exchange(get("/healthz", host="localhost"))

    def shortages(self) -> int:
        text = self.client.exchange(get("/metrics", host="localhost")).body.decode()
        return next(int(line.removeprefix(LIMIT)) for line in text.splitlines() if line.startswith(LIMIT))


@pytest.fixture
def proxy(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=1, timeouts={"upstream_idle": "24h"})
    assert proxy.connect().exchange(get("http://api.internal/x")).status == 200  # A token, and a connection to use.
    return proxy


def test_accepting_stops_without_spinning_and_resumes_by_itself(proxy):
    admin = AdminConnection(proxy)
    before = descriptors(proxy)
    allow(proxy, 2)
    clients = [RawClient(proxy.address) for _ in range(8)]
    for client in clients:
        client.send(get("http://api.internal/x"))
    poll(lambda: descriptors(proxy) >= before + 2 and admin.shortages() >= 1, "the end of the descriptors")
    # Two are accepted; the connection to the upstream is for whichever the loop serves first, and none is left for the other.
    answers = [clients.pop(0), clients.pop(0)]
    statuses = sorted(client.answer().status for client in answers)
    assert statuses in ([200, 200], [200, 503])

    # A loop that spins tries thousands of times as often, and uses all of a processor between two tries.
    tries, ticks = admin.shortages(), processor_ticks(proxy)
    poll(lambda: admin.shortages() >= tries + 10, "ten further tries to accept")
    used = (processor_ticks(proxy) - ticks) / os.sysconf("SC_CLK_TCK")
    assert used < 0.5, f"{used} s of processor time for ten tries, which take a second"

    # When served clients leave, the others are served, whichever they are.
    waiting = clients[:]
    for client in answers:
        client.close()
    while waiting:
        client = waiting.pop(0)
        # Two at a time may need a second connection to the upstream, for which there may be no descriptor.
        answer = client.answer()
        assert answer.status == 200 or (answer.status, answer.value("retry-after")) == (503, b"1")
        client.close()
    poll(lambda: descriptors(proxy) <= before, "as many descriptors as before")
    allow(proxy, 100)
    assert proxy.connect().exchange(get("http://api.internal/x")).status == 200


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_connecting_without_a_descriptor_is_a_503_with_retry_after(
        start_proxy, origin, tls_origin, authority, secure):
    upstream = tls_origin if secure else origin

    def once(connection):
        if connection.at_end():
            return  # The proxy had a connection, but no descriptor to go on with it.
        connection.request()
        connection.answer(b"ok", "200 OK", "Connection: close")

    upstream.otherwise = once
    proxy = start_proxy({"forward_to": upstream.url}, loops=1, tls={"ca_file": str(authority.file)})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/x")).status == 200
    admin = AdminConnection(proxy)
    upstream.wait_for_finished(1)
    # Whatever libcurl lacks first: the socket, its helper's, or the copy at the end.
    before = descriptors(proxy)
    seen = set()
    for further in range(0, 8):
        allow(proxy, further)
        answer = client.exchange(get("http://api.internal/x"))
        seen.add(answer.status)
        if answer.status == 200:
            break
        problem = json.loads(answer.body)
        assert (answer.status, answer.value("retry-after"), problem["hop"]) == (503, b"1", "upstream"), (further, problem)
        assert "descriptor" in problem["title"]
        poll(lambda: descriptors(proxy) == before, "as many descriptors as before")
    assert seen == {200, 503}
    assert admin.shortages() >= 1
    poll(lambda: descriptors(proxy) == before, "as many descriptors as before")
    allow(proxy, 100)
