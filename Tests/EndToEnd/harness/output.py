"""Collects what a process prints, and waits for lines of it."""

import fcntl
import os
import re
import socket
import subprocess
import threading
from typing import IO

from .waiting import PATIENCE, Changes


class Output:
    def __init__(self, stream: IO[bytes], other_end: socket.socket | None = None):
        """What comes from `stream`, which is a pipe unless its other end is given."""
        self.lines: list[str] = []
        self.ended = False
        self._stopped = False
        self._may_read = threading.Event()
        self._may_read.set()
        self._stream = stream
        self._other_end = other_end
        self._changes = Changes()
        self._thread = threading.Thread(target=self._read, args=[stream], daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                with self._changes:
                    self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._stopped = not self._may_read.is_set()
                self._may_read.wait()
        with self._changes:
            self.ended = True

    def stop_reading(self) -> None:
        """Reads no more, and fills what is between the process and here: it can write nothing from now on."""
        self._may_read.clear()
        if self._other_end:
            write = lambda data: self._other_end.send(data, socket.MSG_DONTWAIT)
        else:
            fcntl.fcntl(self._stream.fileno(), fcntl.F_SETPIPE_SZ, 4096)
            # Through /proc a pipe can be opened for writing by who has the end for reading.
            pipe = os.open(f"/proc/self/fd/{self._stream.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
            write = lambda data: os.write(pipe, data)
        fill(write)
        self._changes.wait_for(lambda: self._stopped, "the end of reading")
        fill(write)
        if not self._other_end:
            os.close(pipe)

    def read_on(self) -> None:
        self._may_read.set()

    def wait_for(self, pattern: str, count: int = 1, patience: float = PATIENCE) -> str:
        """The `count`th line that matches; fails at once when the process ends without it."""
        expression = re.compile(pattern)

        def found():
            matching = [line for line in self.lines if expression.search(line)]
            return matching[count - 1 :] or ([""] if self.ended else None)

        line = self._changes.wait_for(found, f"line {pattern!r} in:\n{self.text}", patience)[0]
        assert line, f"the process ended without a line {pattern!r}:\n{self.text}"
        return line

    def wait_for_end(self) -> str:
        self.read_on()
        if self._other_end:
            self._other_end.close()
        self._thread.join(PATIENCE)
        assert self.ended, "the process is gone, but its output is still open"
        return self.text

    @property
    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)


def fill(write) -> None:
    """Calls `write` with lines, and at last with single bytes, until it would block."""
    for line in [b"x" * 1023 + b"\n", b"\n"]:
        while True:
            try:
                write(line)
            except BlockingIOError:
                break


def run(arguments: list[str], **options) -> subprocess.CompletedProcess:
    """Runs a command to its end with the captured output as text."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, **options)
