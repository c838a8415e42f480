"""Collects what a process prints, and waits for lines of it."""

import re
import subprocess
import threading
from typing import IO

from .waiting import PATIENCE, Changes


class Output:
    def __init__(self, stream: IO[bytes]):
        self.lines: list[str] = []
        self.ended = False
        self._changes = Changes()
        self._thread = threading.Thread(target=self._read, args=[stream], daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                with self._changes:
                    self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
        with self._changes:
            self.ended = True

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
        self._thread.join(PATIENCE)
        assert self.ended, "the process is gone, but its output is still open"
        return self.text

    @property
    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)


def run(arguments: list[str], **options) -> subprocess.CompletedProcess:
    """Runs a command to its end with the captured output as text."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, **options)
