"""wrk: as many requests as kept connections carry, or with `Connection: close` a connection for each."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..failure import Failure
from ..process import Process
from ..programs import SOURCES
from ..site import Site


@dataclass(frozen=True)
class Report:
    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float
    "Latencies in microseconds."


def run(site: Site, directory: Path, url: str, request: bytes, connections: int, seconds: float,
        environment: dict[str, str] = {}) -> Report:
    (directory / "request").write_bytes(request)
    report = directory / "wrk.json"
    report.unlink(missing_ok=True)
    # It only knows whole seconds.
    duration = max(1, round(seconds))
    process = Process(
        "wrk", [site.programs.need("wrk"), "--threads", 1, "--connections", connections, "--duration", f"{duration}s",
                "--timeout", "10s", "--script", SOURCES / "wrk.lua", url],
        directory, environment={"BENCH_REQUEST": str(directory / "request"), "BENCH_REPORT": str(report)} | environment)
    with process:
        process.wait(duration + 60)
    said = json.loads(report.read_text())
    if errors := {kind: count for kind, count in said["errors"].items() if count}:
        raise Failure("wrk: not all was well: " + ", ".join(f"{count} x {kind}" for kind, count in errors.items()))
    if said["requests"] == 0:
        raise Failure("wrk: no request was answered")
    return Report(said["requests"], said["microseconds"] / 1e6, said["p50"], said["p99"], said["p99.9"])
