"""Large bodies, one at a time: processor time of the proxy for each GB, and whether its memory stays what it was."""

from .. import memory
from ..cpu import Stopwatch
from ..load import curl
from ..origin import FILES
from ..peers import Peer, Role
from ..site import Site
from .scenario import PROXIES, Column, Scenario, Values, against_peers

COLUMNS = [
    Column("cpu", "CPU s/GB", 3), Column("user", "user", 3), Column("system", "system", 3),
    Column("rate", "MB/s", 0), Column("peak", "most memory MB"),
]


def _scenario(direction: str, file: str, times: int, tls: bool) -> Scenario:
    size = FILES[file]

    def transfer(site: Site, directory, port: int, times: int) -> float:
        url = f"http://127.0.0.1:{port}/orders"
        if direction == "download":
            return curl.download(site, directory, f"{url}/{file}", size, times)
        try:
            return curl.upload(site, directory, f"{url}/upload/received", site.origin.file / file, times)
        finally:
            site.origin.forget_uploads()

    def measure(site: Site, peer: Peer) -> Values:
        with peer.start(site, Role(tls_upstream=tls)) as running:
            if times > 1:
                transfer(site, running.directory, running.port, 1)
            watch = Stopwatch(running.process)
            seconds = transfer(site, running.directory, running.port, times)
            used = watch.read()
            gigabytes = times * size / 1e9
            return {"cpu": used.total / gigabytes, "user": used.user / gigabytes, "system": used.system / gigabytes,
                    "rate": gigabytes * 1000 / seconds, "peak": memory.peak(running.process) / 1e6}

    count = f"{times} {direction}s" if times > 1 else f"One {direction}"
    return Scenario(f"{direction}-{file.lower()}{'-tls' if tls else ''}",
                    f"{count} of {file}B, {'TLS 1.3' if tls else 'plain'} upstream", against_peers(PROXIES, measure),
                    COLUMNS, "cpu")


SCENARIOS = [_scenario(direction, file, times, tls) for file, times in [("10M", 100), ("1G", 1)]
             for direction in ["download", "upload"] for tls in [False, True]]
