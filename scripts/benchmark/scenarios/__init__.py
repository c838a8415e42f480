"""All scenarios, in the order in which they are measured."""

from . import half_load, idle, interception, renewal, requests, scaling, transfers
from .scenario import Column, Scenario, Subject, Values

SCENARIOS: list[Scenario] = [scenario for part in [requests, interception, half_load, renewal, transfers, idle, scaling]
                             for scenario in part.SCENARIOS]
