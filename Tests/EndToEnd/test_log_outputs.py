"""Where the log goes: files that are rotated, full disks, syslog, and pipes that are not read. No request ever waits, and every line
arrives, or is counted."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest

from harness.client import get
from harness.output import run
from harness.proxy import clean_environment, logfmt
from harness.proxy_conf import proxy_conf
from harness.waiting import PATIENCE, poll

NONE = {"credentials": "none", "audience": None}
DROPPED = "m2m_proxy_log_lines_dropped_total"


def numbers(text: str) -> list[int]:
    """The numbers of the requests whose lines are in `text`, each of which must be whole."""
    assert text == "" or text.endswith("\n"), f"the last line is not whole: {text[-200:]!r}"
    lines = [logfmt(line) for line in text.splitlines()]
    return [int(line["path"].split("/")[1]) for line in lines if line["event"] == "request"]


class Load:
    """A client that sends numbered requests one after the other until it ends."""

    def __init__(self, proxy, tail: str = ""):
        self.sent = 0
        self.failures: list[object] = []
        self._proxy = proxy
        self._tail = tail
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        client = self._proxy.connect()
        try:
            while not self._ended.is_set():
                status = client.exchange(get(f"http://api.internal/{self.sent}{self._tail}")).status
                if status != 200:
                    self.failures.append(status)
                self.sent += 1
        except Exception as error:
            self.failures.append(error)

    def wait_for_more(self, count: int = 20) -> None:
        goal = self.sent + count
        poll(lambda: self.sent >= goal or self.failures, f"{count} more requests", 60)

    def end(self) -> int:
        """How many requests were sent; none of them failed."""
        self._ended.set()
        self._thread.join()
        assert self.failures == []
        return self.sent


@pytest.fixture
def log_file(tmp_path) -> Path:
    directory = tmp_path / "log"
    directory.mkdir(mode=0o755)
    return directory / "m.log"


@pytest.fixture
def logging_to_file(start_proxy, origin, log_file):
    return start_proxy(NONE | {"forward_to": origin.url}, log={"file": str(log_file)})


# Files

def rotate_and_signal(proxy, log_file: Path, number: int) -> None:
    log_file.rename(f"{log_file}.{number}")
    proxy.signal(signal.SIGUSR1)
    # Without the signal this would take longer than a second at times; what matters is that the new file is used.
    poll(lambda: log_file.exists() and "was opened again" in log_file.read_text(), "the new file")


def rotate(_, log_file: Path, number: int) -> None:
    log_file.rename(f"{log_file}.{number}")
    poll(lambda: log_file.exists() and log_file.stat().st_size, "the new file")


def remove(_, log_file: Path, number: int) -> None:
    # What is removed can still be read.
    os.link(log_file, log_file.parent / f"kept.{number}")
    log_file.unlink()
    poll(lambda: log_file.exists() and log_file.stat().st_size, "the new file")


@pytest.mark.parametrize("change", [rotate_and_signal, rotate, remove])
def test_a_file_that_is_rotated_under_load_has_every_line_once(logging_to_file, log_file, change):
    load = Load(logging_to_file)
    for number in range(3):
        load.wait_for_more()
        change(logging_to_file, log_file, number)
    load.wait_for_more()
    sent = load.end()
    logging_to_file.stop()
    found = [number for file in log_file.parent.iterdir() for number in numbers(file.read_text())]
    assert Counter(found) == Counter(range(sent))
    assert log_file.stat().st_mode & 0o777 == 0o640
    assert "event=" not in logging_to_file.log.text


ROTATION = """
{file} {{
    rotate 9
    size 1
    missingok
    {how}
}}
"""
BY_SIGNAL = "nocreate\n    postrotate\n        kill -USR1 {pid}\n    endscript"


@pytest.mark.skipif(not shutil.which("logrotate"), reason="there is no logrotate")
@pytest.mark.parametrize("how", [BY_SIGNAL, "nocreate", "create 0640", "copytruncate"])
def test_logrotate(logging_to_file, log_file, tmp_path, how):
    conf = tmp_path / "logrotate.conf"
    conf.write_text(ROTATION.format(file=log_file, how=how.format(pid=logging_to_file.pid)))
    conf.chmod(0o644)
    client = logging_to_file.connect()
    sent = 0

    def exchange_until(predicate, what: str) -> None:
        nonlocal sent

        def attempt():
            nonlocal sent
            assert client.exchange(get(f"http://api.internal/{sent}")).status == 200
            sent += 1
            return predicate()

        poll(attempt, what)

    def is_logged() -> bool:
        return any(f"/{sent - 1} " in file.read_text() for file in log_file.parent.iterdir())

    for number in range(1, 4):
        exchange_until(lambda: log_file.exists() and "event=request" in log_file.read_text(), "lines")
        # What is written between copying and truncating is lost, as logrotate's manual says: nothing is, here.
        poll(is_logged, "the last line")
        result = run(["logrotate", "--state", tmp_path / "state", conf])
        assert (result.returncode, result.stderr) == (0, "")
        assert Path(f"{log_file}.{number}").exists()
    exchange_until(lambda: log_file.exists() and "event=request" in log_file.read_text(), "the new file")
    logging_to_file.stop()
    found = [number for file in log_file.parent.iterdir() for number in numbers(file.read_text())]
    assert Counter(found) == Counter(range(sent))


@pytest.mark.parametrize("path, reason", [
    ("nowhere/m.log", "No such file or directory; its directory must exist"), (".", "Is a directory"),
    ("/dev/full", "it is not a regular file")])
def test_a_file_that_cannot_be_opened_is_reported_at_the_start(binary, tmp_path, path, reason):
    conf = {"listen": "127.0.0.1:0", "admin": "off", "log": {"file": path},
            "routes": [{"name": "a", "match": "a.internal", "credentials": "none"}]}
    (tmp_path / "proxy.conf").write_text(proxy_conf(conf))
    result = subprocess.run([binary, "run"], cwd=tmp_path, capture_output=True, text=True, env=clean_environment(),
                            timeout=PATIENCE)
    assert result.returncode == 71
    assert result.stderr.startswith("m2m-proxy: the log file ") and reason in result.stderr


def test_a_file_that_cannot_be_reopened_is_reported_in_the_open_one(logging_to_file, log_file):
    rotated = log_file.rename(f"{log_file}.1")
    log_file.mkdir()
    logging_to_file.signal(signal.SIGUSR1)
    poll(lambda: "error=cannot_reopen" in rotated.read_text(), "the warning")
    assert logging_to_file.connect().exchange(get("http://api.internal/0")).status == 200
    log_file.rmdir()
    poll(lambda: log_file.exists() and numbers(log_file.read_text()) == [0] or numbers(rotated.read_text()) == [0],
         "the line of the request")


# A full disk

MOUNT = 'mount -t tmpfs -o size=8m none "$0"; dd if=/dev/zero of="$0/ballast" bs=64k count=200 2>/dev/null || true; exec "$@"'


@pytest.fixture
def on_small_disk(start_proxy, origin, log_file):
    """A proxy that logs to a file system of its own, which is full from the beginning."""
    if run(["unshare", "--mount", "true"]).returncode != 0:
        pytest.skip("there is no mount namespace of our own to be had here")
    return start_proxy(
        NONE | {"forward_to": origin.url}, log={"file": str(log_file)},
        launcher=["unshare", "--mount", "sh", "-ec", MOUNT, str(log_file.parent)])


def test_a_full_disk_delays_no_request_and_the_log_goes_on_when_there_is_room(on_small_disk, log_file):
    seen = Path(f"/proc/{on_small_disk.pid}/root{log_file}")
    on_small_disk.messages.wait_for("cannot be written: No space left on device")
    load = Load(on_small_disk, "/" + "x" * 3000)
    poll(lambda: on_small_disk.sample(DROPPED, reason="disk_full") > 0 or load.failures, "lost lines", 120)
    seen.with_name("ballast").unlink()
    poll(lambda: "reason=disk_full" in seen.read_text(), "the line about lost lines")
    # The last requests have lines.
    load.wait_for_more()
    sent = load.end()
    poll(lambda: str(sent - 1) in seen.read_text()[-4000:], "the last line")
    found = numbers(seen.read_text())
    dropped = on_small_disk.sample(DROPPED)
    assert dropped == on_small_disk.sample(DROPPED, reason="disk_full")
    assert len(set(found)) == len(found) == sent - dropped
    told = [logfmt(line) for line in seen.read_text().splitlines() if "event=log" in line]
    assert sum(int(line["lines_dropped"]) for line in told) == dropped


def test_what_a_full_disk_does_not_take_is_counted_at_the_end(on_small_disk):
    assert on_small_disk.connect().exchange(get("http://api.internal/0")).status == 200
    on_small_disk.messages.wait_for("cannot be written: No space left on device")
    on_small_disk.signal(signal.SIGTERM)
    assert on_small_disk.wait() == 0
    # start, ready, the request, drain and stop.
    on_small_disk.messages.wait_for("done: 1 request, 0 dropped; 5 lines of output lost: the disk was full$")


# Pipes

def test_dropped_lines_are_reported_when_lines_are_read_again(start_proxy, origin):
    proxy = start_proxy(NONE | {"forward_to": origin.url})
    proxy.log.wait_for("event=ready")
    proxy.log.stop_reading()
    load = Load(proxy, "/" + "x" * 3000)
    poll(lambda: proxy.sample(DROPPED, reason="slow") > 0 or load.failures, "lost lines", 120)
    sent = load.end()
    dropped = proxy.sample(DROPPED)
    proxy.log.read_on()
    proxy.log.wait_for(rf"level=warning event=log reason=slow .* lines_dropped={dropped:.0f}$", patience=60)
    found = [int(match) for match in re.findall(r"path=/(\d+)/", proxy.log.text)]
    assert found == sorted(set(found)) and len(found) == sent - dropped


def test_a_log_whose_reader_is_gone_is_counted_and_requests_go_on(start_proxy, origin):
    proxy = start_proxy(
        NONE | {"forward_to": origin.url}, launcher=["sh", "-ec", '"$@" | sleep 0', "sh"])
    # The pipe's only reader, sleep, has ended or will soon.
    client = proxy.connect()

    def is_counted():
        assert client.exchange(get("http://api.internal/0")).status == 200
        return proxy.sample(DROPPED, reason="closed") > 1

    poll(is_counted, "lost lines")
    # The proxy is the first process that the shell has started.
    os.kill(int(Path(f"/proc/{proxy.pid}/task/{proxy.pid}/children").read_text().split()[0]), signal.SIGTERM)
    proxy.messages.wait_for("lines of output lost: the reader had closed the output")
    assert proxy.wait() == 0


# Syslog

MESSAGE = re.compile(
    r"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) - (.*)")


class Syslog:
    """A receiver of RFC 5424 messages at a Unix socket."""

    def __init__(self, path: Path, kind: int = socket.SOCK_DGRAM):
        self.path, self.kind = path, kind
        self.messages: list[tuple] = []
        self._buffer = b""
        self.start()

    def start(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, self.kind)
        self._socket.bind(str(self.path))
        if self.kind == socket.SOCK_STREAM:
            self._socket.listen()
        self._socket.settimeout(PATIENCE)
        self._stream = None

    def stop(self) -> None:
        for one in [self._stream, self._socket]:
            if one:
                one.close()
        self.path.unlink()

    def _next(self) -> str:
        if self.kind == socket.SOCK_DGRAM:
            return self._socket.recv(1 << 18).decode()
        if not self._stream:
            self._stream, _ = self._socket.accept()
            self._stream.settimeout(PATIENCE)
            self._buffer = b""
        while b"\n" not in self._buffer:
            self._buffer += self._stream.recv(65536)
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()

    def wait_for(self, text: str) -> None:
        while True:
            message = self._next()
            match = MESSAGE.fullmatch(message)
            assert match, f"no message of RFC 5424: {message!r}"
            self.messages.append(match.groups())
            if text in message:
                return


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["datagrams", "stream"])
def test_syslog(start_proxy, origin, tmp_path, kind):
    syslog = Syslog(tmp_path / "s", kind)
    proxy = start_proxy(
        NONE | {"forward_to": origin.url},
        log={"syslog": {"socket": str(syslog.path), "facility": "local3", "tag": "orders-proxy"}})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/0")).status == 200
    syslog.wait_for("path=/0 ")
    assert [message[5] for message in syslog.messages] == ["start", "ready", "request"]
    for priority, time, host, tag, process, event, line in syslog.messages:
        # local3, informational.
        assert (int(priority), host, tag, int(process)) == (19 * 8 + 6, socket.gethostname(), "orders-proxy", proxy.pid)
        assert logfmt(line)["time"] == time and logfmt(line)["event"] == event
    # While it is restarted, requests go on and lines wait.
    syslog.stop()
    for number in range(1, 50):
        assert client.exchange(get(f"http://api.internal/{number}")).status == 200
    proxy.messages.wait_for(f"log: syslog at {syslog.path} cannot be reached: .*; lines wait")
    syslog.start()
    syslog.wait_for("path=/49 ")
    paths = [logfmt(message[-1])["path"] for message in syslog.messages if message[5] == "request"]
    assert paths == [f"/{number}" for number in range(50)]
    proxy.signal(signal.SIGTERM)
    syslog.wait_for("event=stop")
    assert syslog.messages[-1][0] == str(19 * 8 + 5)
    assert proxy.wait() == 0
    assert proxy.log.text == ""
    assert "lines of output lost" not in proxy.messages.text


def test_without_syslog_the_proxy_serves_and_lines_wait(start_proxy, origin, tmp_path):
    proxy = start_proxy(NONE | {"forward_to": origin.url}, log={"syslog": {"socket": str(tmp_path / "s")}})
    assert proxy.connect().exchange(get("http://api.internal/0")).status == 200
    proxy.messages.wait_for("cannot be reached: No such file or directory; lines wait")
    syslog = Syslog(tmp_path / "s")
    syslog.wait_for("path=/0 ")
    assert proxy.sample(DROPPED) == 0
    syslog.stop()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    proxy.messages.wait_for("lines of output lost: syslog could not be reached")
