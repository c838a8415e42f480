"""Processor time of a program and its workers, in the kernel's nanoseconds."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from .process import Process

_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessorTime:
    """In seconds."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system


class Stopwatch:
    """What a program uses from now on. Its total is exact; where it was spent, user or system, the kernel only samples
    at each tick, so that the share is good to a percent after some seconds."""

    def __init__(self, process: Process):
        self._process = process
        self._begin = _reading(process)

    def read(self) -> ProcessorTime:
        total, user, system = (end - begin for end, begin in zip(_reading(self._process), self._begin))
        share = user / (user + system) if user + system > 0 else 0.5
        return ProcessorTime(total * share, total * (1 - share))


def _reading(process: Process) -> tuple[float, float, float]:
    total = user = system = 0.0
    for pid in process.processes():
        total += time.clock_gettime(_clock(pid))
        # After the name, which may hold blanks, in parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11]) * _TICK
        system += int(fields[12]) * _TICK
    return total, user, system


def _clock(pid: int) -> int:
    """The clock of another process's time, as clock_getcpuclockid(3) makes it; Python has no name for that."""
    return ~pid << 3 | 2
