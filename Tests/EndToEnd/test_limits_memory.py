"""Clients that read slowly cannot fill the memory: buffers get smaller, requests wait, and then there is 503."""

import contextlib
import re
import selectors
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from harness import content
from harness.client import RawClient, get
from harness.control_group import limited_memory
from harness.proxy import clean_environment
from harness.waiting import PATIENCE, poll
from test_upgrade import handshake, hold_open

pytestmark = pytest.mark.alone

MB = 1 << 20
SLOW = "127.0.0.2"
SMALL = "http://api.internal/echo/agent"
# Their connections alone, and those to the upstream, take three quarters of 16 MB.
CROWD = 700
NONE = {"credentials": "none", "audience": None}


@pytest.fixture
def start(start_proxy, nginx):
    def start(*more, limits={}, **settings):
        return start_proxy(
            NONE | {"forward_to": nginx.url()}, *more, timeouts={"body": "5m"}, loops=2, log={"access": False},
            limits={"upstream_connections": 1000, "client_share": "off"} | limits, **settings)
    return start


@pytest.fixture
def start_with_loops(start_proxy, nginx):
    def start(loops: int, limits: dict):
        return start_proxy(
            NONE | {"forward_to": nginx.url()}, timeouts={"body": "5m"}, loops=loops, log={"access": False},
            # Each loop has its part of them, and the crowd may take all.
            limits={"upstream_connections": 1500 * loops, "client_share": "off"} | limits)
    return start


class SlowReaders:
    """Clients of one address that request much, and read only the beginning of each response."""

    def __init__(self, proxy, count: int, hosts: list[str]):
        self.statuses = []
        self.resets = 0
        """Connections that were closed without a word, as those of a crowd are when little memory is left."""
        self._sockets = []
        with selectors.DefaultSelector() as selector:
            for number in range(count):
                client = socket.socket()
                self._sockets.append(client)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(10)
                client.bind((SLOW, 0))
                client.connect(proxy.address)
                client.sendall(get(f"http://{hosts[number % len(hosts)]}/100000000.bin"))
                selector.register(client, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(10)
                assert ready, f"{len(selector.get_map())} clients were not answered: {self.statuses}"
                for key, _ in ready:
                    selector.unregister(key.fileobj)
                    try:
                        self._note(key.fileobj.recv(1024))
                    except ConnectionResetError:
                        self.resets += 1

    def _note(self, beginning: bytes) -> None:
        assert beginning, "a connection was closed without an answer"
        status = int(beginning[9:12])
        if status == 503:
            assert b"\r\nRetry-After: 1\r\n" in beginning, beginning
        self.statuses.append(status)

    def leave(self) -> None:
        for client in self._sockets:
            client.close()


@pytest.fixture
def slow_readers():
    crowds = []

    def come(proxy, count: int, hosts: list[str] = ["api.internal"]) -> SlowReaders:
        crowds.append(SlowReaders(proxy, count, hosts))
        return crowds[-1]

    yield come
    for crowd in crowds:
        crowd.leave()


class ReturningCrowd:
    """Clients of one address that send `request`, and come again at once when they are rejected."""

    def __init__(self, proxy, count: int, request: bytes):
        self.rejected = 0
        self.failure = None
        self._address = proxy.address
        self._request = request
        self._sockets = {}
        self._selector = selectors.DefaultSelector()
        self._stop = threading.Event()
        for _ in range(count):
            self._come()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _come(self) -> None:
        client = socket.socket()
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind((SLOW, 0))
        client.connect_ex(self._address)
        self._sockets[client] = self._request
        self._selector.register(client, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for key, events in self._selector.select(0.1):
                    self._serve(key.fileobj, events)
        except Exception as failure:
            self.failure = failure

    def _serve(self, client: socket.socket, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                rest = self._sockets[client]
                self._sockets[client] = rest[client.send(rest):]
                if not self._sockets[client]:
                    self._selector.modify(client, selectors.EVENT_READ)
            if events & selectors.EVENT_READ:
                status = client.recv(512)[9:12]
                self._selector.unregister(client)
                if status != b"200":
                    self.rejected += 1
                    self._again(client)
        except BlockingIOError:
            pass
        except OSError:
            self._selector.unregister(client)
            self.rejected += 1
            self._again(client)

    def _again(self, client: socket.socket) -> None:
        del self._sockets[client]
        client.close()
        self._come()

    def leave(self) -> None:
        self._stop.set()
        self._thread.join()
        for client in self._sockets:
            client.close()
        self._selector.close()
        assert self.failure is None, self.failure


RETURNING = {
    "uploads": get("http://api.internal/100000000.bin", "Content-Length: 100000000", method="POST") + b"x" * 60_000,
    "downloads": get("http://api.internal/100000000.bin"),
    "unknown hosts": get("http://unknown.internal/") * 400,
    "long heads": get("http://api.internal/100000000.bin", "X: " + "y" * 7_000),
}


def statuses_of_another_client(proxy, count: int) -> list[int]:
    statuses = []
    for _ in range(count):
        client = proxy.connect()
        statuses.append(client.exchange(get(SMALL, "Connection: close")).status)
        client.close()
    return statuses


@pytest.mark.parametrize(("kind", "count"), [
    ("uploads", 600), ("downloads", 3000), ("long heads", 600), ("unknown hosts", 1000)])
def test_another_client_is_served_while_rejected_clients_come_again_at_once(start, kind, count):
    proxy = start(limits={"memory": "16MB"})
    crowd = ReturningCrowd(proxy, count, RETURNING[kind])
    try:
        poll(lambda: crowd.rejected >= 1000 or crowd.failure, "requests that are rejected")
        statuses = statuses_of_another_client(proxy, 40)
        assert statuses == [200] * 40
        # It was 49 MB with 600 uploads: a request that waited kept a buffer of 80 KB.
        assert proxy.sample("m2m_proxy_memory_bytes") < 17 * MB
    finally:
        crowd.leave()
    poll(lambda: proxy.sample("m2m_proxy_memory_level") == 0, "memory that is free again")


@pytest.mark.parametrize(("count", "limits"), [
    (1500, {"memory": "16MB"}), (1500, {"memory": "32MB", "buffer": "1MB"})], ids=["16MB", "large-buffers"])
def test_refused_connections_hold_no_buffers_however_many_loops_there_are(start_with_loops, count, limits):
    proxy = start_with_loops(16, limits)
    crowd = ReturningCrowd(proxy, count, RETURNING["downloads"])
    try:
        poll(lambda: crowd.rejected >= 1000 or crowd.failure, "requests that are rejected")
        statuses = statuses_of_another_client(proxy, 20)
        # It was 141 MB with 16 loops, and 282 MB of 32 with large buffers.
        assert proxy.sample("m2m_proxy_memory_bytes") < 1.2 * proxy.sample("m2m_proxy_memory_limit_bytes")
        assert statuses == [200] * 20
    finally:
        crowd.leave()


@pytest.mark.parametrize("count", [250, 1000])
def test_a_client_that_does_not_read_the_responses_of_the_proxy_itself_holds_little(start, count):
    proxy = start(limits={"memory": "16MB"})
    unread = get("http://unknown.internal/") * 400
    crowd = []
    try:
        for _ in range(count):
            client = socket.socket()
            crowd.append(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.bind((SLOW, 0))
            client.connect(proxy.address)
            client.setblocking(False)
            with contextlib.suppress(OSError):
                client.send(unread)
        poll(lambda: proxy.sample("m2m_proxy_errors_total", kind="no_route") > 250, "responses that are not read")
        assert statuses_of_another_client(proxy, 20) == [200] * 20
        # It was 18 MB with 250: 128 KB for each response.
        assert proxy.sample("m2m_proxy_memory_bytes") < 16 * MB
    finally:
        for client in crowd:
            client.close()


def anonymous_memory(proxy) -> int:
    lines = Path(f"/proc/{proxy.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


@pytest.fixture
def group():
    with limited_memory(32 * MB) as (group, reason):
        if group is None:
            pytest.skip(f"a control group with a memory limit cannot be made here: {reason}")
        yield group


@pytest.mark.parametrize("upstreams", [1, 8])
def test_five_hundred_slow_readers_in_32_megabytes(group, start, slow_readers, nginx, upstreams):
    hosts = ["api.internal"] + [f"api{number}.internal" for number in range(1, upstreams)]
    others = [NONE | {"name": host, "match": host, "mount": None, "forward_to": nginx.url()} for host in hosts[1:]]
    proxy = start(*others, launcher=group.launcher)
    assert proxy.sample("m2m_proxy_memory_limit_bytes") == 18 * MB
    before = anonymous_memory(proxy)

    readers = slow_readers(proxy, 500, hosts)
    assert set(readers.statuses) <= {200, 503}
    assert readers.statuses.count(200) > 100
    assert proxy.process.poll() is None, "the kernel has killed the process"
    # It was killed, or had nothing but 503 for others: each reader had a buffer of 64 KB.
    assert statuses_of_another_client(proxy, 50) == [200] * 50
    if group.peak is not None:
        assert group.peak < 32 * MB

    readers.leave()
    poll(lambda: proxy.sample("m2m_proxy_connections") == 0 and proxy.sample("m2m_proxy_memory_level") == 0,
         "an account that says that they have left")
    poll(lambda: anonymous_memory(proxy) < before + 8 * MB, "memory that is given back to the system", patience=40)


def test_the_limit_of_a_control_group_is_what_check_and_the_start_say(group, start, binary, tmp_path):
    expected = f"memory   18 MB for buffers and connections: three quarters of what {group.limit_file} leaves"
    proxy = start(launcher=group.launcher)
    assert expected in proxy.messages.text
    checked = subprocess.run([*group.launcher, binary, "check", "--config", proxy.directory / "proxy.conf"],
                             capture_output=True, text=True, check=True, env=clean_environment(CLIENT_SECRET="x"))
    assert expected in checked.stdout
    assert start(limits={"memory": "64MB"}, launcher=group.launcher).sample("m2m_proxy_memory_limit_bytes") == 64 * MB
    off = start(limits={"memory": "off"}, launcher=group.launcher)
    assert off.sample("m2m_proxy_memory_limit_bytes") == float("inf")


def test_another_client_is_served_while_one_has_filled_the_memory(start, slow_readers):
    proxy = start(limits={"memory": "16MB"})
    readers = slow_readers(proxy, CROWD)
    assert readers.statuses.count(503) > 0
    assert proxy.sample("m2m_proxy_errors_total", kind="memory") == readers.statuses.count(503) + readers.resets
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="memory") > 0
    ordinary = [proxy.connect().exchange(get(SMALL)).status for _ in range(20)]
    assert ordinary == [200] * 20
    readers.leave()
    poll(lambda: proxy.sample("m2m_proxy_memory_level") == 0, "memory that is free again")
    assert proxy.connect(source=SLOW).exchange(get(SMALL)).status == 200


def test_heads_that_come_in_part_are_bounded_as_well(start):
    proxy = start(limits={"memory": "16MB"})
    crowd = []
    try:
        for _ in range(1000):
            client = socket.socket()
            crowd.append(client)
            client.bind((SLOW, 0))
            client.connect(proxy.address)
            with contextlib.suppress(OSError):  # It may have been closed already.
                client.sendall(b"GET http://api.internal/x HTTP/1.1\r\nHost: api.internal\r\nX: " + b"y" * 30_000)
        poll(lambda: proxy.sample("m2m_proxy_errors_total", kind="memory") > 0, "heads that are refused")
        for _ in range(20):
            assert proxy.connect().exchange(get(SMALL)).status == 200
            # It was 47 MB.
            assert proxy.sample("m2m_proxy_memory_bytes") < 17 * MB
    finally:
        for client in crowd:
            client.close()
    poll(lambda: proxy.sample("m2m_proxy_memory_level") == 0, "memory that is free again")
    assert proxy.connect().exchange(get(SMALL)).status == 200


def test_connections_that_are_idle_for_longest_are_closed_when_memory_is_tight(start, slow_readers):
    proxy = start(limits={"memory": "16MB"})
    idle = proxy.connect()
    assert idle.exchange(get(SMALL)).status == 200
    readers = slow_readers(proxy, CROWD)
    assert readers.statuses.count(503) > 0
    # One that was used a moment ago is not closed, and nothing is done before a request needs memory.
    idle.socket.setblocking(False)

    def has_ended() -> bool:
        proxy.connect(source=SLOW).exchange(get(SMALL, "Connection: close"))
        try:
            return idle.socket.recv(1) == b""
        except BlockingIOError:
            return False

    poll(has_ended, "the end of the idle connection")


def test_memory_goes_back_to_the_system_when_the_readers_have_left(start, slow_readers):
    proxy = start(limits={"memory": "off"})
    assert proxy.connect().exchange(get(SMALL)).status == 200
    before = anonymous_memory(proxy)
    readers = slow_readers(proxy, 400)
    assert readers.statuses == [200] * 400
    poll(lambda: anonymous_memory(proxy) > before + 30 * MB, "readers that take memory")
    readers.leave()
    poll(lambda: anonymous_memory(proxy) < before + 6 * MB, "memory that is given back to the system", patience=40)


def test_content_arrives_whole_in_small_buffers(start, slow_readers, origin):
    def echo(connection):
        """Both ways in chunks, and with trailers."""
        request = connection.request(sent)
        assert request.target == b"/echo"
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n")
        for piece in content.pieces(3 * MB):
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\nX-End: here\r\n\r\n")
        connection.expect_close()

    sent, got = content.Digest(), content.Digest()
    origin.script(echo)
    proxy = start(NONE | {"name": "echo", "match": "echo.internal", "mount": None, "forward_to": origin.url},
                  limits={"memory": "16MB"})
    slow_readers(proxy, 400)
    assert proxy.sample("m2m_proxy_memory_level") >= 1
    client = proxy.connect()
    client.send(get("http://echo.internal/echo", "Transfer-Encoding: chunked", "TE: trailers", "Connection: TE",
                    host="echo.internal", method="PUT"))
    for piece in content.pieces(3 * MB):
        client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    answer = client.send(b"0\r\n\r\n").answer("PUT", sink=got)
    assert (answer.status, got, sent) == (200, content.digest(3 * MB), content.digest(3 * MB))
    client.close()


def test_a_client_of_a_tls_listener_is_served_as_well(start, slow_readers, authority):
    certificate = authority.issue("memory", "127.0.0.1", "localhost")
    proxy = start(limits={"memory": "16MB"}, listen=["127.0.0.1:0", {
        "address": "127.0.0.1:0", "tls": {"certificate": str(certificate.certificate), "key": str(certificate.key)}}])
    readers = slow_readers(proxy, CROWD)
    assert readers.statuses.count(503) > 0
    port = int(re.search(r"listen +https://127\.0\.0\.1:(\d+)", proxy.messages.text)[1])
    client = RawClient(("127.0.0.1", port))
    client.socket = ssl.create_default_context(cafile=authority.file).wrap_socket(
        client.socket, server_hostname="localhost")
    assert client.exchange(get(SMALL)).status == 200
    client.close()


def test_connections_that_have_changed_their_protocol_count_no_memory_for_a_response(start_proxy, origin):
    """A WebSocket may last for days: what counts is what it takes."""
    count = 200
    proxy = start_proxy(NONE | {"forward_to": origin.url}, loops=1, log={"access": False}, limits={"memory": "16MB"})
    origin.otherwise = hold_open
    proxy.connect().send(handshake()).switched()
    before = proxy.sample("m2m_proxy_memory_bytes")
    clients = [proxy.connect().send(handshake()) for _ in range(count)]
    for client in clients:
        client.switched()
    # 16 KB more while a response is expected. Free buffers go back to the system within seconds.
    poll(lambda: (proxy.sample("m2m_proxy_memory_bytes") - before) / count < 28 * 1024, "little memory for each")


def test_links_that_become_longer_have_room_when_memory_is_short(start, slow_readers, origin):
    mount = "/" + "m" * 60
    proxy = start(NONE | {"name": "links", "match": None, "mount": mount, "forward_to": origin.url}, limits={"memory": "16MB"})
    slow_readers(proxy, 400)
    assert proxy.sample("m2m_proxy_memory_level") >= 1
    begun, rest = threading.Semaphore(0), threading.Event()

    def answer_in_two_parts(connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLink: </a>")
        begun.release()
        assert rest.wait(PATIENCE)
        connection.send(b", </a>" * 199 + b"\r\n\r\n")

    # More than there are free buffers, which are larger.
    origin.otherwise = answer_in_two_parts
    request = b"GET %b/x HTTP/1.1\r\nHost: %b:%d\r\n\r\n" % (mount.encode(), proxy.address[0].encode(), proxy.address[1])
    clients = [proxy.connect().send(request) for _ in range(24)]
    for _ in clients:
        assert begun.acquire(timeout=PATIENCE)
    rest.set()
    for client in clients:
        answer = client.answer()
        assert answer.status == 200, answer.body
        assert answer.value("link").count(mount.encode() + b"/a>") == 200
