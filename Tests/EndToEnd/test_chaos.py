"""Both sides fail at any byte: nothing hangs, nothing half looks whole, no answer is another one's, nothing leaks."""

import asyncio
import os
import socket
import time

import pytest

from harness.chaos import Chaos, at_random, byte_by_byte, every_position
from harness.streams import serve
from harness.waiting import poll

MB = 1 << 20
LARGE = [pytest.mark.large, pytest.mark.timeout(3_600)]


def descriptors(proxy) -> int:
    return len(os.listdir(f"/proc/{proxy.pid}/fd"))


def resident(proxy) -> int:
    with open(f"/proc/{proxy.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Run:
    """A proxy in front of an origin that does what each exchange says."""

    def __init__(self, start_proxy):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.proxy = start_proxy(
            {"forward_to": "http://127.0.0.1:%d" % self._listener.getsockname()[1]}, log={"access": False},
            timeouts={"head": "4s", "body": "4s", "first_byte": "4s", "upstream_idle": "300ms"})

    def __call__(self, exchanges, connections: int) -> Chaos:
        async def run():
            chaos = Chaos(self.proxy.address)
            origin = asyncio.create_task(serve(self._listener, chaos.converse))
            try:
                await chaos.run(exchanges, connections)
            finally:
                origin.cancel()
                await asyncio.gather(origin, return_exceptions=True)
            return chaos

        return asyncio.run(run())

    def wait_until_quiet(self) -> int:
        """The number of descriptors when nothing is open any more: it no longer falls."""
        counts = [descriptors(self.proxy)]

        def quiet():
            counts.append(descriptors(self.proxy))
            return len(counts) > 150 and len(set(counts[-100:])) == 1

        poll(quiet, "the descriptors coming to rest")
        return counts[-1]

    def close(self):
        self._listener.close()


@pytest.fixture
def run(start_proxy):
    run = Run(start_proxy)
    yield run
    run.close()


def test_a_fault_at_every_byte_of_a_message(run):
    run(at_random(200, seed=0), 16)
    before = run.wait_until_quiet()
    run(byte_by_byte(), 2)
    exchanges = every_position()
    chaos = run(exchanges, 256)
    print(len(exchanges), dict(chaos.outcomes))
    assert len(exchanges) > 2_000
    # Each way to fail was seen.
    assert min(chaos.outcomes[name] for name in ["502", "504", "incomplete", "client: broke off"]) > 100
    assert run.wait_until_quiet() == before


@pytest.mark.parametrize("count", [
    pytest.param(2_000, id="2000"), pytest.param(100_000, id="100000", marks=LARGE)])
def test_random_faults_on_64_connections(run, count):
    began = time.monotonic()
    first = run(at_random(count // 2, seed=1), 64)
    before, memory = run.wait_until_quiet(), resident(run.proxy)
    second = run(at_random(count // 2, seed=2), 64)
    took = time.monotonic() - began
    assert run.wait_until_quiet() == before
    # The loops' pools of buffers fill up little by little; what is lost would go on growing.
    growth = resident(run.proxy) - memory
    outcomes = first.outcomes + second.outcomes
    print(f"{count} exchanges in {took:.1f} s, {growth / MB:+.1f} MB, {before} descriptors", dict(outcomes))
    assert sum(outcomes.values()) == count
    assert growth < 6 * MB
