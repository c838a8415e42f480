"""Bodies of any size in bounded memory, however slow the other side is."""

import threading

import pytest

from harness import content
from harness.client import get
from harness.peak import Peak
from harness.waiting import poll

MB = 1 << 20
LARGE = [pytest.mark.large, pytest.mark.timeout(900)]
SIZES = [pytest.param(1 << 30, id="1GB"), pytest.param(5 << 30, id="5GB", marks=LARGE)]
ALLOWED_GROWTH = 8 * MB


@pytest.fixture
def quiet_origin(origin):
    origin.keep_bytes = False
    return origin


def give(size: int):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for piece in content.pieces(size):
            connection.send(piece)
        connection.expect_close()
    return script


def take(digest: content.Digest):
    def script(connection):
        connection.request(digest)
        connection.answer()
        connection.expect_close()
    return script


def download(proxy, origin, size: int) -> content.Digest:
    origin.script(give(size))
    got = content.Digest()
    client = proxy.connect().send(get("http://api.internal/down", "Connection: close"))
    client.answer(sink=got)
    client.close()
    return got


def upload(proxy, origin, size: int) -> content.Digest:
    got = content.Digest()
    origin.script(take(got))
    client = proxy.connect()
    client.send(get("http://api.internal/up", f"Content-Length: {size}", "Connection: close", method="PUT"))
    client.send_pieces(content.pieces(size))
    assert client.answer("PUT").status == 200
    client.close()
    return got


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transfer", [download, upload])
def test_a_large_transfer_keeps_memory_flat(start_proxy, quiet_origin, transfer, size):
    # A fresh upstream connection for each transfer: each has its own script.
    proxy = start_proxy({"forward_to": quiet_origin.url}, timeouts={"upstream_idle": "1ms"})
    transfer(proxy, quiet_origin, 20 * MB)
    quiet_origin.wait_for_finished(1)
    peak = Peak(proxy.pid)
    got = transfer(proxy, quiet_origin, size)
    assert got == content.digest(size)
    assert peak.growth < ALLOWED_GROWTH, f"memory grew by {peak.growth / MB:.1f} MB"


def test_an_upstream_that_is_faster_than_its_client_is_slowed_down(start_proxy, quiet_origin):
    proxy = start_proxy({"forward_to": quiet_origin.url}, timeouts={"upstream_idle": "1ms"})
    download(proxy, quiet_origin, 20 * MB)
    quiet_origin.wait_for_finished(1)
    sent = []

    def endless(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        connection._socket.settimeout(0.5)  # A send that cannot go on for this long is blocked.
        try:
            for piece in content.pieces(1 << 32):
                connection.send(piece)
                sent.append(len(piece))
        except TimeoutError:
            stopped.set()
        connection.expect_close()

    stopped = threading.Event()
    quiet_origin.script(endless)
    peak = Peak(proxy.pid)
    client = proxy.connect().send(get("http://api.internal/down"))
    assert client.head().status == 200
    assert stopped.wait(20), "the upstream was never slowed down"
    assert peak.growth < ALLOWED_GROWTH
    client.close()
    quiet_origin.wait_for_finished(2)


def test_a_client_that_is_faster_than_its_upstream_is_slowed_down(start_proxy, quiet_origin):
    go = threading.Event()

    def slow(connection):
        connection.head()
        connection.hold(go)
        connection.expect_close()

    quiet_origin.script(slow)
    proxy = start_proxy({"forward_to": quiet_origin.url})
    peak = Peak(proxy.pid)
    client = proxy.connect().send(get("http://api.internal/up", "Content-Length: 1000000000000", method="PUT"))
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.send_pieces(content.pieces(1 << 32))
    assert peak.growth < ALLOWED_GROWTH
    client.close()
    go.set()
    quiet_origin.wait_for_finished(1)


def test_a_thousand_idle_connections_take_little_memory(start_proxy, quiet_origin):
    proxy = start_proxy({"forward_to": quiet_origin.url})
    warm = proxy.connect()
    assert warm.exchange(get("http://api.internal/")).status == 200
    peak = Peak(proxy.pid)
    clients = [proxy.connect() for _ in range(1_000)]
    for client in clients:
        assert client.exchange(get("http://api.internal/")).status == 200
    poll(lambda: peak.growth < 16 * MB, "an idle connection in 16 KB")
