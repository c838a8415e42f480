"""The machine: which core is whose, how many descriptors there may be, and what has to be said beside every figure."""

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path

from .failure import Failure

DESCRIPTORS = 12_000
"""10,000 clients and the connections to the origin, with room."""


@dataclass(frozen=True)
class Cores:
    """The proxy has one core for itself; load and origin have the others, and so has this process."""

    proxy: int
    second: int
    load: list[int]

    @classmethod
    def share_out(cls) -> "Cores":
        available = sorted(os.sched_getaffinity(0))
        if len(available) < 2:
            raise SystemExit("bench: two processor cores are needed, one for the proxy and one for the load")
        return cls(available[0], available[1], available[1:])

    def of_proxy(self, loops: int) -> list[int]:
        return [self.proxy, self.second][:loops]


def stay_off_the_proxys_core(cores: Cores) -> None:
    """What is started later inherits this, but for the proxy."""
    os.sched_setaffinity(0, cores.load)


def raise_descriptor_limit() -> None:
    """As many descriptors as may be had."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        raise Failure(f"{DESCRIPTORS:,} descriptors are needed, and the limit is {hard:,}: ulimit -Hn {DESCRIPTORS}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536, hard))


def description() -> dict[str, str]:
    models = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
              if line.startswith("model name")]
    return {
        "processor": f"{os.cpu_count()} x {models[0] if models else platform.machine()}",
        "kernel": platform.release(),
        "load average at the beginning": f"{os.getloadavg()[0]:.2f}",
    }


def is_quiet() -> bool:
    """Whether anything else runs: figures of a busy machine are worth little."""
    return os.getloadavg()[0] < 0.7
