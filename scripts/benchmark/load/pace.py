"""A constant rate of requests, and what each took: programs/pace.c."""

import array
from collections.abc import Callable
from pathlib import Path

from ..process import Process
from ..site import Site


def run(site: Site, directory: Path, port: int, request: bytes, connections: int, rate: float, seconds: float,
        warm: Callable[[], None] = lambda: None) -> list[tuple[float, float]]:
    """When each request was due, in seconds since 1970, and its latency in seconds, in the order of the answers.
    `warm` is called when each connection has carried one, which is not among them."""
    (directory / "request").write_bytes(request)
    records = directory / "records"
    process = Process("pace", [site.programs.compile_c("pace"), port, connections, rate, seconds, directory / "request",
                               records], directory)
    with process:
        process.wait_until(lambda: process.output.stat().st_size > 0, "its connections have not all carried a request")
        warm()
        process.wait(seconds + 60)
    values = array.array("d", records.read_bytes())
    records.unlink()
    return list(zip(values[::2], values[1::2]))


def percentile(latencies: list[float], percent: float) -> float:
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
