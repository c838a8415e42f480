"""Latency at a rate that the proxy can well serve, counted from when each request was due."""

from ..load import pace
from ..load.request import request
from ..peers import PEERS, Peer, Role
from ..site import Site
from .requests import WARM_UP, under_load
from .scenario import Column, Scenario, Values, against_peers

_CONNECTIONS = 64
_PEERS = ["m2m-proxy", "nginx", "haproxy"]
COLUMNS = [Column("rate", "requests/s", 0), Column("p50", "p50 ms", 2), Column("p99", "p99 ms", 2),
           Column("p999", "p99.9 ms", 2)]


class _HalfLoad:
    """Half of what the slowest of those compared carries when it gets all that it takes; found out once in a run."""

    def __init__(self):
        self._rate: float | None = None

    def rate(self, site: Site) -> float:
        if self._rate is None:
            there = [PEERS[name] for name in _PEERS if PEERS[name].is_there(site.programs)]
            self._rate = min(self._carried(site, peer) for peer in there) / 2
        return self._rate

    @staticmethod
    def _carried(site: Site, peer: Peer) -> float:
        with peer.start(site, Role()) as running:
            return under_load(site, running, request(site, "/orders/small"), _CONNECTIONS)["rps"]

    def measure(self, site: Site, peer: Peer) -> Values:
        rate = self.rate(site)
        message = request(site, "/orders/small")
        with peer.start(site, Role()) as running:
            # The first requests wait for connections, and some of them for a token.
            pace.run(site, running.directory, running.port, message, _CONNECTIONS, rate, WARM_UP)
            records = pace.run(site, running.directory, running.port, message, _CONNECTIONS, rate, site.seconds)
        return {"rate": rate} | percentiles(latency for _, latency in records)


def percentiles(latencies) -> Values:
    """Of seconds, in milliseconds."""
    milliseconds = sorted(latency * 1000 for latency in latencies)
    return {key: pace.percentile(milliseconds, percent) for key, percent in [("p50", 50), ("p99", 99), ("p999", 99.9)]}


SCENARIOS = [Scenario(
    "half-load", "Latency at half load: a constant rate over 64 connections, plain upstream",
    against_peers(_PEERS, _HalfLoad().measure), COLUMNS, "p99", "m2m-proxy's p99 / its")]
