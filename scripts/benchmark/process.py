"""A program that is started for a measurement: pinned, waited for, and ended by its own number only."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from .failure import Failure

PATIENCE = 30.0
"""How long a program may take to start or to end, in seconds."""


class Process:
    def __init__(self, name: str, arguments: list, directory: Path, cores: list[int] | None = None,
                 environment: dict[str, str] | None = None):
        self.name = name
        self.output = directory / f"{name}.out"
        self.errors = directory / f"{name}.err"
        command = ["setpriv", "--pdeathsig", "TERM"]  # Nothing outlives this process, whatever ends it.
        if cores is not None:
            command += ["taskset", "--cpu-list", ",".join(map(str, cores))]
        with open(self.output, "wb") as output, open(self.errors, "wb") as errors:
            # In a session of its own, Ctrl-C reaches this process alone, which then ends everything in order.
            self._process = subprocess.Popen(
                [*command, *map(str, arguments)], cwd=directory, stdin=subprocess.DEVNULL, stdout=output,
                stderr=errors, start_new_session=True, env=_without_proxies() | (environment or {}))

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def wait_for_port(self, port: int) -> "Process":
        """Returns when it accepts connections there."""
        self.wait_until(lambda: _accepts(port), f"it does not listen on port {port}")
        return self

    def wait_until(self, condition, otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self._process.poll() is not None:
                raise self._failure(f"it ended with {self._process.returncode}")
            if time.monotonic() > deadline:
                self.stop()
                raise self._failure(f"{otherwise} after {PATIENCE:g} s")
            time.sleep(0.01)

    def wait(self, patience: float) -> None:
        """Until it has ended by itself, with success."""
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.stop()
            raise self._failure(f"it did not end within {patience:g} s") from None
        if code != 0:
            raise self._failure(f"it ended with {code}")

    def processes(self) -> list[int]:
        """Its number and those of its workers."""
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    found += map(int, children.read_text().split())
                except OSError:
                    continue  # That thread has just ended.
        return found

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        workers = self.processes()[1:]
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            for pid in workers:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def _failure(self, what: str) -> Failure:
        said = [line for path in [self.errors, self.output] for line in _tail(path)]
        return Failure(f"{self.name}: {what}" + "".join(f"\n    {line}" for line in said[:20]))


def _tail(path: Path) -> list[str]:
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 2000))
        return file.read().decode("utf-8", "replace").splitlines()[-10:]


def _accepts(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
