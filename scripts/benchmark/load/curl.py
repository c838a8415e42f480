"""curl: large bodies, one after the other over one connection."""

from pathlib import Path

from ..failure import Failure
from ..process import Process
from ..site import Site


def download(site: Site, directory: Path, url: str, size: int, times: int) -> float:
    """Returns how long it took, in seconds."""
    return _run(site, directory, times, size, "size_download", ["--output", "/dev/null", f"{url}?[1-{times}]"])


def upload(site: Site, directory: Path, url: str, file: Path, times: int) -> float:
    return _run(site, directory, times, file.stat().st_size, "size_upload",
                ["--header", "Expect:", "--output", "/dev/null", "--upload-file", file, f"{url}?[1-{times}]"])


def _run(site: Site, directory: Path, times: int, size: int, counted: str, arguments: list) -> float:
    process = Process("curl", [site.programs.need("curl"), "-q", "--silent", "--show-error", "--fail", "--noproxy", "*",
                               "--write-out", f"%{{http_code}} %{{{counted}}} %{{time_total}}\n", *arguments], directory)
    with process:
        process.wait(60 + times * size / 20e6)
    lines = [line.split() for line in process.output.read_text().splitlines()]
    if [int(line[1]) for line in lines] != [size] * times:
        raise Failure(f"curl: not all of it was transferred: {lines[:3]}")
    return sum(float(line[2]) for line in lines)
