"""Commands for a running proxy: status, drain, health, log-level, and the socket that they go by."""

import contextlib
import ctypes
import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from harness.client import get
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import PATIENCE, poll

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may act as another user")
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


def command(proxy, *arguments: str, config: bool = True, environment: dict = {}, **options) -> subprocess.CompletedProcess:
    """Runs a command for `proxy`, in its directory."""
    more = ["--config", "proxy.conf"] if config else []
    return run([str(proxy.binary), *arguments, *more], cwd=proxy.directory,
               env=clean_environment(**environment), **options)


def status(proxy, *arguments: str) -> dict:
    result = command(proxy, "status", "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def place(proxy) -> str:
    """Where it takes commands, as it says at start."""
    return re.search(r"^control +unix:(\S+)$", proxy.messages.text, re.M)[1]


def connect(name: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect("\0" + name[1:] if name.startswith("@") else name)
    return client


def reachable_by_others(path: Path) -> None:
    """Lets other users pass through the directories above it."""
    for directory in list(path.parents)[:-1]:
        directory.chmod(directory.stat().st_mode | 0o001)


@pytest.fixture
def run_directory(tmp_path):
    """What systemd would make for RuntimeDirectory=."""
    directory = tmp_path / "run"
    directory.mkdir(mode=0o755)
    return directory


@pytest.fixture
def filed(start_proxy, origin, run_directory):
    """A proxy with a control socket in a file."""
    return start_proxy({"forward_to": origin.url}, environment={"RUNTIME_DIRECTORY": str(run_directory)})


def with_directory(run_directory) -> dict:
    return {"environment": {"RUNTIME_DIRECTORY": str(run_directory)}}


# MARK: status

def test_status_says_how_the_proxy_is(start_proxy, origin, held):
    proxy = start_proxy({"forward_to": origin.url}, {"name": "b", "match": "b.internal", "mount": "/b", "forward_to": origin.url},
                        loops=2)
    proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    found = status(proxy)
    assert found["pid"] == proxy.pid and found["state"] == "serving" and re.match(r"\d+\.\d+\.\d+", found["version"])
    assert found["configuration"] == f"{os.path.realpath(proxy.directory)}/proxy.conf" and found["generation"] == 1
    assert found["listeners"] == ["http://%s:%d" % proxy.address] and found["admin"] == "http://%s:%d" % proxy.admin
    assert found["control"] == f"unix:{place(proxy)}"
    assert (found["routes"], found["loops"], found["connections"], found["requests_in_flight"]) == (2, 2, 1, 1)
    assert (found["requests_served"], found["tokens_fetched"], found["tokens_failed"]) == (0, 1, 0)
    assert found["log_level"] == "info" and found["last_reload"] == "none" and "silent_loops" not in found
    held.set()
    poll(lambda: status(proxy)["requests_served"] == 1, "the end of the request")
    text = command(proxy, "status")
    assert text.returncode == 0 and text.stderr == ""
    assert re.search(rf"(?m)^pid +{proxy.pid}$", text.stdout) and re.search(r"(?m)^requests +0 in flight, 1 served$", text.stdout)
    # Looking is not logged.
    assert "event=control" not in proxy.log.text


def test_status_names_loops_that_hang_and_does_not_wait_for_them(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=2)
    thread = next(task for task in Path(f"/proc/{proxy.pid}/task").iterdir() if (task / "comm").read_text() == "loop-1\n")
    with stopped(int(thread.name)):
        assert status(proxy)["silent_loops"] == ["1"]
        assert "loop 1: no response in 1 s" in command(proxy, "status").stdout
        result = command(proxy, "health", "--timeout", "1")
        assert (result.returncode, result.stdout) == (1, "") and "loop 1 does not respond" in result.stderr
    assert "silent_loops" not in status(proxy)
    assert command(proxy, "health").returncode == 0


@contextlib.contextmanager
def stopped(thread: int):
    """One thread of another process stands still, as a debugger has it."""
    libc = ctypes.CDLL(None, use_errno=True)
    seize, interrupt, detach, every_child = 0x4206, 0x4207, 17, 0x40000000

    def trace(request: int) -> None:
        none = ctypes.c_void_p()
        if libc.ptrace(ctypes.c_long(request), ctypes.c_long(thread), none, none) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    try:
        trace(seize)
    except PermissionError:
        pytest.skip("other processes cannot be traced here")
    try:
        trace(interrupt)
        assert os.waitpid(thread, every_child)[0] == thread
        yield
    finally:
        trace(detach)


def test_a_command_without_a_process_exits_with_69(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    proxy.stop()
    for words in [["status"], ["status", "--json"], ["drain"], ["drain", "--wait"], ["reload"], ["reopen-logs"], ["log-level", "info"]]:
        result = command(proxy, *words)
        assert result.returncode == 69 and result.stdout == "", words
        assert "no process with the configuration proxy.conf takes commands at unix:" in result.stderr


def test_a_proxy_is_found_whatever_has_become_of_its_file(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    file = proxy.directory / "proxy.conf"
    for conf in ["routes: [", "nonsense: 1\n", "client_secret: ${NOT_SET}\n", ""]:
        file.write_text(conf)
        assert status(proxy)["pid"] == proxy.pid
        assert command(proxy, "health").stdout == "ok\n"
    file.unlink()
    assert status(proxy)["pid"] == proxy.pid
    # By another name for the same directory, too.
    (proxy.directory.parent / "link").symlink_to(proxy.directory)
    result = run([str(proxy.binary), "status", str(proxy.directory.parent / "link/proxy.conf")], env=clean_environment())
    assert result.returncode == 0 and str(proxy.pid) in result.stdout


def test_two_processes_are_told_apart_by_their_files(start_proxy, origin, run_directory):
    one, other = (start_proxy({"forward_to": origin.url}, **with_directory(run_directory)) for _ in range(2))
    assert place(one) != place(other)
    for proxy in [one, other]:
        found = command(proxy, "status", "--json", environment={"RUNTIME_DIRECTORY": str(run_directory)})
        assert json.loads(found.stdout)["pid"] == proxy.pid
    assert command(one, "drain", "--wait", environment={"RUNTIME_DIRECTORY": str(run_directory)}).returncode == 0
    assert one.wait() == 0
    assert status(other, "--control", place(other))["pid"] == other.pid


def test_a_second_process_with_the_same_file_is_told_and_serves(binary, start_proxy, origin, run_directory):
    first = start_proxy({"forward_to": origin.url}, **with_directory(run_directory))
    second = subprocess.Popen([binary, "run"], cwd=first.directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              env=clean_environment(CLIENT_SECRET="x", RUNTIME_DIRECTORY=str(run_directory)))
    try:
        lines = []
        for line in second.stderr:
            lines.append(line)
            if line.startswith("ready"):
                break
        text = "".join(lines)
        assert re.search(r"(?m)^warning  control: another process with this configuration, or another program, takes commands at unix:"
                         + re.escape(place(first)), text), text
        other = re.search(r"(?m)^control +unix:(@\S+)", text)[1]
        assert status(first, "--control", other)["pid"] == second.pid
        assert status(first, "--control", place(first))["pid"] == first.pid
        # The file is still that of the first one.
        second.send_signal(signal.SIGTERM)
        assert second.wait(PATIENCE) == 0
        assert status(first, "--control", place(first))["pid"] == first.pid
    finally:
        second.kill()
        second.wait(PATIENCE)
        second.stderr.close()


# MARK: the socket

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


@contextlib.contextmanager
def responding(path: Path, *responses: bytes):
    """A process of this user at the socket `path` that says this to one client after the other, and nothing to the next."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(PATIENCE)
        received = []

        def serve():
            for response in [*responses, None]:
                client, _ = listener.accept()
                stack.enter_context(client)
                received.append(client.recv(4096))
                if response is not None:
                    client.sendall(response)
                    client.close()

        server = threading.Thread(target=serve)
        server.start()
        yield received
        server.join()


@pytest.mark.parametrize("words, target", [
    (["reload"], b"/reload"), (["reopen-logs"], b"/reopen-logs"), (["log-level", "debug", "for", "10m"], b"/log-level?level=debug&for=10m")],
    ids=["reload", "reopen-logs", "log-level"])
def test_commands_wait_for_the_outcome_and_exit_accordingly(binary, tmp_path, words, target):
    path = tmp_path / "c.sock"
    problems = "proxy.conf:3:1: unknown setting\n1 problem"
    cases = [("200 OK", "done", 0), ("422 Unprocessable", problems, 64), ("500 Error", "no CA", 71), ("501 No", "not here", 70),
             ("400 Bad Request", "what?", 64), ("418 Teapot", "tea", 70)]
    responses = [f"HTTP/1.1 {line}\r\nContent-Length: {len(text) + 1}\r\n\r\n{text}\n".encode() for line, text, _ in cases]
    command = lambda *more: run([str(binary), *words, "--control", str(path), *more], cwd=tmp_path, env=clean_environment())
    with responding(path, *responses, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"") as received:
        for line, text, code in cases:
            result = command()
            assert result.returncode == code, line
            # Problems of a file look as those of check: nothing stands before them.
            expected = text if "\n" in text or code == 0 else f"m2m-proxy: {text}"
            assert (result.stdout if code == 0 else result.stderr) == expected + "\n", line
            assert (result.stderr if code == 0 else result.stdout) == "", line
        for reason in ["the response is cut off", "it closed the connection without a response"]:
            result = command()
            assert result.returncode == 69 and reason in result.stderr
        late = command(*(["--timeout", "1"] if words == ["reload"] else []))
        assert late.returncode == 69 and re.search(r"no response in [15] s", late.stderr)
    assert all(request.startswith(b"POST " + target + b" HTTP/1.1\r\n") for request in received)


# MARK: commands

def test_drain_finishes_what_runs_and_waits_for_the_end(start_proxy, origin, held):
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.7.3:0"])
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    with subprocess.Popen([proxy.binary, "drain", "--wait"], cwd=proxy.directory, stdout=subprocess.PIPE, text=True,
                          env=clean_environment()) as drain:
        assert drain.stdout.readline() == "The proxy finishes what is under way, and stops.\n"
        assert drain.stdout.readline() == "1 request in flight\n"
        proxy.messages.wait_for("draining: 1 request in flight")
        assert status(proxy)["state"] == "draining"
        result = command(proxy, "health")
        assert result.returncode == 1 and result.stderr.endswith(": draining\n")
        assert "draining already" in command(proxy, "drain").stdout
        held.set()
        assert client.answer().body == b"finished"
        client.expect_end()
        assert drain.communicate(timeout=PATIENCE)[0].endswith("The proxy has stopped.\n")
        assert drain.returncode == 0
    # It has really ended: nothing is waited for here.
    assert proxy.process.poll() == 0
    proxy.wait()
    assert proxy.requests_logged(1)[0]["status"] == "200"


def test_drain_does_not_wait_for_ever(start_proxy, origin, held):
    proxy = start_proxy({"forward_to": origin.url})
    proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    result = command(proxy, "drain", "--wait", "--timeout", "1")
    assert result.returncode == 75 and "still draining after 1 s" in result.stderr
    held.set()
    assert proxy.wait() == 0


def test_after_drain_the_first_sigterm_changes_nothing_and_the_second_ends(start_proxy, origin, held):
    """A service manager that stops a unit whose ExecStop has drained it must not cut it off."""
    proxy = start_proxy({"forward_to": origin.url})
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    assert command(proxy, "drain").returncode == 0
    proxy.signal(signal.SIGTERM)
    assert status(proxy)["state"] == "draining"
    held.set()
    assert client.answer().status == 200
    assert proxy.wait() == 0


def test_health_is_told_while_the_network_holds_the_admin_listener(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    conf = (proxy.directory / "proxy.conf").read_text()
    (proxy.directory / "proxy.conf").write_text(conf.replace('"127.0.0.1:0"\ncred', '"127.0.0.1:%d"\ncred' % proxy.admin[1]))
    stop = threading.Event()

    def occupy():
        while not stop.is_set():
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                members = [stack.enter_context(socket.create_connection(proxy.admin)) for _ in range(64)]
                for member in members:
                    member.sendall(b"GET /metrics HT")
                stop.wait(0.05)

    occupier = threading.Thread(target=occupy)
    occupier.start()
    try:
        for _ in range(10):
            result = command(proxy, "health", "--timeout", "2")
            assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr
    finally:
        stop.set()
        occupier.join()


def test_health_works_without_an_admin_listener(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, admin="off")
    result = command(proxy, "health")
    assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr


def test_health_by_address_does_not_ask_the_control_socket(start_proxy, origin, refusing_port):
    proxy = start_proxy({"forward_to": origin.url})
    result = command(proxy, "health", "--address", f"127.0.0.1:{refusing_port}")
    assert result.returncode == 1 and "Connection refused" in result.stderr
    assert command(proxy, "health", "--address", "127.0.0.1:1", "--control", "x").returncode == 64


def test_a_process_that_stands_still_is_not_well(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    proxy.signal(signal.SIGSTOP)
    try:
        result = command(proxy, "health", "--timeout", "1")
        assert result.returncode == 1 and "no response in 1 s" in result.stderr
    finally:
        proxy.signal(signal.SIGCONT)
    assert command(proxy, "health").returncode == 0


def test_the_log_level_changes_at_once_and_comes_back(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url}, log={"level": "warning"})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    result = command(proxy, "log-level", "info", "for", "1s")
    assert (result.returncode, result.stdout) == (0, "The log has level info for 1 s, and warning then.\n")
    assert "command=log-level" in proxy.log.wait_for("level=notice event=control")
    proxy.log.wait_for('command=log-level detail="The log has level warning again."')
    assert status(proxy)["log_level"] == "warning"
    # One for good ends one for a time.
    assert command(proxy, "log-level", "debug", "for", "10m").returncode == 0
    text = command(proxy, "status").stdout
    assert re.search(r"(?m)^log level +debug, for another \d+ min.*; then warning$", text), text
    assert command(proxy, "log-level", "error").returncode == 0
    assert status(proxy)["log_level"] == "error"
    assert "event=token" not in proxy.log.text


@pytest.mark.parametrize("words, reason", [
    (["loud"], "debug, info, notice, warning or error"), (["debug", "for"], '"for" and a duration'),
    (["debug", "10m"], '"for" and a duration'), (["debug", "for", "ever"], "a duration from 1s to 24h"),
    (["debug", "for", "25h"], "a duration from 1s to 24h"), ([], "level")])
def test_a_log_level_that_is_none_is_a_usage_error(start_proxy, origin, words, reason):
    proxy = start_proxy({"forward_to": origin.url})
    result = command(proxy, "log-level", *words)
    assert result.returncode == 64 and reason in result.stderr
    assert status(proxy)["log_level"] == "info"


def test_commands_work_while_nothing_reads_the_output(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    proxy.log.stop_reading()
    for _ in range(20):
        assert command(proxy, "log-level", "info").returncode == 0
    assert status(proxy)["pid"] == proxy.pid
    proxy.log.read_on()
