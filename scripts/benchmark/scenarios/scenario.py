"""What a scenario is: who is measured, what of, and what is compared with what."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..peers import PEERS, Peer
from ..site import Site

Values = dict[str, float]

PROXIES = ["m2m-proxy", "nginx", "haproxy", "envoy", "go", "squid"]
"""All that do the same work; mitmproxy is for interception alone."""


@dataclass(frozen=True)
class Column:
    key: str
    title: str
    digits: int = 1


@dataclass(frozen=True)
class Subject:
    """A row of the table."""

    label: str
    peer: Peer
    measure: Callable[[Site], Values]
    ratio: tuple[str, str] | None = None
    "The labels of what is divided by what, in the same round."


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    subjects: list[Subject]
    columns: list[Column]
    figure: str
    "The key of the column that ratios are of."
    ratio_title: str = "m2m-proxy / it"
    is_quick: bool = False
    "Part of a short run."


def against_peers(names: list[str], measure: Callable[[Site, Peer], Values]) -> list[Subject]:
    """The same of each of these, and the ratio of m2m-proxy to each."""
    return [Subject(name, PEERS[name], lambda site, peer=PEERS[name]: measure(site, peer),
                    ("m2m-proxy", name) if name != "m2m-proxy" else None) for name in names]


def against_first(name: str, variants: dict[str, Callable[[Site], Values]]) -> list[Subject]:
    """One peer in several ways, and the ratio of each to the first."""
    labels = [f"{name}, {variant}" for variant in variants]
    return [Subject(label, PEERS[name], measure, (label, labels[0]) if label != labels[0] else None)
            for label, measure in zip(labels, variants.values())]
