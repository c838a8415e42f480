"""Upgrade: another process takes the place of the running one, and no request fails."""

import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from harness.activation import Notices, activated
from harness.client import get, post
from harness.control import command, place, status
from harness.upgrading import Load, copy_of, descriptors, follow_signal, has_ended, upgrade, wait_for_end
from harness.waiting import poll
from test_tls_listeners import TLSClient, certificate, tls_proxy  # noqa: F401
from test_upgrade import echo, opened


def configure(proxy, old: str, new: str) -> None:
    path = proxy.directory / "proxy.conf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# It works


@pytest.mark.parametrize("loops", [1, 2])
def test_20_upgrades_under_load(start_proxy, origin, authlib, binary, tmp_path, loops):
    proxy = start_proxy({"forward_to": origin.url}, loops=loops)
    copies = [copy_of(binary, tmp_path, f"m2m-proxy-{number}") for number in range(2)]
    seen = [proxy.pid]
    with Load(proxy) as load:
        for number in range(20):
            result = upgrade(proxy, "--binary", str(copies[number % 2]))
            assert result.returncode == 0, result.stderr
            assert os.readlink(f"/proc/{proxy.pid}/exe") == str(copies[number % 2])
            seen.append(proxy.pid)
            assert status(proxy)["pid"] == proxy.pid
            load.go_on()
    print(load.answers, "requests,", load.reconnected, "connections that stay began anew")
    assert load.failures == []
    assert len(set(seen)) == 21
    for pid in seen[:-1]:
        wait_for_end(pid)
    # The token went from one to the next.
    assert len(authlib.tokens) == 1


def test_sigusr2_upgrades_to_what_lies_at_the_path_now(start_proxy, origin, binary, tmp_path):
    """By way of a link, as versions are switched."""
    first, second = (copy_of(binary, tmp_path, name) for name in ["0.1", "0.2"])
    link = tmp_path / "m2m-proxy"
    link.symlink_to(first)
    proxy = start_proxy({"forward_to": origin.url}, launcher=["sh", "-c", 'shift; exec "$0" "$@"', str(link)])
    with Load(proxy) as load:
        link.unlink()
        link.symlink_to(second)
        proxy.signal(signal.SIGUSR2)
        follow_signal(proxy)
        assert os.readlink(f"/proc/{proxy.pid}/exe") == str(second)
        # The file itself is replaced: what runs is no longer at the path.
        second.unlink()
        copy_of(binary, tmp_path, "0.2")
        proxy.signal(signal.SIGUSR2)
        follow_signal(proxy, 2)
        assert os.readlink(f"/proc/{proxy.pid}/exe") == str(second)
        load.go_on()
    assert load.failures == []


def test_only_what_is_passed_on_is_open_in_the_new_process(start_proxy, origin, tmp_path):
    path = tmp_path / "app.sock"
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.0.1:0", f"unix:{path}"], loops=2)
    client = proxy.connect()
    assert client.exchange(get("/api/x")).status == 200
    before = descriptors(proxy.pid)
    listening = {re.search(r"inode:(\S+)", "inode:" + line.split()[9])[1]
                 for file in ["tcp", "tcp6"] for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]
                 if line.split()[3] == "0A"}
    listening |= {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]
                  if line.split()[3] == "00010000"}
    assert upgrade(proxy).returncode == 0
    after = descriptors(proxy.pid)
    inherited = {link for link in set(before.values()) & set(after.values()) if link.startswith(("socket:", "pipe:"))}
    expected = {link for link in before.values() if re.match(r"socket:\[(\d+)\]", link)
                and re.match(r"socket:\[(\d+)\]", link)[1] in listening}
    # Two loops' sockets, the Unix socket, the admin listener and the control socket, once each.
    assert len(expected) == 5
    assert inherited == expected | {before[1], before[2]}
    assert not [link for link in after.values() if "memfd" in link]
    # The first three, and one descriptor of each socket, but of the Unix socket one for each loop.
    environment = Path(f"/proc/{proxy.pid}/environ").read_bytes()
    assert b"M2M_PROXY_UPGRADE=1:" in environment and b"TOKEN" not in environment
    client.close()


def test_the_configuration_is_read_anew_and_addresses_come_and_go(start_proxy, origin, free_port, tmp_path):
    kept, gone, new = (tmp_path / f"{name}.sock" for name in ["kept", "gone", "new"])
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.0.1:0", f"unix:{kept}", f"unix:{gone}"])
    inode = kept.stat().st_ino
    configure(proxy, f"unix:{gone}", f"unix:{new}")
    assert upgrade(proxy).returncode == 0
    for address in [proxy.address, kept, new]:
        assert proxy.connect(address).exchange(get("/api/x")).status == 200
    assert kept.stat().st_ino == inode and not gone.exists()
    assert command(proxy, "reload").returncode == 0
    proxy.stop()
    assert not kept.exists() and not new.exists()


@pytest.mark.parametrize("loops", [[1, 3, 2, 1], [3, 1, 2]])
def test_the_number_of_loops_may_change(start_proxy, origin, loops):
    proxy = start_proxy({"forward_to": origin.url}, loops=loops[0])
    with Load(proxy) as load:
        for before, after in zip(loops, loops[1:]):
            configure(proxy, f"loops: {before}", f"loops: {after}")
            assert upgrade(proxy).returncode == 0
            assert status(proxy)["loops"] == after
            load.go_on(200)
    assert load.failures == []


def test_a_socket_of_systemd_goes_on_to_the_new_process(start_proxy, origin, free_port):
    proxy = start_proxy({"forward_to": origin.url}, listen="systemd:web", launcher=activated(
        f"web=stream=127.0.0.1:{free_port}"))
    with Load(proxy) as load:
        for _ in range(2):
            result = upgrade(proxy)
            assert result.returncode == 0, result.stderr
            load.go_on()
    assert load.failures == []
    assert f"   from systemd web" in status(proxy)["listeners"][0]


# What is under way


def test_the_process_before_finishes_what_is_under_way(start_proxy, origin, tmp_path):
    proxy = start_proxy({"forward_to": origin.url})
    first = proxy.pid
    event = threading.Event()
    origin.script(echo, lambda connection: (
        connection.request(), connection.hold(event), connection.answer(b"finished")))
    socket_ = opened(proxy)
    upload = proxy.connect().send(post("/api/upload", b"x" * 100_000)[:-50_000])
    idle = proxy.connect()
    origin.wait_for_requests(1)
    assert upgrade(proxy).returncode == 0
    assert status(proxy)["predecessor_is_running"] is True
    assert f"process {first} still finishes" in command(proxy, "status").stdout
    upload.send(b"x" * 50_000)
    event.set()
    answer = upload.answer("POST")
    assert (answer.status, answer.body) == (200, b"finished")
    idle.expect_end()
    # The WebSocket goes on, and the process with it.
    socket_.send(b"ping")
    assert socket_.reader.exactly(4) == b"ping"
    assert not has_ended(first)
    socket_.close()
    wait_for_end(first)
    assert status(proxy)["predecessor_is_running"] is False


def test_tls_connections_and_handshakes_go_on(tls_proxy, authority):
    proxy = tls_proxy()
    client = TLSClient(proxy, authority)
    assert client.exchange(get("/api/x")).status == 200
    with Load(proxy, stays=1, new=1, connect=lambda: TLSClient(proxy, authority)) as load:
        for _ in range(3):
            assert upgrade(proxy).returncode == 0
            load.go_on(20)
    assert load.failures == []


def test_tunnels_have_a_time_of_their_own(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"drain": "200ms", "drain_tunnel": "1500ms"})
    first = proxy.pid
    held = threading.Event()
    origin.script(echo, lambda connection: (connection.request(), connection.expect_close()))
    socket_ = opened(proxy)
    request = proxy.connect().send(get("/api/long"))
    origin.wait_for_requests(2)
    assert upgrade(proxy).returncode == 0
    proxy.log.wait_for(f'event=drain detail="draining after the upgrade, process {first}: 1 request in flight, up to 0 s; '
                       r'1 tunnel, up to 1 s"')
    assert request.reader.at_end() or request.answer().status == 503
    proxy.log.wait_for("1 request and 0 tunnels cut off")
    socket_.send(b"ping")
    assert socket_.reader.exactly(4) == b"ping"
    assert socket_.reader.at_end()
    wait_for_end(first)
    held.set()


def test_sigterm_to_the_process_before_ends_its_tunnels(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"drain": "200ms"})
    first = proxy.pid
    origin.script(echo)
    socket_ = opened(proxy)
    assert upgrade(proxy).returncode == 0
    os.kill(first, signal.SIGTERM)
    assert socket_.reader.at_end()
    wait_for_end(first)
    assert proxy.connect().exchange(get("/api/x")).status == 200


def test_upgrades_during_reloads(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=2)
    ended = threading.Event()

    def reload():
        while not ended.is_set():
            command(proxy, "reload")

    thread = threading.Thread(target=reload)
    with Load(proxy) as load:
        thread.start()
        for _ in range(5):
            result = upgrade(proxy)
            assert result.returncode == 0, result.stderr
            load.go_on()
        ended.set()
        thread.join()
    assert load.failures == []


def test_drain_waits_for_the_process_that_serves(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    origin.script(echo)
    socket_ = opened(proxy)
    first = proxy.pid
    assert upgrade(proxy).returncode == 0
    second = proxy.pid
    result = command(proxy, "drain", "--wait", "--timeout", "20")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "The proxy has stopped.")
    assert has_ended(second) and not has_ended(first)
    socket_.close()
    assert proxy.wait() == 0


# It does not work, and nothing has happened


def script(directory: Path, text: str) -> str:
    path = directory / "broken"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def text(directory: Path, content: bytes, mode: int) -> str:
    path = directory / "broken"
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


BROKEN = {
    "missing": (lambda directory: str(directory / "none"), "cannot be run: No such file or directory"),
    "directory": (lambda directory: str(directory), "is not a regular file"),
    "not executable": (lambda directory: text(directory, b"#!/bin/sh\n", 0o644), "cannot be run: Permission denied"),
    "no program": (lambda directory: text(directory, b"\0\1\2\3" * 100, 0o755), "cannot be started: Exec format error"),
    "changeable": (lambda directory: text(directory, b"#!/bin/sh\n", 0o757), "could be changed by other users"),
    "exit": (lambda directory: script(directory, "exit 3"), "the new process ended with exit code 3."),
    "silence": (lambda directory: script(directory, "exit 0"), "the new process ended with exit code 0."),
    "crash": (lambda directory: script(directory, "kill -SEGV $$"), "the new process was ended by signal 11."),
    "hang": (lambda directory: script(directory, "exec sleep 600"), "did not serve within 1.0 seconds, and was killed."),
    # The descriptors of a process with one loop; a shell can name no others.
    "closed": (lambda directory: script(directory, "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec sleep 600"),
               "did not say whether it serves, and was killed."),
}


def test_20_broken_ones_under_load(start_proxy, origin, tmp_path):
    proxy = start_proxy({"forward_to": origin.url}, loops=1)
    first = proxy.pid
    with Load(proxy) as load:
        for _ in range(2):
            for make, message in BROKEN.values():
                (tmp_path / "broken").unlink(missing_ok=True)
                result = upgrade(proxy, "--timeout", "1", "--binary", make(tmp_path))
                assert result.returncode == 71 and message in result.stderr, result
                assert status(proxy)["pid"] == first
        load.go_on()
    assert load.failures == [] and load.reconnected == 0
    assert len([line for line in proxy.log.lines if "event=upgrade reason=command result=failed" in line]) == 20
    shown = status(proxy)
    assert "failed_upgrade_at" in shown and len(shown["failed_upgrade_messages"]) == 1
    # And then it works.
    assert upgrade(proxy).returncode == 0


def test_problems_of_the_configuration_are_told(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    (proxy.directory / "proxy.conf").write_text("listen: nowhere\nroutes: []\n")
    result = upgrade(proxy)
    assert result.returncode == 64, result
    assert re.search(r"proxy\.conf:1:9: .*nowhere", result.stderr), result.stderr
    assert "The process before goes on." in result.stderr
    proxy.log.wait_for("event=upgrade reason=command result=failed error=invalid")
    assert proxy.connect().exchange(get("/api/x")).status == 200


def test_an_address_that_cannot_be_bound_is_told(start_proxy, origin, refusing_port, tmp_path):
    path = tmp_path / "kept.sock"
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.0.1:0", f"unix:{path}"])
    configure(proxy, f'- "unix:{path}"', f'- "unix:{path}"\n  - "127.0.0.1:{refusing_port}"')
    result = upgrade(proxy)
    assert result.returncode == 71 and f"127.0.0.1:{refusing_port} is in use" in result.stderr, result
    # The file of a socket that was passed on is not removed by the process that failed.
    for address in [proxy.address, path]:
        assert proxy.connect(address).exchange(get("/api/x")).status == 200
    assert status(proxy)["pid"] == proxy.pid


def test_one_at_a_time_and_not_while_it_stops(start_proxy, origin, tmp_path, held):
    proxy = start_proxy({"forward_to": origin.url})
    pids = tmp_path / "pids"
    hanging = script(tmp_path, f"echo $$ >> {pids}; exec sleep 600")
    waiting = subprocess.Popen([str(proxy.binary), "upgrade", "--binary", hanging, "--config", "proxy.conf"],
                               cwd=proxy.directory, stderr=subprocess.PIPE, text=True)
    poll(lambda: pids.exists() and pids.read_text(), "the new process")
    second = upgrade(proxy)
    assert (second.returncode, second.stderr) == (71, "m2m-proxy: Another upgrade is under way.\n")
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    # SIGTERM means both.
    proxy.signal(signal.SIGTERM)
    _, message = waiting.communicate(timeout=30)
    assert waiting.returncode == 71 and "The proxy is about to stop." in message
    wait_for_end(int(pids.read_text()))
    assert upgrade(proxy).returncode == 71
    held.set()
    assert client.answer().status == 200
    assert proxy.wait() == 0


def test_process_1_refuses(start_proxy, origin):
    if os.geteuid() != 0:
        pytest.skip("needs root for a process namespace")
    proxy = start_proxy({"forward_to": origin.url}, launcher=["unshare", "--pid", "--fork", "--kill-child"])
    result = upgrade(proxy)
    assert result.returncode == 71 and "Start a new container in place of this one." in result.stderr, result
    assert proxy.connect().exchange(get("/api/x")).status == 200
    proxy.process.kill()
    proxy._record(proxy.process.wait(30))


# The service manager


def test_systemd_learns_of_the_new_process(start_proxy, origin, tmp_path):
    notices = Notices(str(tmp_path / "notify"))
    try:
        proxy = start_proxy({"forward_to": origin.url}, environment={"NOTIFY_SOCKET": notices.name})
        assert notices.next() == "READY=1"
        for _ in range(2):
            before = proxy.pid
            assert upgrade(proxy).returncode == 0
            assert notices.next() == f"MAINPID={proxy.pid}\nREADY=1"
            wait_for_end(before)
        proxy.signal(signal.SIGTERM)
        assert notices.next() == "STOPPING=1"
        assert proxy.wait() == 0
    finally:
        notices.close()


def test_a_service_that_would_end_with_the_process_refuses(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url},
                        launcher=["sh", "-c", 'SYSTEMD_EXEC_PID=$$ exec "$@"', "sh"])
    result = upgrade(proxy)
    assert result.returncode == 71 and "set Type=notify in the unit" in result.stderr, result


@pytest.mark.parametrize("value", ["1:77", "2:3", "x"])
def test_the_variable_is_for_upgrades_only(binary, tmp_path, value):
    result = subprocess.run([str(binary), "run"], cwd=tmp_path, capture_output=True, text=True,
                            env={"M2M_PROXY_UPGRADE": value}, timeout=30)
    assert result.returncode == 71 and "only an upgrade by m2m-proxy may set it" in result.stderr
