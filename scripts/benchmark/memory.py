"""Memory of a program and its workers."""

from pathlib import Path

from .process import Process


def proportional(process: Process) -> int:
    """Bytes, pages that several processes share counted in parts (PSS)."""
    return sum(_kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss:") for pid in process.processes()) * 1024


def resident(process: Process) -> int:
    """Bytes, each process's own count of its pages (RSS)."""
    return sum(_kilobytes(Path(f"/proc/{pid}/status"), "VmRSS:") for pid in process.processes()) * 1024


def peak(process: Process) -> int:
    """The most bytes that it ever had resident."""
    return sum(_kilobytes(Path(f"/proc/{pid}/status"), "VmHWM:") for pid in process.processes()) * 1024


def _kilobytes(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
