"""Interleaved rounds: A, B, C, A, B, C ..., so that what the machine does besides meets all of them alike."""

import sys
import time
from dataclasses import dataclass, field
from statistics import median

from .failure import Failure
from .scenarios import Scenario, Subject, Values
from .site import Site


@dataclass
class Spread:
    """A median with the least and the most."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@dataclass
class Outcome:
    """What came of a scenario: for each subject, the values of each round that it came through."""

    scenario: Scenario
    rounds: dict[str, dict[int, Values]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def spread(self, label: str, key: str) -> Spread | None:
        values = [values[key] for values in self.rounds.get(label, {}).values()]
        return Spread.of(values) if values else None

    def ratio(self, subject: Subject) -> Spread | None:
        """Of values of one round each."""
        if subject.ratio is None:
            return None
        above, below = (self.rounds.get(label, {}) for label in subject.ratio)
        figure = self.scenario.figure
        ratios = [above[number][figure] / below[number][figure] for number in above.keys() & below.keys()
                  if below[number][figure] > 0]
        return Spread.of(ratios) if ratios else None


def run(site: Site, scenario: Scenario, subjects: list[Subject], rounds: int) -> Outcome:
    outcome = Outcome(scenario)
    say(f"{scenario.name}: {scenario.title}")
    for number in range(1, rounds + 1):
        for subject in subjects:
            if subject.label in outcome.failures:
                continue
            started = time.monotonic()
            try:
                values = subject.measure(site)
            except Failure as failure:
                outcome.failures[subject.label] = str(failure)
                say(f"  {number}/{rounds} {subject.label:<28} failed: {failure}")
                continue
            outcome.rounds.setdefault(subject.label, {})[number] = values
            column = next(column for column in scenario.columns if column.key == scenario.figure)
            say(f"  {number}/{rounds} {subject.label:<28} {values[scenario.figure]:>12,.{max(column.digits, 2)}f}  "
                f"{column.title}   ({time.monotonic() - started:.0f} s)")
    return outcome


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
