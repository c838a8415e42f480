"""How much memory a process takes at most."""


class Peak:
    """The growth of a process's resident memory, from the kernel's high-water mark, without the pages of its program, which
    the start gives back and the first requests read again."""

    def __init__(self, pid: int):
        self._pid = pid
        self.before = self._read("VmRSS")
        self._program_before = self._read("RssFile")
        with open(f"/proc/{pid}/clear_refs", "w") as file:
            file.write("5")  # Begin the high-water mark anew.

    def _read(self, name: str) -> int:
        with open(f"/proc/{self._pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

    @property
    def growth(self) -> int:
        return self._read("VmHWM") - self.before - max(0, self._read("RssFile") - self._program_before)
