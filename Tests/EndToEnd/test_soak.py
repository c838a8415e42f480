"""Half an hour with short-lived tokens, a token endpoint that fails in every way, and an API that revokes tokens: no client
sees an error that the proxy could have hidden, and hardly a token too many is fetched."""

import asyncio
import os
import re
import socket
import time
from collections import Counter

import pytest

from harness.soak import AUDIENCE, Soak
from harness.token_faults import FaultLayer
from harness.waiting import poll
from test_token_faults import ROWS

MB = 1 << 20
DURATION = float(os.environ.get("M2M_SOAK_SECONDS", 1_800))
BEGINNING = 0.1
"""The part of it after which memory is measured."""

# All but those that ask to be left alone for minutes, or need a server with another clock.
KINDS = {name: row.fault for name, row in ROWS.items()
         if (row.retry_after or (0, 0))[1] <= 10 and name != "token-that-has-expired"}


def descriptors(proxy) -> int:
    return len(os.listdir(f"/proc/{proxy.pid}/fd"))


def resident(proxy) -> int:
    with open(f"/proc/{proxy.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def quiet(proxy) -> int:
    """The number of descriptors when it no longer falls."""
    counts = [descriptors(proxy)]

    def rests():
        counts.append(descriptors(proxy))
        return len(counts) > 150 and len(set(counts[-100:])) == 1

    poll(rests, "the descriptors coming to rest")
    return counts[-1]


@pytest.fixture
def layer(authlib):
    layer = FaultLayer(authlib)
    yield layer
    layer.stop()


@pytest.mark.large
@pytest.mark.timeout(DURATION * 1.5 + 300)
def test_clients_do_not_notice_failures_that_can_be_hidden(layer, start_proxy, authlib):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    proxy = start_proxy(
        {"forward_to": "http://127.0.0.1:%d" % listener.getsockname()[1], "audience": AUDIENCE},
        credentials={"kinde": authlib.credential(token_endpoint=layer.url("/token"), timeout="3s")},
        loops=2, log={"access": False}, timeouts={"upstream_idle": "300ms"})
    soak = Soak(layer, KINDS, seed=7)
    asyncio.run(soak.run(proxy.address, listener, DURATION * BEGINNING))
    before, memory = quiet(proxy), resident(proxy)
    fetches, fetched = len(soak.record.deliveries), layer.asked["/token"]
    outcomes = Counter(soak.outcomes)
    began = time.monotonic()
    asyncio.run(soak.run(proxy.address, listener, DURATION * (1 - BEGINNING)))
    ended = time.monotonic()
    after, growth = quiet(proxy), resident(proxy) - memory
    listener.close()

    record = soak.record
    least, actual = record.least_fetches(began, ended), sum(began <= each.at < ended for each in record.deliveries)
    reasons = Counter(re.findall(r"event=token\b.*?\breason=(\w+).*?\bresult=(\w+)", proxy.log.text))
    down = sum(end - start for start, end in record.outages if start >= began)
    print(f"{ended - began:.0f} s: {dict(soak.outcomes - outcomes)}")
    print(f"tokens {actual}, at least {least} ({actual / least:.3f}); {layer.asked['/token'] - fetched} requests for them; "
          f"{len(record.outages)} outages ({down:.0f} s); {len(record.revocations)} revocations; "
          f"faults {Counter(kind for _, kind in record.faults).most_common(8)}")
    print(f"log: {dict(reasons)}; slowest answer while there was a token {soak.slowest * 1000:.0f} ms; "
          f"descriptors {before}, then {after}; memory {memory / MB:.1f} MB {growth / MB:+.1f} MB")
    assert actual <= least * 1.05 + 1
    assert soak.outcomes["200"] > 10 * (ended - began)
    assert after == before
    assert growth < 6 * MB
