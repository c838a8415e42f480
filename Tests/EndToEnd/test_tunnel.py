"""Tunnels: CONNECT to hosts whose route says so. Bytes go both ways as they are."""

import os
import select
import signal
import socket
import threading

import pytest

from harness.client import get
from harness.output import run
from harness.parent import ScriptedParent
from harness.proxy import clean_environment
from harness.waiting import poll
from test_memory import Peak

MB = 1 << 20


def connect(target: str, *fields: str, version: str = "1.1") -> bytes:
    return get(target, *fields, host=target, method="CONNECT", version=version)


def tunnel_route(*ports: int, **more) -> dict:
    """A route with tunnels to this machine, and without what start_proxy gives to other routes."""
    match = [f"tunnel.example:{port}" for port in ports]
    return {"match": match, "mount": None, "audience": None, "tunnel": "blind", "allow_private": "true"} | more


@pytest.fixture
def start(start_with_names):
    """Starts a proxy with tunnels to tunnel.example, which is this machine."""
    def start(*ports, lead={"tunnel_example": ["127.0.0.1"]}, network={}, **more):
        settings = {key: more.pop(key) for key in ["limits", "loops", "timeouts", "listen"] if key in more}
        return start_with_names(tunnel_route(*ports, **more), lead=lead, network=network, **settings)
    return start


def opened(proxy, port: int, *fields: str, behind: bytes = b"", version: str = "1.1"):
    """A client in whose tunnel everything is ready."""
    client = proxy.connect().send(connect(f"tunnel.example:{port}", *fields, version=version) + behind)
    head = client.head()
    assert (head.status, head.reason) == (200, b"Connection established"), head
    assert not head.value("content-length") and not head.value("transfer-encoding") and not head.value("connection")
    return client


def is_reset(client) -> bool:
    """Whether the connection ends with a reset, once nothing more comes; waits until it has ended."""
    while not client.reader.at_end():
        client.reader.take_buffered()
    return client.reader.was_reset


def open_tunnels(proxy) -> float:
    return proxy.sample("m2m_proxy_tunnels", route="api")


def curl(proxy, *arguments: str):
    return run(["curl", "-sS", "--max-time", "50", "--proxy", proxy.url, *map(str, arguments)], env=clean_environment())


def test_curl_gets_https_through_a_tunnel_and_sees_the_servers_own_certificate(
        start_proxy, nginx, authority, authlib, tmp_path):
    # An address that is written out may be a private one.
    proxy = start_proxy(tunnel_route(match=nginx.authority("tls"), allow_private=None))
    for version in ["--http1.1", "--http1.0"]:
        result = curl(proxy, version, "--cacert", authority.file, nginx.url("tls") + "/1048576.bin", "-o", tmp_path / "got",
                      "-w", "%{http_connect} %{http_code}")
        assert (result.returncode, result.stdout) == (0, "200 200"), result.stderr
        assert (tmp_path / "got").read_bytes() == (nginx.www / "1048576.bin").read_bytes()
    # Nothing is added, and what the application sends itself is its own affair.
    result = curl(proxy, "--cacert", authority.file, nginx.url("tls") + "/echo/authorization", "-H", "Authorization: mine")
    assert (result.stdout, authlib.fetches) == ("mine", [])
    # The application verifies, as if there were no proxy.
    result = curl(proxy, nginx.url("tls") + "/small.txt")
    assert result.returncode == 60 and "certificate" in result.stderr
    line = proxy.requests_logged(4)[0]
    assert (line["method"], line["host"], line["status"], line["route"]) == ("CONNECT", "127.0.0.1", "200", "api")
    assert int(line["sent"]) > MB and int(line["received"]) > 0 and line["upstream"] == "new"
    assert "path" not in line and "error" not in line


def test_bytes_go_both_ways_and_what_is_sent_behind_connect_goes_first(start, origin):
    def script(connection):
        assert connection.reader.exactly(10) == b"\0first\r\n\r\n"
        connection.send(b"\0answer\xff")
        assert connection.reader.exactly(6) == b"second"
        connection.finish_sending()
        connection.expect_close()

    origin.script(script)
    proxy = start(origin.port)
    client = opened(proxy, origin.port, behind=b"\0first\r\n\r\n")
    assert client.reader.exactly(8) == b"\0answer\xff"
    client.send(b"second")
    client.expect_end()
    client.close()
    origin.wait_for_finished(1)
    line = proxy.requests_logged(1)[0]
    assert (line["received"], line["sent"], line["host"]) == ("16", "8", "tunnel.example")
    assert 'm2m_proxy_sent_bytes_total{route="api"} 8' in proxy.metrics()
    assert open_tunnels(proxy) == 0 and proxy.sample("m2m_proxy_requests_total", route="api", status="2xx") == 1


def test_an_http_1_0_client_has_tunnels_too(start, origin):
    client = opened(start(origin.port), origin.port, version="1.0")
    assert client.exchange(get("/x")).status == 200


def test_a_server_that_speaks_first_is_heard(start, origin):
    origin.script(lambda connection: (connection.send(b"220 ready\r\n"), connection.expect_close()))
    client = opened(start(origin.port), origin.port)
    assert client.reader.exactly(11) == b"220 ready\r\n"


def test_a_client_that_ends_what_it_sends_still_gets_what_comes(start, origin):
    def script(connection):
        assert connection.reader.exactly(8) == b"question"
        assert connection.at_end()
        connection.send(b"x" * MB)

    origin.script(script)
    client = opened(start(origin.port), origin.port).send(b"question")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.body_byte_count(MB) == MB
    client.expect_end()
    origin.wait_for_finished(1)


def test_a_server_that_ends_what_it_sends_still_gets_what_comes(start, origin):
    got = []

    def script(connection):
        connection.finish_sending()
        while not connection.at_end():
            got.append(len(connection.reader.take_buffered()))

    origin.script(script)
    client = opened(start(origin.port), origin.port)
    client.expect_end()
    client.send(b"x" * MB)
    client.socket.shutdown(socket.SHUT_WR)
    origin.wait_for_finished(1)
    assert sum(got) == MB


@pytest.mark.parametrize("from_client", [True, False])
def test_a_side_that_takes_nothing_stops_the_other_one_and_memory_does_not_grow(start, origin, from_client):
    done, ready, taken = threading.Event(), [], []

    def script(connection):
        ready.append(connection)
        connection.hold(done)
        if from_client:
            while not connection.at_end():
                taken.append(len(connection.reader.take_buffered()))

    origin.keep_bytes = False
    origin.script(script)
    proxy = start(origin.port, loops=1)
    client = opened(proxy, origin.port)
    poll(lambda: ready, "the connection of the tunnel")
    peak = Peak(proxy.pid)
    sent = fill(client.socket if from_client else ready[0]._socket)
    assert sent > MB and peak.growth < 4 * MB, f"{peak.growth} bytes more after {sent}"
    # What was held up comes when it is wanted.
    if from_client:
        client.socket.shutdown(socket.SHUT_WR)
        done.set()
        origin.wait_for_finished(1)
        assert sum(taken) == sent
    else:
        done.set()
        assert client.body_byte_count(sent) == sent
        client.expect_end()


def fill(source: socket.socket) -> int:
    """Sends until there is no more room, and none is made either; how much that was."""
    sent = looks = 0

    def is_full():
        nonlocal sent, looks
        looks += 1
        while select.select([], [source], [], 0)[1]:
            sent += source.send(b"x" * (1 << 18), socket.MSG_DONTWAIT)
            looks = 0
        return looks > 20

    poll(is_full, "the end of all buffers")
    return sent


def test_a_tunnel_in_which_nothing_moves_is_ended(start, origin):
    origin.script(lambda connection: connection.expect_close())
    proxy = start(origin.port, timeouts={"tunnel": "200ms"})
    client = opened(proxy, origin.port).send(b"x")
    assert is_reset(client)
    origin.wait_for_finished(1)
    line = proxy.requests_logged(1)[0]
    assert (line["status"], line["error"], line["received"]) == ("200", "tunnel_idle", "1")
    assert float(line["total"].removesuffix("ms")) >= 200
    assert open_tunnels(proxy) == 0


def test_a_tunnel_whose_sides_take_nothing_is_ended_too(start, origin):
    done = threading.Event()
    origin.script(lambda connection: connection.hold(done))
    proxy = start(origin.port, timeouts={"tunnel": "200ms"})
    client = opened(proxy, origin.port)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while True:
            client.send(b"x" * MB)
    assert proxy.requests_logged(1)[0]["error"] == "tunnel_idle"
    done.set()


def test_bytes_in_one_direction_keep_a_tunnel_and_total_ends_it_all_the_same(start, origin):
    def script(connection):
        try:
            while True:
                connection.send(b"tick")
        except OSError:
            pass  # Reset, at last.

    origin.script(script)
    proxy = start(origin.port, timeouts={"tunnel": "300ms", "total": "900ms"})
    client = opened(proxy, origin.port)
    assert is_reset(client)
    line = proxy.requests_logged(1)[0]
    assert line["error"] == "out_of_time" and float(line["total"].removesuffix("ms")) >= 900
    origin.wait_for_finished(1)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_client_that_goes_frees_the_upstream_at_once(start, origin, how):
    origin.script(lambda connection: connection.expect_close())
    proxy = start(origin.port, timeouts={"tunnel": "24h"})
    client = opened(proxy, origin.port)
    poll(lambda: open_tunnels(proxy) == 1, "an open tunnel")
    getattr(client, how)()
    origin.wait_for_finished(1)
    line = proxy.requests_logged(1)[0]
    assert line.get("error") == ("client_gone" if how == "reset" else None)
    poll(lambda: open_tunnels(proxy) == 0, "no open tunnel")


def test_a_reset_of_the_server_reaches_the_client_as_one(start, origin):
    def script(connection):
        connection.reader.exactly(4)
        connection.reset()

    origin.script(script)
    proxy = start(origin.port)
    client = opened(proxy, origin.port).send(b"bomb")
    assert is_reset(client)
    assert proxy.requests_logged(1)[0]["error"] == "tunnel_broken"


def test_a_client_that_goes_while_the_proxy_connects_counts_as_gone(start, origin):
    # A port whose queue is full does not respond.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        queued = []
        for _ in range(4):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
            queued.append(each)
        proxy = start(port)
        client = proxy.connect().send(connect(f"tunnel.example:{port}") + b"early")
        poll(lambda: proxy.sample("m2m_proxy_upstream_connections", upstream="*") == 1, "an attempt to connect")
        client.close()
        line = proxy.requests_logged(1)[0]
        assert (line["status"], line["error"], line["sent"]) == ("0", "client_gone", "0")
        poll(lambda: proxy.sample("m2m_proxy_upstream_connections", upstream="*") == 0, "the end of the attempt")
        for each in queued:
            each.close()


def test_tunnels_are_finished_when_the_proxy_stops(start, origin):
    proxy = start(origin.port)
    client = opened(proxy, origin.port)
    assert client.exchange(get("/before")).status == 200
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("draining: 1 request in flight")
    assert client.exchange(get("/after")).status == 200
    client.close()
    assert proxy.wait() == 0
    assert "error" not in proxy.requests_logged(1)[0]


def test_tunnels_that_do_not_end_are_cut_off_when_draining_is_over(start, origin):
    proxy = start(origin.port, timeouts={"drain": "300ms"})
    client = opened(proxy, origin.port)
    assert client.exchange(get("/before")).status == 200
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    assert is_reset(client)
    assert proxy.requests_logged(1)[0]["error"] == "draining"


def test_as_many_tunnels_to_one_host_as_there_may_be_connections(start, origin):
    proxy = start(origin.port, loops=1, limits={"upstream_connections": 1, "queue": 1}, timeouts={"connect": "24h"})
    first = opened(proxy, origin.port)
    second = proxy.connect().send(connect(f"tunnel.example:{origin.port}"))
    poll(lambda: proxy.sample("m2m_proxy_upstream_requests_waiting", upstream="*") == 1, "one that waits")
    third = proxy.connect().send(connect(f"tunnel.example:{origin.port}"))
    answer = third.answer()
    assert (answer.status, answer.value("retry-after")) == (503, b"1")
    third.expect_end()
    first.close()
    assert second.head().status == 200
    assert second.exchange(get("/x")).status == 200


def test_tunnels_leave_nothing_behind(start, origin):
    proxy = start(origin.port, loops=1)

    def descriptors():
        return len(os.listdir(f"/proc/{proxy.pid}/fd"))

    before = descriptors()
    clients = [opened(proxy, origin.port) for _ in range(20)]
    for client in clients:
        assert client.exchange(get("/x")).status == 200
    # Two for each tunnel.
    assert descriptors() == before + 40
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.close()
    proxy.requests_logged(20)
    poll(lambda: descriptors() == before, "as many descriptors as before")


def test_a_tunnel_can_lead_through_a_parent_proxy_which_resolves_the_name(start_proxy, origin):
    # The server speaks as soon as the parent proxy has connected: that is no part of the parent's answer.
    origin.script(lambda connection: (connection.send(b"220 ready\r\n"), connection.expect_close()))
    parent = ScriptedParent({"far.example:443": ("127.0.0.1", origin.port)})
    proxy = start_proxy(tunnel_route(match="far.example", allow_private=None, parent_proxy=parent.url))
    client = proxy.connect().send(connect("far.example:443", "Proxy-Authorization: Basic bWU6bWluZQ=="))
    assert client.head().status == 200 and client.reader.exactly(11) == b"220 ready\r\n"
    # What the client says to this proxy is not for the next one.
    assert [b"bWU6bWluZQ" in head for head in parent.heads] == [False]
    proxy.stop()
    parent.stop()
