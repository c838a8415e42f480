"""A constant rate of requests, and what each took: programs/pace.c."""

import array
from pathlib import Path

from ..process import Process
from ..site import Site


def run(site: Site, directory: Path, port: int, request: bytes, connections: int, rate: float,
        seconds: float) -> list[tuple[float, float]]:
    """When each request was due, in seconds since 1970, and its latency in seconds, in the order of the answers."""
    (directory / "request").write_bytes(request)
    records = directory / "records"
    process = Process("pace", [site.programs.compile_c("pace"), port, connections, rate, seconds, directory / "request",
                               records], directory)
    with process:
        process.wait(seconds + 60)
    values = array.array("d", records.read_bytes())
    records.unlink()
    return list(zip(values[::2], values[1::2]))


def percentile(latencies: list[float], percent: float) -> float:
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
