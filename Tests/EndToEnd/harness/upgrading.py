"""Upgrades of a running proxy, and clients that count what fails meanwhile."""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from . import wire
from .client import get
from .control import command
from .waiting import poll


def upgrade(proxy, *arguments: str, **options) -> subprocess.CompletedProcess:
    """Runs the command, and follows the new process where there is one."""
    result = command(proxy, "upgrade", *arguments, **options)
    if result.returncode == 0:
        proxy.follow(int(re.match(r"Process (\d+) serves in place of process (\d+)", result.stdout)[1]))
    return result


def follow_signal(proxy, count: int = 1) -> None:
    """Follows the new process once the log says that it serves."""
    line = proxy.log.wait_for(r"event=upgrade reason=SIGUSR2 result=ok", count)
    proxy.follow(int(re.search(r"process (\d+) serves in place", line)[1]))


def copy_of(binary: Path, directory: Path, name: str) -> Path:
    path = directory / name
    shutil.copy(binary, path)
    path.chmod(0o755)
    return path


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for_end(pid: int) -> None:
    poll(lambda: has_ended(pid), f"the end of process {pid}")


def descriptors(pid: int) -> dict[int, str]:
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return found


class Load:
    """Clients that send requests one after the other, on connections that stay and on new ones, and count what fails.

    A connection that stays may end between two requests, before a byte of a response: HTTP allows that, and a client connects
    again. That is counted by itself.
    """

    def __init__(self, proxy, stays: int = 2, new: int = 2, connect=None):
        self.answers = 0
        self.reconnected = 0
        self.failures: list[object] = []
        self._connect = connect or proxy.connect
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[keeps]) for keeps in [True] * stays + [False] * new]
        for thread in self._threads:
            thread.start()

    def _run(self, keeps: bool) -> None:
        client, count = None, 0
        while not self._ended.is_set():
            try:
                if client is None:
                    client, count = self._connect(), 0
                try:
                    answer = client.exchange(get("/api/x"))
                except (wire.Incomplete, ConnectionError):
                    if count == 0 or client.reader.buffered():
                        raise
                    client.close()
                    client = None
                    self.reconnected += 1
                    continue
                count += 1
                self.answers += 1
                if answer.status != 200:
                    self.failures.append(answer.status)
                if not keeps or answer.values("connection"):
                    client.close()
                    client = None
            except Exception as error:
                self.failures.append(error)
                if client is not None:
                    client.close()
                client = None

    def go_on(self, count: int = 50) -> None:
        """Until so many further requests have had a response."""
        target = self.answers + count
        poll(lambda: self.answers >= target or self.failures, f"{count} responses")

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> "Load":
        self.go_on()
        return self

    def __exit__(self, *_) -> None:
        self.end()
