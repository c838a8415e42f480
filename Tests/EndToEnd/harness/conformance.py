"""Messages as cases, and what has to become of them, for the tables of test_conformance_*.py.

Behind every message comes another request in the same write. It has an answer of its own when the end of the message is
beyond doubt, and is never looked at otherwise.
"""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Refused:
    """One answer with one of these statuses, then the end; nothing of it, and nothing behind it, goes any further."""
    statuses: tuple[int, ...]


@dataclass(frozen=True)
class Denied:
    """One answer with this status and nothing at the origin, while the next request on the connection is served."""
    status: int


@dataclass(frozen=True)
class Broken:
    """The head is good and the content is not: the origin never gets a whole message, nor anything behind it."""
    statuses: tuple[int, ...] = (400,)


@dataclass(frozen=True)
class Forwarded:
    """The origin gets exactly this, and so the request behind it as well."""
    line: bytes = b"GET /case HTTP/1.1"
    body: bytes = b""
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()
    keeps: bool | None = True
    "Whether the request behind it is served; None where that depends on whether it comes before the answer."
    framing: str = ""
    status: int = 200


@dataclass(frozen=True)
class Case:
    name: str
    rule: str
    message: bytes
    outcome: object
    to: str = "GET"


HOST = b"Host: api.internal\r\n"


def line(text: bytes) -> bytes:
    """A request with this request line."""
    return text + b"\r\n" + HOST + b"\r\n"


def target(text: str, method: str = "GET") -> bytes:
    return f"{method} {text} HTTP/1.1\r\n".encode("latin-1") + HOST + b"\r\n"


def fields(*lines: bytes, method: bytes = b"GET", version: bytes = b"1.1", ending: bytes = b"\r\n") -> bytes:
    """A request with these field lines, which are sent as they are."""
    return (method + b" http://api.internal/case HTTP/" + version + b"\r\n" + HOST
            + b"".join(item + ending for item in lines) + b"\r\n")


def post(*lines: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return fields(*lines, method=b"POST", version=version) + body


def chunked(body: bytes, *lines: bytes) -> bytes:
    return post(*lines, b"Transfer-Encoding: chunked", body=body)


def posted(body: bytes, framing: str, **more) -> Forwarded:
    return Forwarded(b"POST /case HTTP/1.1", body, framing=framing, **more)


class Table:
    """The cases of a module; `test = table.tests()` makes tests of them."""

    def __init__(self):
        self.cases: list[Case] = []

    def add(self, name: str, rule: str, message: bytes, outcome: object, to: str = "GET") -> None:
        assert name not in [case.name for case in self.cases], f"two cases are called {name}"
        self.cases.append(Case(name, rule, message, outcome, to))

    def refuse(self, rule: str, messages: dict[str, bytes], *statuses: int) -> None:
        """Several that break the same rule; they are answered with one of `statuses`, 400 if there are none."""
        for name, message in messages.items():
            self.add(name, rule, message, Refused(statuses or (400,)))

    def tests(self):
        deliveries = [(case, piece) for case in self.cases for piece in (0, 7) if not piece or len(case.message) < 1000]
        names = [case.name[:70] + (", in pieces" if piece else "") for case, piece in deliveries]

        @pytest.mark.parametrize("case, piece", deliveries, ids=names)
        def test(edge, case, piece):
            seen = edge.send(case.message, to=(case.to, "GET"), piece=piece)
            assert seen.rest == b"", f"{case.rule}\nbytes that are no answer: {seen.rest!r}"
            JUDGES[type(case.outcome)](edge, case, seen)

        return test


def refused(edge, case, seen):
    assert len(seen.answers) == 1 and seen.statuses[0] in case.outcome.statuses, f"{case.rule}\ngot {seen.statuses}"
    assert seen.stayed_here, f"{case.rule}\nthe origin got {seen.bytes_received!r}"
    assert seen.answers[0].value("connection") == b"close"


def denied(edge, case, seen):
    assert seen.statuses == [case.outcome.status, 200], case.rule
    assert seen.targets == [b"/next"], case.rule


def broken(edge, case, seen):
    assert seen.requests == [], f"{case.rule}\nthe origin got a whole message: {seen.bytes_received!r}"
    assert len(seen.answers) <= 1 and all(status in case.outcome.statuses for status in seen.statuses), case.rule
    assert b"/next" not in seen.bytes_received and b"/evil" not in seen.bytes_received, case.rule


def forwarded(edge, case, seen):
    outcome = case.outcome
    keeps = len(seen.statuses) == 2 if outcome.keeps is None else outcome.keeps
    assert seen.statuses == [outcome.status, 200][: 1 + keeps], case.rule
    assert len(seen.requests) == 1 + keeps, f"{case.rule}\nthe origin got {seen.bytes_received!r}"
    assert seen.partial == []
    got = seen.requests[0]
    edge.check_forwarded(got)
    assert (got.start_line, got.body) == (outcome.line, outcome.body), case.rule
    for expected in outcome.has:
        assert expected in got.lines, f"{case.rule}\n{got.lines}"
    for name in outcome.lacks:
        assert got.values(name.decode()) == [], f"{case.rule}\n{got.lines}"
    if outcome.framing:
        assert got.framing == outcome.framing, case.rule
    if keeps:
        assert seen.requests[1].start_line == b"GET /next HTTP/1.1", case.rule
        assert seen.answers[1].body == b"GET /next", case.rule


JUDGES = {Refused: refused, Denied: denied, Broken: broken, Forwarded: forwarded}
