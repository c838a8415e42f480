"""Many requests over a few connections, pipelined, and the responses in the order of the requests."""

import collections
from typing import Sequence

from . import wire
from .client import RawClient

CONNECTIONS = 4


def ask(
    address: tuple[str, int], requests: Sequence[bytes], depth: int = 16, source: str | None = None
) -> list[wire.Answer]:
    """The response to each of the `requests`, all of them GET and safe to repeat.

    At most `depth` requests are under way on a connection. A server may close it behind any response, without looking at
    the requests that follow: those are sent again on another connection.
    """
    answers: list[wire.Answer | None] = [None] * len(requests)
    waiting = collections.deque(range(len(requests)))
    unanswered: collections.Counter[int] = collections.Counter()
    clients: list[RawClient | None] = [None] * CONNECTIONS
    sent: list[collections.deque[int]] = [collections.deque() for _ in clients]
    try:
        while waiting:
            for index in range(min(CONNECTIONS, len(waiting))):
                clients[index] = clients[index] or RawClient(address, source)
                sent[index].extend(waiting.popleft() for _ in range(min(depth, len(waiting))))
                _send(clients[index], b"".join(requests[number] for number in sent[index]))
            for index, numbers in enumerate(sent):
                while numbers:
                    try:
                        answer = clients[index].answer()
                    except wire.Incomplete:
                        unanswered[numbers[0]] += 1
                        assert unanswered[numbers[0]] < 5, f"no response to {requests[numbers[0]]!r}"
                        answer = None
                    else:
                        answers[numbers.popleft()] = answer
                    if answer is None or _is_last(answer):
                        clients[index].close()
                        clients[index] = None
                        waiting.extendleft(reversed(numbers))
                        numbers.clear()
        return answers
    finally:
        for client in filter(None, clients):
            client.close()


def _send(client: RawClient, data: bytes) -> None:
    try:
        client.send(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # What the server sent before can be read, and says which requests to repeat.


def _is_last(answer: wire.Answer) -> bool:
    """Whether the connection ends after a response."""
    return answer.version == b"1.0" or answer.framing == "close" or any(
        b"close" in value.lower() for value in answer.values("connection"))
