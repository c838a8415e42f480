"""What more of something costs: cores, routes, connections."""

from ..load.request import request
from ..peers import PEERS, Role
from ..site import Site
from .requests import COLUMNS, under_load
from .scenario import Column, Scenario, Subject, Values, against_first


def _measured(name: str, connections: int = 64, **role):
    def measure(site: Site) -> Values:
        loops = role.get("loops", 1)
        with PEERS[name].start(site, Role(**role)) as running:
            values = under_load(site, running, request(site, "/orders/small"), connections, loops)
            return values | {"capacity": loops * 1e6 / values["cpu"]}

    return measure


def _compared(names: list[str], variants: dict[str, dict]) -> list[Subject]:
    return [subject for name in names
            for subject in against_first(name, {label: _measured(name, **role) for label, role in variants.items()})]


SCENARIOS = [
    # Where there are two cores only, the load is on the second one too: throughput then says less than what a request
    # costs, from which the capacity follows that the loops would have if nothing but they were there.
    Scenario("loops", "Two event loops beside one, 64 keep-alive connections, plain upstream",
             _compared(["m2m-proxy", "nginx", "haproxy"], {"1 loop": {"loops": 1}, "2 loops": {"loops": 2}}),
             [Column("rps", "requests/s", 0), Column("capacity", "loops / CPU per request", 0), *COLUMNS[:3], *COLUMNS[4:]],
             "capacity", "capacity / one loop's"),
    Scenario("routes", "Routes in the table, 64 keep-alive connections, plain upstream",
             _compared(["m2m-proxy"], {"1 route": {"routes": 1}, "100 routes": {"routes": 100}, "10,000 routes": {"routes": 10_000}}),
             COLUMNS, "cpu", "/ one route"),
    # Not nginx, which cannot make requests wait for a connection to the origin, and would need 20,000 descriptors.
    Scenario("connections", "Keep-alive connections, plain upstream",
             _compared(["m2m-proxy", "haproxy"],
                       {f"{count:,} connections": {"connections": count} for count in [64, 1_000, 10_000]}),
             COLUMNS, "cpu", "/ 64 connections"),
]
