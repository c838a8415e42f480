"""Waiting for conditions. Nothing in these tests waits for time to pass."""

import threading
import time
from typing import Callable

PATIENCE = 30.0
"""How long anything may take before a test calls it hung, in seconds. Never a delay, only a bound."""


class Changes:
    """A condition that is signalled at every change, and predicates to wait for."""

    def __init__(self):
        self._condition = threading.Condition()

    def __enter__(self):
        self._condition.acquire()
        return self

    def __exit__(self, *_):
        self._condition.notify_all()
        self._condition.release()

    def wait_for(self, predicate: Callable[[], object], what: str, patience: float = PATIENCE):
        """Returns the first true value of `predicate`, or fails saying `what` did not happen."""
        with self._condition:
            result = self._condition.wait_for(predicate, patience)
        assert result, f"{what}: did not happen within {patience:g} s"
        return result


def poll(predicate: Callable[[], object], what: str, patience: float = PATIENCE):
    """For conditions without a signal, such as the state of another process."""
    deadline = time.monotonic() + patience
    while True:
        result = predicate()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what}: did not happen within {patience:g} s"
        time.sleep(0.005)
