"""The tables of metrics, events and log fields in docs. They are generated from the declarations in the program; here they are
compared with what every proxy of the tests exposes and logs."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

DOCS = Path(__file__).resolve().parents[3] / "docs"
OF_EVERY_LINE = {"time", "level", "event"}


@dataclass(frozen=True)
class Metric:
    type: str
    labels: frozenset[str]
    help: str


def _parts(document: str, part: str) -> list[str]:
    """The generated parts whose names begin so."""
    text = (DOCS / document).read_text()
    parts = re.findall(rf"<!-- generated: {part}[^>]*-->\n\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert parts, f"{document} has no part {part}"
    return parts


def _rows(document: str, part: str) -> list[list[str]]:
    """The rows of the tables in these parts."""
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for table in _parts(document, part) for line in table.splitlines()[2:]]


def _lines(document: str, part: str) -> list[str]:
    """The lines of these parts."""
    return [line for text in _parts(document, part) for line in text.splitlines()]


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def metrics() -> dict[str, Metric]:
    """By name."""
    return {_names(name)[0]: Metric(kind.split(",")[0], frozenset(_names(labels)), help)
            for name, kind, labels, help in _rows("metrics.md", "metrics, ")}


@cache
def events() -> dict[str, set[str]]:
    """The fields that the lines of each event can have."""
    access = {_names(name)[0] for name, _ in _rows("operations.md", "fields of the access log")}
    listed = {names[0]: set(names[1:]) for names in map(_names, _lines("operations.md", "the fields of each event"))}
    found = {_names(name)[0] for name, _, _ in _rows("operations.md", "events")}
    assert found == listed.keys() | {"request"}
    return listed | {"request": access}


def exposed(text: str) -> dict[str, Metric]:
    """The metrics of an exposition, by name."""
    found = {}
    for family in text_string_to_metric_families(text):
        labels = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        assert len(labels) == 1, f"{family.name} has series with different labels: {labels}"
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = Metric(family.type, labels.pop(), family.documentation)
    return found


def logged(text: str) -> list[tuple[str, set[str]]]:
    """The event and the other fields of each line."""
    found = []
    for line in text.splitlines():
        if line.startswith('{"time"') and line.endswith("}"):
            pairs = json.loads(line)
            found.append((pairs["event"], {re.sub("_m?s$", "", name) for name in pairs} - OF_EVERY_LINE))
        elif line.startswith("time="):
            plain = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
            names = re.findall(r"(?:^| )([^ =]+)=", plain)
            event = re.search(r" event=(\S+)", plain)
            # The last line may have been cut off.
            if event and '"' not in plain:
                found.append((event[1], set(names) - OF_EVERY_LINE))
    return found


def check(exposition: str | None, log: str) -> None:
    """Everything that a proxy exposed and logged is in the documents."""
    for name, metric in exposed(exposition or "").items():
        assert metrics().get(name) == metric, f"{name}: docs/metrics.md does not describe {metric}"
    for event, fields in logged(log):
        assert event in events(), f"docs/operations.md does not list event={event}"
        assert fields <= events()[event], f"event={event} has fields that docs/operations.md does not list: {fields}"
