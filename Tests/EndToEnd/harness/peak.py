"""How much memory a process takes at most."""


class Peak:
    """The growth of a process's resident memory, from the kernel's high-water mark."""

    def __init__(self, pid: int):
        self._pid = pid
        self.before = self._read("VmRSS")
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")  # Begin the high-water mark anew.

    def _read(self, name: str) -> int:
        with open(f"/proc/{self._pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

    @property
    def growth(self) -> int:
        return self._read("VmHWM") - self.before
