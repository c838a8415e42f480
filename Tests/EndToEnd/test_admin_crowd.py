"""The admin listener while a crowd of connections wants all its places."""

import contextlib
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import uuid

import pytest
from harness.client import RawClient
from harness.output import run
from harness.peak import Peak
from harness.waiting import PATIENCE

pytestmark = pytest.mark.alone

CROWDS = [64, 200, 1000]
METRICS = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(autouse=True)
def descriptors():
    """Enough of them for the tests' side of a crowd."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("a crowd takes 4096 descriptors (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def crowd(address, size: int, data: bytes = b"", receive_buffer: int | None = None):
    with contextlib.ExitStack() as stack:
        members = []
        for _ in range(size):
            member = stack.enter_context(socket.socket())
            if receive_buffer:
                member.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            member.settimeout(PATIENCE)
            member.connect(address)
            # One that had to give way already does not mind.
            with contextlib.suppress(ConnectionError):
                member.sendall(data)
            members.append(member)
        yield members


def health(proxy, *more: str):
    return run([str(proxy.binary), "health", "--address", "%s:%d" % proxy.admin, *more])


def check(proxy) -> None:
    result = health(proxy)
    assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr
    assert "m2m_proxy_connections " in proxy.metrics()


@pytest.mark.parametrize("size", CROWDS)
def test_silent_connections_give_way(start_proxy, origin, size):
    proxy = start_proxy({"forward_to": origin.url}, loops=1)
    with crowd(proxy.admin, size) as members:
        check(proxy)
        # One that was accepted in the first turns of the loop had to go. The last ones still have a place.
        ended, _, _ = select.select(members[:32], [], [], PATIENCE)
        assert ended and ended[0].recv(1) == b""
        members[-1].sendall(METRICS)
        assert members[-1].recv(12) == b"HTTP/1.1 200"
        assert proxy.connect().exchange(b"GET http://api.internal/x HTTP/1.1\r\nHost: api.internal\r\n\r\n").status == 200


@pytest.mark.parametrize("size", CROWDS)
def test_heads_that_do_not_end_give_way(start_proxy, origin, size):
    proxy = start_proxy({"forward_to": origin.url}, loops=1)
    with crowd(proxy.admin, size, b"GET /metrics HT") as members:
        for member in members:
            with contextlib.suppress(ConnectionError):
                member.sendall(b"T")
        check(proxy)


@pytest.mark.parametrize("size", CROWDS)
def test_readers_that_do_not_read_give_way(start_proxy, origin, size):
    """Each requests the metrics of many routes over and over, and reads nothing of them."""
    routes = [{"forward_to": origin.url, "name": f"route-{number}", "match": f"h{number}.internal", "mount": f"/h{number}"}
              for number in range(100)]
    proxy = start_proxy(*routes, loops=1)
    with crowd(proxy.admin, size, METRICS * 20, receive_buffer=4096):
        # Writing the metrics costs more here than it is worth: patience for the loop, not for places.
        result = health(proxy, "--timeout", str(int(PATIENCE)))
        assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr
        assert "m2m_proxy_connections " in proxy.metrics()


def test_slow_readers_of_long_metrics_share_them(start_proxy, origin):
    routes = [{"forward_to": origin.url, "name": f"route-{number:058}", "match": f"h{number}.internal", "mount": f"/h{number}"}
              for number in range(490)]
    proxy = start_proxy(*routes, loops=1)
    size = len(proxy.metrics())
    assert size > 1_000_000
    peak = Peak(proxy.pid)
    with crowd(proxy.admin, 30, METRICS, receive_buffer=4096) as members:
        # All of them have the beginning of theirs.
        for member in members:
            assert member.recv(12) == b"HTTP/1.1 200"
        # Each of them held a copy: 31 times the size.
        assert peak.growth < 8 * size
    assert "m2m_proxy_connections " in proxy.metrics()


def test_a_head_has_5_seconds_as_a_whole_and_then_gets_408(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    client = RawClient(proxy.admin)
    client.send(b"GET /healthz HT")
    assert client.answer().status == 408
    client.close()


def test_health_reports_a_silent_listener(binary):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "127.0.0.1:%d" % silent.getsockname()[1]
        result = run([str(binary), "health", "--address", address, "--timeout", "1"])
        assert (result.returncode, result.stderr) == (1, f"m2m-proxy: {address}: no response in 1 s\n")
        result = run([str(binary), "health", "--address", address, "--timeout", "0"])
        assert result.returncode == 64 and "from 1 to 3600" in result.stderr


# A crowd on another machine. It keeps every place it can get busy: whenever a connection ends it makes another one.
REMOTE = """
import selectors, socket, sys
selector = selectors.DefaultSelector()
def join():
    member = socket.create_connection(("10.99.0.1", int(sys.argv[1])))
    member.setblocking(False)
    selector.register(member, selectors.EVENT_READ)
for _ in range(int(sys.argv[2])): join()
print("joined", flush=True)
while True:
    for key, _ in selector.select():
        selector.unregister(key.fileobj)
        key.fileobj.close()
        join()
"""


@pytest.fixture
def two_machines():
    """Two networks with a cable between them and nothing else: 10.99.0.1 and 10.99.0.2. Yields what starts a process in each."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("it takes root and ip (iproute2) to make two networks")
    names = [f"m2m-{uuid.uuid4().hex[:8]}-{number}" for number in (1, 2)]
    made = []
    try:
        for name in names:
            result = run(["ip", "netns", "add", name])
            if result.returncode != 0:
                pytest.skip(f"no network of our own is to be had here: {result.stderr.strip()}")
            made.append(name)
        commands = [["link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1]]]
        for number, name in enumerate(names, 1):
            for command in ["link set lo up", f"addr add 10.99.0.{number}/24 dev cable", "link set cable up"]:
                commands.append(["-n", name, *command.split()])
        for command in commands:
            result = run(["ip", *command])
            if "veth" in command and result.returncode != 0:
                pytest.skip(f"no veth is to be had here: {result.stderr.strip()}")
            assert result.returncode == 0, result.stderr
        yield [["ip", "netns", "exec", name] for name in names]
    finally:
        for name in made:
            run(["ip", "netns", "delete", name])


@pytest.mark.parametrize("listen", ["0.0.0.0", "10.99.0.1"])
@pytest.mark.parametrize("size", CROWDS)
def test_a_crowd_elsewhere_leaves_places_to_this_machine(binary, tmp_path, two_machines, listen, size):
    here, elsewhere = two_machines
    (tmp_path / "proxy.conf").write_text(
        f"listen: 127.0.0.1:8080\nadmin: {listen}:9901\nroutes:\n"
        "  - {name: a, match: api.internal, forward_to: \"http://127.0.0.1:9\", credentials: none}\n")
    proxy = subprocess.Popen(
        [*here, binary, "run", "--config", "proxy.conf"], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    remote = None
    try:
        assert any(line.startswith("ready in") for line in iter(proxy.stderr.readline, ""))
        remote = subprocess.Popen(
            [*elsewhere, sys.executable, "-c", REMOTE, "9901", str(size)], stdout=subprocess.PIPE, text=True)
        assert remote.stdout.readline() == "joined\n"
        for _ in range(5):
            result = run([*here, str(binary), "health", "--address", f"{listen}:9901"])
            assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr
    finally:
        for process in filter(None, [remote, proxy]):
            process.kill()
            process.wait(PATIENCE)
            (process.stdout or process.stderr).close()
