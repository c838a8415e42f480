"""Memory: of a proxy that has just started, and of connections that wait for their next request."""

from .. import memory
from ..load import idle
from ..load.request import request
from ..peers import Peer, Role, Running
from ..site import Site
from .scenario import PROXIES, Column, Scenario, Values, against_peers

COLUMNS = [Column("connection", "KB/connection", 2), Column("start", "MB at start"), Column("end", "MB with all of them")]


def _scenario(count: int, is_quick: bool) -> Scenario:
    def measure(site: Site, peer: Peer) -> Values:
        with peer.start(site, Role()) as running:
            return with_connections(site, running, count)

    return Scenario(f"idle-{count}", f"{count:,} idle client connections, each after one request",
                    against_peers(PROXIES, measure), COLUMNS, "connection", is_quick=is_quick)


def with_connections(site: Site, running: Running, count: int, tls: bool = False, **options) -> Values:
    message = request(site, "/orders/small", tls=tls)
    options |= {"tls": tls}
    start = memory.resident(running.process)
    # Ten first: what the first ones cost once is not theirs.
    with idle.connections(site, running.port, message, 10, **options):
        before = memory.proportional(running.process)
        with idle.connections(site, running.port, message, count, **options):
            after = memory.proportional(running.process)
            end = memory.resident(running.process)
    return {"connection": (after - before) / count / 1000, "start": start / 1e6, "end": end / 1e6}


SCENARIOS = [_scenario(1_000, True), _scenario(10_000, False)]
