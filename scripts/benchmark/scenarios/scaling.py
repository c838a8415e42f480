"""What more of something costs: cores, routes, connections."""

from collections.abc import Callable

from ..cpu import Stopwatch
from ..load import pace
from ..load.request import request
from ..peers import PEERS, Role
from ..site import Site
from .half_load import percentiles
from .requests import COLUMNS, under_load
from .scenario import Column, Scenario, Subject, Values, against_first

_RATE = 5_000
_CONNECTIONS = [64, 1_000, 10_000]


def _saturated(name: str, connections: int = 64, **role) -> Callable[[Site], Values]:
    def measure(site: Site) -> Values:
        loops = role.get("loops", 1)
        # Thousands of connections take their time to be opened.
        seconds = max(site.seconds, connections / 1_000)
        with PEERS[name].start(site, Role(**role)) as running:
            values = under_load(site, running, request(site, "/orders/small"), connections, loops, seconds=seconds)
            return values | {"capacity": loops * 1e6 / values["cpu"]}

    return measure


def _paced(name: str, connections: int) -> Callable[[Site], Values]:
    def measure(site: Site) -> Values:
        message, watches = request(site, "/orders/small"), []
        with PEERS[name].start(site, Role()) as running:
            records = pace.run(site, running.directory, running.port, message, connections, _RATE, site.seconds,
                               lambda: watches.append(Stopwatch(running.process)))
            used = watches[0].read()
        per_request = 1e6 / len(records)
        return {"cpu": used.total * per_request, "user": used.user * per_request, "system": used.system * per_request,
                } | percentiles(latency for _, latency in records)

    return measure


def _compared(names: list[str], variants: dict[str, dict], measured=_saturated) -> list[Subject]:
    return [subject for name in names
            for subject in against_first(name, {label: measured(name, **role) for label, role in variants.items()})]


_BY_CONNECTIONS = {f"{count:,} connections": {"connections": count} for count in _CONNECTIONS}

SCENARIOS = [
    # Where there are two cores only, the load is on the second one too: throughput then says less than what a request
    # costs, from which the capacity follows that the loops would have if nothing but they were there.
    Scenario("loops", "Two event loops beside one, 64 keep-alive connections, plain upstream",
             _compared(["m2m-proxy", "nginx", "haproxy"], {"1 loop": {"loops": 1}, "2 loops": {"loops": 2}}),
             [Column("rps", "requests/s", 0), Column("capacity", "loops / CPU per request", 0), *COLUMNS[:3], *COLUMNS[4:]],
             "capacity", "capacity / one loop's"),
    Scenario("routes", "Routes in the table, 64 keep-alive connections, plain upstream",
             _compared(["m2m-proxy"], {"1 route": {"routes": 1}, "100 routes": {"routes": 100},
                                       "10,000 routes": {"routes": 10_000}}),
             COLUMNS, "cpu", "/ one route"),
    # Not nginx, which cannot make requests wait for a connection to the origin, and would need 20,000 descriptors.
    Scenario("connections", "Keep-alive connections that all have a request under way, plain upstream",
             _compared(["m2m-proxy", "haproxy"], _BY_CONNECTIONS), COLUMNS, "cpu", "/ 64 connections"),
    Scenario("connections-paced", f"Keep-alive connections by turns, {_RATE:,} requests/s in all, plain upstream",
             _compared(["m2m-proxy", "nginx", "haproxy"], _BY_CONNECTIONS, _paced),
             [*COLUMNS[:3], *COLUMNS[5:]], "cpu", "/ 64 connections"),
]
