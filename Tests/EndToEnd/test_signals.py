"""Signals: those that end the program, those that other servers have a use for, and a terminal that hangs up."""

import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from harness.client import get
from harness.proxy import clean_environment
from harness.terminal import Terminal
from harness.waiting import poll

HELD = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP]


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    terminal.close()


def blocked(pid: int) -> set[int]:
    """The signals that the first thread of a process has blocked."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def test_unused_signals_before_it_serves_do_not_end_it(binary):
    # It waits for its configuration, which is a mistake and ends it.
    process = subprocess.Popen([binary, "run", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=clean_environment())
    poll(lambda: set(HELD) <= blocked(process.pid), "the signals to be blocked")
    for number in HELD:
        process.send_signal(number)
    _, messages = process.communicate(b"listen: nowhere\n")
    assert process.returncode == 64, messages


@pytest.fixture(scope="session")
def early(tmp_path_factory) -> dict:
    """An environment in which a program gets these signals while it is loaded, before its libraries' initializers run."""
    directory = tmp_path_factory.mktemp("early")
    source = directory / "early.c"
    source.write_text(r"""
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor(101))) static void send(void) {
  unsetenv("LD_PRELOAD");
  kill(getpid(), SIGHUP);
  kill(getpid(), SIGUSR1);
}
""")
    compiler = next(filter(None, map(shutil.which, ["cc", "clang", "gcc"])))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", directory / "early.so", source], check=True)
    return {"LD_PRELOAD": str(directory / "early.so")}


def test_signals_before_any_code_of_the_program_take_effect_when_it_serves(start_proxy, origin, early):
    proxy = start_proxy({"forward_to": origin.url}, environment=early)
    proxy.log.wait_for("event=reload reason=SIGHUP result=ok")
    proxy.log.wait_for("event=log .*opened again")
    assert proxy.connect().exchange(get("http://api.internal/x")).status == 200


def test_such_signals_end_other_commands_from_the_beginning(binary, early):
    process = subprocess.run([binary, "check", "-"], stdin=subprocess.DEVNULL, capture_output=True,
                             env=clean_environment() | early)
    assert process.returncode == -signal.SIGHUP


def test_a_hang_up_that_was_ignored_before_stays_so(start_proxy, early):
    # As nohup does, which the library would send the signals to as well.
    ignoring = ["sh", "-c", 'trap "" HUP; LD_PRELOAD="$0" exec "$@"', early["LD_PRELOAD"]]
    proxy = start_proxy({}, launcher=ignoring)
    # They are seen in the order of their numbers.
    proxy.log.wait_for("event=log .*opened again")
    assert "SIGHUP" not in proxy.log.text


@pytest.mark.parametrize("number", HELD)
def test_other_commands_end_by_these_signals(binary, number):
    process = subprocess.Popen([binary, "check", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=clean_environment())
    process.send_signal(number)
    process.wait(timeout=10)
    process.communicate()
    assert process.returncode == -number


@pytest.mark.parametrize("number", HELD)
def test_such_a_signal_during_the_drain_changes_nothing(proxy, origin, number):
    event = threading.Event()
    origin.script(lambda connection: (connection.request(), connection.hold(event), connection.answer(b"finished")))
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("draining")
    proxy.signal(number)
    proxy.log.wait_for("event=(upgrade|reload|log)")
    event.set()
    assert client.answer().body == b"finished"
    assert proxy.wait() == 0


@pytest.mark.parametrize("by_shell", [False, True])
def test_a_terminal_that_hangs_up_drains(start_proxy, origin, terminal, by_shell):
    event = threading.Event()
    origin.script(lambda connection: (connection.request(), connection.hold(event), connection.answer(b"finished")))
    proxy = start_proxy({"forward_to": origin.url}, launcher=terminal.launcher(by_shell=by_shell))
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    terminal.hang_up()
    proxy.messages.wait_for("draining")
    # A shell sends it too, and so does who ends the session: only SIGTERM is asked twice.
    proxy.signal(signal.SIGHUP)
    proxy.signal(signal.SIGTERM)
    event.set()
    assert client.answer().body == b"finished"
    assert proxy.wait() == 0
    assert 'detail="the terminal has hung up; draining"' in proxy.log.text


def test_sighup_is_no_hangup_while_the_terminal_is_there(start_proxy, origin, terminal):
    proxy = start_proxy({"forward_to": origin.url}, launcher=terminal.launcher())
    proxy.signal(signal.SIGHUP)
    proxy.log.wait_for("event=reload .*result=ok")
    assert proxy.connect().exchange(get("http://api.internal/x")).status == 200
    assert "draining" not in proxy.messages.text
    terminal.hang_up()
    assert proxy.wait() == 0


def test_under_nohup_neither_a_hangup_nor_sighup_ends_it(start_proxy, origin, terminal):
    proxy = start_proxy({"forward_to": origin.url}, launcher=[*terminal.launcher(), "nohup"])
    terminal.hang_up()
    proxy.signal(signal.SIGHUP)
    # They are seen in the order of their numbers, and this one is the last.
    proxy.signal(signal.SIGUSR1)
    proxy.log.wait_for("event=log .*opened again")
    assert "SIGHUP" not in proxy.log.text and "draining" not in proxy.messages.text
    assert proxy.connect().exchange(get("http://api.internal/x")).status == 200
