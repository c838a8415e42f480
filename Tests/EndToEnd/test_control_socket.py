"""The Unix socket by which commands reach a running proxy: where it is, and who may use it."""

import contextlib
import json
import os
import re
import select
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from harness.client import get
from harness.control import command, connect, place, status, with_directory
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import PATIENCE, poll

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may act as another user")
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


def reachable_by_others(path: Path) -> None:
    """Lets other users pass through the directories above it."""
    for directory in list(path.parents)[:-1]:
        directory.chmod(directory.stat().st_mode | 0o001)


def test_the_file_is_its_own_users_alone_and_goes_with_the_process(filed, run_directory):
    file = Path(place(filed))
    assert file.parent == run_directory and re.fullmatch(r"control-[0-9a-f]{8}\.sock", file.name)
    mode = file.stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    filed.stop()
    assert list(run_directory.iterdir()) == []


def test_the_setting_names_the_file(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, control="commands.sock")
    assert (proxy.directory / "commands.sock").is_socket()
    assert status(proxy)["control"] == "unix:commands.sock"
    result = run([str(proxy.binary), "status", "--control", str(proxy.directory / "commands.sock")], env=clean_environment())
    assert result.returncode == 0 and str(proxy.pid) in result.stdout


def test_control_can_be_turned_off(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, control="off")
    assert "\ncontrol" not in proxy.messages.text
    threads = [(task / "comm").read_text() for task in Path(f"/proc/{proxy.pid}/task").iterdir()]
    assert "control\n" not in threads
    result = command(proxy, "status")
    assert result.returncode == 69 and "proxy.conf says control: off" in result.stderr


def test_without_a_directory_the_socket_has_no_file(start_proxy, origin, tmp_path):
    """As in a container with a read-only root."""
    proxy = start_proxy({"forward_to": origin.url}, environment={"RUNTIME_DIRECTORY": str(tmp_path / "nowhere")})
    assert re.fullmatch(rf"@m2m-proxy-{os.getuid()}-[0-9a-f]{{8}}", place(proxy))
    assert "warning  control" not in proxy.messages.text
    assert status(proxy)["pid"] == proxy.pid


@needs_root
def test_a_read_only_directory_is_no_obstacle(start_proxy, origin, run_directory):
    script = f'mount --bind {run_directory} {run_directory}; mount -o remount,ro,bind {run_directory}; exec "$@"'
    launcher = ["unshare", "--mount", "sh", "-ec", script, "sh"]
    if run([*launcher, "true"]).returncode != 0:
        pytest.skip("no mount of our own is to be had here")
    proxy = start_proxy({"forward_to": origin.url}, launcher=launcher, **with_directory(run_directory))
    assert place(proxy).startswith("@") and status(proxy)["pid"] == proxy.pid


def test_a_file_that_cannot_be_made_is_a_warning_and_the_proxy_serves(start_proxy, origin, tmp_path):
    (tmp_path / "taken").write_text("mine")
    for control, reason in [(f"{tmp_path}/none/c.sock", "there is no directory"), (f"{tmp_path}/taken", "is not a socket")]:
        proxy = start_proxy({"forward_to": origin.url}, control=control)
        warning = re.search(r"(?m)^warning  control: .*", proxy.messages.text)[0]
        assert reason in warning and "cannot reach this one" in warning
        assert proxy.connect().exchange(get("http://api.internal/")).status == 200
        # By the admin listener of the file, whose port is 0.
        assert command(proxy, "health", environment={"CLIENT_SECRET": "x"}).returncode == 1
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_file_that_was_left_behind_is_replaced(start_proxy, origin, tmp_path):
    left = tmp_path / "c.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    proxy = start_proxy({"forward_to": origin.url}, control=str(left))
    assert "warning  control" not in proxy.messages.text and status(proxy)["pid"] == proxy.pid


def test_a_process_that_was_killed_leaves_a_file_that_the_next_one_replaces(start_proxy, origin, run_directory):
    first = start_proxy({"forward_to": origin.url}, control=str(run_directory / "c.sock"))
    first.kill()
    assert (run_directory / "c.sock").is_socket()
    assert command(first, "status").returncode == 69
    second = start_proxy({"forward_to": origin.url}, control=str(run_directory / "c.sock"))
    assert status(second)["pid"] == second.pid


@needs_root
@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_other_users_are_turned_away(start_proxy, origin, run_directory, kind):
    proxy = start_proxy({"forward_to": origin.url}, **(with_directory(run_directory) if kind == "file" else {}))
    reachable_by_others(run_directory / "x")
    name = place(proxy)
    result = command(proxy, "status", "--control", name, config=False, **NOBODY)
    assert result.returncode == 69 and result.stdout == ""
    expected = "may not be used by this user (uid 65534)" if kind == "file" else "of its own user (uid 0) and of root only"
    assert expected in result.stderr
    # Nor may it be believed that it is well, or drained.
    for words in [["health"], ["drain"]]:
        assert command(proxy, *words, "--control", name, config=False, **NOBODY).returncode != 0
    assert status(proxy, "--control", name)["state"] == "serving"


@needs_root
def test_even_a_wider_file_serves_no_other_user(start_proxy, origin, run_directory):
    """The kernel tells who has connected, whatever becomes of the permissions."""
    proxy = start_proxy({"forward_to": origin.url}, **with_directory(run_directory))
    reachable_by_others(run_directory / "x")
    Path(place(proxy)).chmod(0o666)
    result = command(proxy, "drain", "--control", place(proxy), config=False, **NOBODY)
    assert result.returncode == 69 and "of its own user (uid 0) and of root only" in result.stderr
    assert status(proxy, "--control", place(proxy))["state"] == "serving"


@needs_root
def test_a_socket_of_another_user_is_not_believed(binary, tmp_path):
    """Someone takes the name of the proxy before it starts, and says that all is well."""
    program = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1].replace('@', chr(0))); s.listen();"
               "print('ready', flush=True)\nwhile True:\n c, _ = s.accept()\n try: c.recv(4096);"
               "c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok')\n except OSError: pass\n c.close()")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o1777)
    reachable_by_others(open_to_all / "x")
    for name in [f"@m2m-test-{os.getpid()}", str(open_to_all / "c.sock")]:
        impostor = subprocess.Popen(["python3", "-c", program, name], stdout=subprocess.PIPE, text=True, **NOBODY)
        try:
            assert impostor.stdout.readline() == "ready\n"
            for words in [["status"], ["health"]]:
                result = run([str(binary), *words, "--control", name], env=clean_environment())
                assert result.returncode in (1, 69) and "is of another user (uid 65534)" in result.stderr, result
        finally:
            impostor.kill()
            impostor.wait(PATIENCE)
            impostor.stdout.close()


@needs_root
def test_root_commands_the_process_of_another_user(binary, tmp_path, run_directory):
    """As with systemd: the unit has a user, and root runs `m2m-proxy drain`."""
    (tmp_path / "proxy.conf").write_text(
        "listen: 127.0.0.1:0\nadmin: off\nroutes:\n  - {name: a, match: a.internal, forward_to: \"http://127.0.0.1:9\", credentials: none}\n")
    reachable_by_others(run_directory / "x")
    os.chown(run_directory, 65534, 65534)
    process = subprocess.Popen([binary, "run"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=clean_environment(RUNTIME_DIRECTORY=str(run_directory)), **NOBODY)
    try:
        assert any(line.startswith("ready") for line in process.stderr)
        environment = clean_environment(RUNTIME_DIRECTORY=str(run_directory))
        result = run([str(binary), "status", "--json"], cwd=tmp_path, env=environment)
        assert result.returncode == 0 and json.loads(result.stdout)["pid"] == process.pid, result.stderr
        result = run([str(binary), "drain", "--wait"], cwd=tmp_path, env=environment)
        assert result.returncode == 0, result.stderr
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stderr.close()


def test_silent_and_flooding_clients_leave_room(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(place(proxy))) for _ in range(200)]
        assert status(proxy)["pid"] == proxy.pid
        for member in crowd[100:]:
            with contextlib.suppress(OSError):
                member.sendall(b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n" * 50 + b"GET /st")
        assert status(proxy)["pid"] == proxy.pid
        assert command(proxy, "health").stdout == "ok\n"
        assert proxy.connect().exchange(get("http://api.internal/")).status == 200
        # Those that had to give way are gone, and not more are held than there are places.
        poll(lambda: sum(bool(select.select([member], [], [], 0)[0]) for member in crowd) >= 150, "the end of the first ones")


def test_a_request_line_has_5_seconds_and_a_silent_client_is_let_go(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    with connect(place(proxy)) as slow, connect(place(proxy)) as silent:
        slow.sendall(b"GET /status HT")
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(1) == b""


def test_what_is_no_request_is_refused(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    for data, expected in [(b"status\r\n\r\n", b"400"), (b"GET /" + b"x" * 2000 + b" HTTP/1.1\r\n\r\n", b"414"),
                           (b"GET /drain HTTP/1.1\r\nHost: a\r\n\r\n", b"405"), (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", b"501"),
                           (b"POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", b"413"),
                           (b"POST /drain HTTP/1.1\r\n\r\n", b"400"), (b"POST /dr%61in HTTP/1.1\r\nHost: a\r\n\r\n", b"404")]:
        with connect(place(proxy)) as client:
            client.sendall(data)
            assert client.recv(4096).startswith(b"HTTP/1.1 " + expected), data
    assert status(proxy)["state"] == "serving"


def test_curl_can_do_what_the_commands_do(filed):
    curl = ["curl", "-sS", "--unix-socket", place(filed)]
    assert json.loads(run([*curl, "http://localhost/status"]).stdout)["pid"] == filed.pid
    assert run([*curl, "http://localhost/healthz"]).stdout == "ok\n"
    assert "POST /drain" in run([*curl, "http://localhost/"]).stdout
    assert run([*curl, "-X", "POST", "http://localhost/log-level?level=debug&for=10m"]).stdout.startswith("The log has level debug for 10 min")
    line = filed.log.wait_for("event=control")
    assert "command=log-level" in line and f'client="unix:uid={os.getuid()}"' in line
