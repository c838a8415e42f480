"""Programs: those that are installed, and those that are compiled here from the sources in this directory."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..failure import Failure

SOURCES = Path(__file__).resolve().parent
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Programs:
    proxy: Path
    sandbox: Path
    venv: Path
    built: Path
    "Where what is compiled goes; it is kept from one run to the next."

    def find(self, name: str) -> str | None:
        return shutil.which(name, path=f"{self.venv / 'bin'}:{_PATH}") or shutil.which(name)

    def need(self, name: str) -> str:
        program = self.find(name)
        if not program:
            raise Failure(f"{name} is not installed")
        return program

    def compile_c(self, name: str, *options: str) -> Path:
        """An executable of NAME.c, or with -shared a library."""
        return self._make(SOURCES / f"{name}.c", self.built / name,
                          lambda source, target: [self.need("gcc"), "-O2", "-Wall", "-Werror", *options, "-o", target,
                                                  source, "-ldl"])

    def compile_go(self, name: str) -> Path:
        return self._make(SOURCES / f"{name}.go", self.built / name,
                          lambda source, target: [self.need("go"), "build", "-o", target, source])

    def _make(self, source: Path, target: Path, command) -> Path:
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            self.built.mkdir(parents=True, exist_ok=True)
            result = subprocess.run(list(map(str, command(source, target))), capture_output=True, text=True, timeout=300,
                                    cwd=self.built)
            if result.returncode != 0:
                raise Failure(f"{source.name} cannot be compiled:\n{result.stderr[-2000:]}")
        return target
