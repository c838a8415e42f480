"""Commands for a running proxy: status, drain, health and log-level."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from harness.client import get
from harness.control import command, place, responding, status, stopped, with_directory
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import PATIENCE, poll


def test_status_shows_the_state_of_the_proxy(start_proxy, origin, held):
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
    thread = poll(lambda: next((task for task in Path(f"/proc/{proxy.pid}/task").iterdir()
                                if (task / "comm").read_text() == "loop-1\n"), None), "the thread of the second loop")
    with stopped(int(thread.name)):
        assert status(proxy)["silent_loops"] == ["1"]
        assert "loop 1: no response in 1 s" in command(proxy, "status").stdout
        result = command(proxy, "health", "--timeout", "1")
        assert (result.returncode, result.stdout) == (1, "") and "loop 1 does not respond" in result.stderr
    assert "silent_loops" not in status(proxy)
    assert command(proxy, "health").returncode == 0


def test_a_command_without_a_process_exits_with_69(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    proxy.stop()
    for words in [["status"], ["status", "--json"], ["drain"], ["drain", "--wait"], ["reload"], ["reopen-logs"], ["log-level", "info"]]:
        result = command(proxy, *words)
        assert result.returncode == 69 and result.stdout == "", words
        assert "no process with the configuration proxy.conf takes commands at unix:" in result.stderr


def test_a_proxy_is_found_whatever_happened_to_its_file(start_proxy, origin):
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


def test_two_processes_are_distinguished_by_their_files(start_proxy, origin, run_directory):
    one, other = (start_proxy({"forward_to": origin.url}, **with_directory(run_directory)) for _ in range(2))
    assert place(one) != place(other)
    for proxy in [one, other]:
        found = command(proxy, "status", "--json", environment={"RUNTIME_DIRECTORY": str(run_directory)})
        assert json.loads(found.stdout)["pid"] == proxy.pid
    assert command(one, "drain", "--wait", environment={"RUNTIME_DIRECTORY": str(run_directory)}).returncode == 0
    assert one.wait() == 0
    assert status(other, "--control", place(other))["pid"] == other.pid


def test_a_second_process_with_the_same_file_warns_and_serves(binary, start_proxy, origin, run_directory):
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


def test_health_works_while_remote_clients_fill_the_admin_listener(start_proxy, origin):
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
