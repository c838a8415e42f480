"""Tokens that are renewed under load: whether the latencies around that show it."""

import re
from datetime import datetime
from pathlib import Path

from ..failure import Failure
from ..load import pace
from ..load.request import request
from ..peers import PEERS, Role, Running
from ..peers.m2m_proxy import M2MProxy, configuration
from ..ports import free_port
from ..site import Site
from .half_load import percentiles
from .scenario import Column, Scenario, Subject, Values

_LIFETIME = 8
"""Of a token, in seconds: one is renewed every four."""
_CONNECTIONS = 64
_RATE = 5_000
_SECONDS = 30
_LABEL = "m2m-proxy"


def _measure(site: Site) -> Values:
    peer, role, port = M2MProxy(), Role(), free_port()
    directory = site.new_directory("renewal")
    tokens = site.start_tokens(directory, _LIFETIME)
    with tokens.process:
        process = peer.launch_with(configuration(site, role, port, tokens.endpoint), site, role, directory)
        with Running(process.wait_for_port(port), port, directory):
            message = request(site, "/orders/small")
            records = pace.run(site, directory, port, message, _CONNECTIONS, _RATE, _SECONDS)
            renewals = [moment for moment in _renewals(process.output)
                        if records[0][0] + 1.5 < moment < records[-1][0] - 0.5]
    if not renewals:
        raise Failure("m2m-proxy: no token was renewed")
    around, before = ([latency for due, latency in records for moment in renewals if begin <= due - moment < begin + 1]
                      for begin in [-0.5, -1.5])
    return {"renewals": len(renewals), "before": percentiles(before)["p999"], "around": percentiles(around)["p999"],
            "ratio": percentiles(around)["p999"] / percentiles(before)["p999"]}


def _renewals(log: Path) -> list[float]:
    """When they were there, in seconds since 1970."""
    with open(log) as lines:
        return [datetime.fromisoformat(re.search(r"time=(\S+)", line)[1]).timestamp()
                for line in lines if " event=token " in line and " reason=renewal " in line]


SCENARIOS = [Scenario(
    "renewal", f"Tokens renewed under load: {_RATE:,} requests/s over {_CONNECTIONS} connections, p99.9 of the second "
    "around each renewal and of the second before that",
    [Subject(_LABEL, PEERS[_LABEL], _measure)],
    [Column("renewals", "renewals", 0), Column("before", "p99.9 before ms", 2), Column("around", "p99.9 around ms", 2),
     Column("ratio", "around / before", 2)], "ratio")]
