"""Small messages: processor time of the proxy for each, beside throughput and latency."""

from ..cpu import Stopwatch
from ..load import wrk
from ..load.request import request
from ..peers import Peer, Role, Running
from ..site import Site
from .scenario import PROXIES, Column, Scenario, Values, against_peers

COLUMNS = [
    Column("cpu", "CPU µs/request"), Column("user", "user"), Column("system", "system"),
    Column("rps", "requests/s", 0), Column("busy", "core in use %", 0),
    Column("p50", "p50 ms", 2), Column("p99", "p99 ms", 2), Column("p999", "p99.9 ms", 2),
]
WARM_UP = 1.0


def under_load(site: Site, running: Running, message: bytes, connections: int, loops: int = 1, url: str | None = None,
               environment: dict[str, str] = {}, seconds: float | None = None) -> Values:
    """What a proxy uses while wrk sends it as much as it takes."""
    url = url or f"http://127.0.0.1:{running.port}/"
    wrk.run(site, running.directory, url, message, connections, WARM_UP, environment)
    watch = Stopwatch(running.process)
    report = wrk.run(site, running.directory, url, message, connections, seconds or site.seconds, environment)
    used = watch.read()
    per_request = 1e6 / report.requests
    return {
        "cpu": used.total * per_request, "user": used.user * per_request, "system": used.system * per_request,
        "rps": report.requests / report.seconds, "busy": used.total / report.seconds / loops * 100,
        "p50": report.p50 / 1000, "p99": report.p99 / 1000, "p999": report.p999 / 1000,
    }


def _scenario(name: str, title: str, connections: int, make_message, tls: bool = False,
              is_quick: bool = False) -> Scenario:
    def measure(site: Site, peer: Peer) -> Values:
        with peer.start(site, Role(tls_upstream=tls)) as running:
            return under_load(site, running, make_message(site), connections)

    return Scenario(name, title, against_peers(PROXIES, measure), COLUMNS, "cpu", is_quick=is_quick)


def _small(site: Site) -> bytes:
    return request(site, "/orders/small")


def _kept(connections: int, tls: bool) -> Scenario:
    upstream = "TLS 1.3" if tls else "plain"
    plural = "s" if connections > 1 else ""
    return _scenario(f"keepalive-{connections}{'-tls' if tls else ''}",
                     f"{connections} keep-alive connection{plural}, responses of 1 KB, {upstream} upstream", connections,
                     _small, tls, is_quick=connections > 1 and (connections, tls) != (512, True))


SCENARIOS = [
    *(_kept(connections, tls) for tls in [False, True] for connections in [1, 64, 512]),
    _scenario("new-connections", "A new client connection for each request, 64 at once, plain upstream", 64,
              lambda site: request(site, "/orders/small", "Connection: close")),
    _scenario("post-10k", "POST with 10 KB of content, 64 keep-alive connections, plain upstream", 64,
              lambda site: request(site, "/orders/content", method="POST", content=b"x" * 10_000)),
    _scenario("chunked", "POST with 10 KB of content in chunks of 1 KB, responses of 1 KB in chunks, 64 keep-alive "
              "connections, plain upstream", 64,
              lambda site: request(site, "/orders/chunked", method="POST", content=b"x" * 10_000, chunk=1_000)),
]
