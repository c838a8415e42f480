"""Control groups with a memory limit, in whichever version this machine has."""

import contextlib
import itertools
import os
from pathlib import Path

_numbers = itertools.count()


def _hierarchies():
    """Mounted hierarchies with memory, as pairs of version and directory of this process's own group."""
    groups = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            groups[1] = path
        elif number == "0" and not controllers:
            groups[2] = path
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split(" ")
        kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
        version = 2 if kind == "cgroup2" else 1 if kind == "cgroup" and "memory" in options else None
        if version in groups:
            yield version, Path(fields[4] + groups[version].removeprefix(fields[3].rstrip("/")))


class ControlGroup:
    """A group below this process's own one."""

    def __init__(self, version: int, parent: Path, limit: int):
        self.path = parent / f"m2m-proxy-test-{os.getpid()}-{next(_numbers)}"
        self.limit_file = self.path / ("memory.limit_in_bytes" if version == 1 else "memory.max")
        self._peak_file = self.path / ("memory.max_usage_in_bytes" if version == 1 else "memory.peak")
        if version == 2 and "memory" not in (parent / "cgroup.subtree_control").read_text().split():
            (parent / "cgroup.subtree_control").write_text("+memory")
        self.path.mkdir()
        try:
            self.limit_file.write_text(str(limit))
        except OSError:
            self.path.rmdir()
            raise

    @property
    def launcher(self) -> list[str]:
        """What starts a program in the group."""
        return ["sh", "-ec", 'echo $$ > "$0/cgroup.procs"; exec "$@"', str(self.path)]

    @property
    def peak(self) -> int | None:
        """The most memory that the group ever had; None where the kernel does not say."""
        return int(self._peak_file.read_text()) if self._peak_file.exists() else None


@contextlib.contextmanager
def limited_memory(limit: int):
    """A group with that limit; None, and a reason, where there can be none."""
    reasons = []
    for version, parent in _hierarchies():
        try:
            group = ControlGroup(version, parent, limit)
        except OSError as error:
            reasons.append(f"version {version} at {parent}: {error}")
            continue
        try:
            yield group, ""
        finally:
            group.path.rmdir()
        return
    yield None, "; ".join(reasons) or "no control groups with memory are mounted"
