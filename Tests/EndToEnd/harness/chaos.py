"""Exchanges in which one side fails at a chosen byte: thousands of them on one asyncio loop, each with its own number.

The number travels in the request and comes back in the answer, in a field and in the body, so that no answer can be
taken for another one's, and no half of one for a whole.
"""

import asyncio
import random
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Iterable

from . import wire
from .streams import Stream, Unexpected

PATIENCE = 20.0
"""How long an exchange may take before it is called hung, in seconds."""

FORMS = ["length", "chunked", "close", "interim", "empty"]
BODIES = ["none", "length", "chunked"]
ORIGIN_FAULTS = ["cut", "reset", "stall"]
CLIENT_FAULTS = ["client cut", "client reset", "client stall"]
HARMLESS = ["no fault", "trickle", "client trickle", "extra"]


@dataclass
class Exchange:
    number: int
    fault: str = "no fault"
    position: int = 0
    """The byte of the answer, or of the request, before which the fault happens."""
    body: str = "none"
    form: str = "length"
    size: int = 3

    @property
    def content(self) -> bytes:
        return b"%d," % self.number * self.size

    def _chunks(self) -> bytes:
        half = len(self.content) // 2
        pieces = [self.content[:half], self.content[half:]]
        return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"

    @property
    def request(self) -> bytes:
        method = b"GET" if self.body == "none" else b"POST"
        head = (b"%s http://api.internal/%d HTTP/1.1\r\nHost: api.internal\r\nX-Number: %d\r\n"
                % (method, self.number, self.number))
        if self.body == "length":
            return head + b"Content-Length: %d\r\n\r\n%s" % (len(self.content), self.content)
        if self.body == "chunked":
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + self._chunks()
        return head + b"\r\n"

    @property
    def answer(self) -> bytes:
        fields = b"X-Number: %d\r\n" % self.number
        if self.form == "empty":
            return b"HTTP/1.1 204 No Content\r\n" + fields + b"\r\n"
        head = b"HTTP/1.1 200 OK\r\n" + fields
        if self.form == "chunked":
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + self._chunks()
        if self.form == "close":
            return head + b"\r\n" + self.content
        if self.form == "interim":
            head = b"HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n" % self.number + head
        return head + b"Content-Length: %d\r\n\r\n%s" % (len(self.content), self.content)


class Chaos:
    """An origin and the clients of a proxy in front of it."""

    def __init__(self, address: tuple[str, int]):
        self._address = address
        self._exchanges: dict[int, Exchange] = {}
        self._errors: list[BaseException] = []
        self._left: set[int] = set()
        self.outcomes: Counter[str] = Counter()
        self.arrived: Counter[int] = Counter()
        """How often the origin got a complete request, by number."""

    # The origin

    async def converse(self, stream: Stream) -> None:
        try:
            while await self._answer(stream):
                pass
        except wire.Incomplete:
            pass  # The proxy closed: between two requests, or because its client had gone.
        except Exception as error:
            self._errors.append(error)
        finally:
            stream.close()

    async def _answer(self, stream: Stream) -> bool:
        """Answers a request as its exchange says; false if the connection ends with that."""
        request = await stream.message(wire.read_request)
        number = int(request.value("x-number"))
        if number in self._left:
            return False
        exchange = self._exchanges.get(number)
        if exchange is None:
            raise Unexpected(f"request {number} arrived after its end, or though half of it was sent")
        self.arrived[number] += 1
        expected = exchange.content if exchange.body != "none" else b""
        if request.body != expected or request.value("authorization") is None:
            raise Unexpected(f"request {number} arrived as {request.head!r} {request.body[:80]!r}")
        answer = exchange.answer
        # A request that is repeated is answered.
        fault = exchange.fault if self.arrived[number] == 1 else "no fault"
        if fault == "trickle":
            await stream.trickle(answer)
        elif fault == "extra":
            await stream.send(answer + b"HTTP/1.1 200 OK\r\nX-Number: -1\r\nContent-Length: 0\r\n\r\n")
            await stream.until_end()
            return False
        elif fault in ORIGIN_FAULTS:
            await stream.send(answer[: exchange.position])
            if fault == "stall":
                await stream.until_end()
            elif fault == "reset":
                stream.reset()
            return False
        else:
            await stream.send(answer)
        return exchange.form != "close"

    # The clients

    async def run(self, exchanges: Iterable[Exchange], connections: int) -> None:
        waiting = iter(exchanges)
        await asyncio.gather(*(self._client(waiting) for _ in range(connections)))
        if self._errors:
            raise self._errors[0]

    async def _client(self, waiting) -> None:
        stream = None
        for exchange in waiting:
            self._exchanges[exchange.number] = exchange
            try:
                async with asyncio.timeout(PATIENCE):
                    if stream is None:
                        stream = await self._connect()
                    if not await self._exchange(stream, exchange):
                        stream.close()
                        stream = None
            except TimeoutError:
                raise Unexpected(f"hung: {exchange}") from None
            if self._errors:
                break
            if self.arrived[exchange.number] > (2 if exchange.body == "none" else 1):
                raise Unexpected(f"sent {self.arrived[exchange.number]} times: {exchange}")
            if self.arrived[exchange.number] and exchange.fault in CLIENT_FAULTS:
                raise Unexpected(f"half a request arrived as a whole one: {exchange}")
            del self._exchanges[exchange.number], self.arrived[exchange.number]
        if stream:
            stream.close()

    async def _connect(self) -> Stream:
        sock = socket.socket()
        stream = Stream(sock)
        await asyncio.get_running_loop().sock_connect(sock, self._address)
        return stream

    async def _exchange(self, stream: Stream, exchange: Exchange) -> bool:
        """Whether the connection can be used again."""
        request = exchange.request
        if exchange.fault in CLIENT_FAULTS:
            return await self._break_off(stream, exchange, request)
        if exchange.fault == "client leaves":
            await stream.send(request)
            await asyncio.sleep(0)
            stream.reset()
            self._left.add(exchange.number)
            self.outcomes["left"] += 1
            return False
        if exchange.fault == "client trickle":
            await stream.trickle(request)
        else:
            await stream.send(request)
        try:
            answer = await stream.message(wire.read_answer)
        except wire.Incomplete:
            self._judge(exchange, "incomplete")
            return False
        if answer.status >= 400:
            if answer.value("content-type") != b"application/problem+json":
                raise Unexpected(f"{exchange} was answered with {answer.head!r}")
            self._judge(exchange, str(answer.status))
        else:
            self._check(exchange, answer)
            self._judge(exchange, "complete")
        if stream.has_more:
            raise Unexpected(f"bytes behind the answer to {exchange}")
        return answer.value("connection") != b"close"

    async def _break_off(self, stream: Stream, exchange: Exchange, request: bytes) -> bool:
        await stream.send(request[: exchange.position])
        if exchange.fault == "client cut":
            stream.close()
        elif exchange.fault == "client reset":
            await asyncio.sleep(0)
            stream.reset()
        else:
            try:
                answer = await stream.message(wire.read_answer)
                if answer.status < 400:
                    raise Unexpected(f"{exchange}: half a request was answered with {answer.head!r}")
                self.outcomes[f"client: {answer.status}"] += 1
            except wire.Incomplete:
                self.outcomes["client: closed"] += 1
            return False
        self.outcomes["client: broke off"] += 1
        return False

    def _check(self, exchange: Exchange, answer: wire.Answer) -> None:
        expected = b"" if exchange.form == "empty" else exchange.content
        if exchange.form == "close" and exchange.fault == "cut":
            # The end of the connection is the end of the body: the client cannot tell that more was to come.
            expected = expected[: len(answer.body)]
        whole = answer.framing != "close" and answer.body == expected
        if not whole or answer.value("x-number") != b"%d" % exchange.number:
            raise Unexpected(f"{exchange} was answered with {answer.head!r} {answer.body[:80]!r}")

    def _judge(self, exchange: Exchange, outcome: str) -> None:
        """Whether `outcome` can come of the exchange."""
        self.outcomes[outcome] += 1
        if exchange.fault in HARMLESS:
            possible = ["complete"]
        elif exchange.fault == "stall":
            possible = ["504", "incomplete"]
        else:
            possible = ["502", "incomplete"]
        whole = exchange.position >= len(exchange.answer)
        if exchange.form == "close" and exchange.fault == "cut":
            whole = exchange.position >= exchange.answer.index(b"\r\n\r\n") + 4
        if whole and not (exchange.form == "close" and exchange.fault != "cut"):
            possible = ["complete"]
        # Before a byte of an answer, a GET on a used connection is sent again.
        if exchange.position == 0 and exchange.body == "none" and exchange.fault in ["cut", "reset"]:
            possible.append("complete")
        if outcome not in possible:
            raise Unexpected(f"{exchange} became {outcome}, not one of {possible}")


def every_position() -> list[Exchange]:
    """Each fault before each byte of each form of message."""
    exchanges = []

    def add(**settings) -> None:
        exchanges.append(Exchange(1000 + len(exchanges), **settings))

    for form in FORMS:
        for fault in ORIGIN_FAULTS:
            for position in range(len(Exchange(1000, form=form).answer)):
                add(fault=fault, position=position, form=form, body=BODIES[position % 3])
    for body in BODIES:
        for fault in CLIENT_FAULTS:
            for position in range(1, len(Exchange(1000, body=body).request)):
                add(fault=fault, position=position, body=body)
    random.Random(1).shuffle(exchanges)
    return exchanges


def byte_by_byte() -> list[Exchange]:
    """Each form of message, slowly; and with an unsolicited response after it."""
    exchanges = [Exchange(500 + number, fault="trickle", form=form) for number, form in enumerate(FORMS)]
    exchanges += [Exchange(600 + number, fault="client trickle", body=body) for number, body in enumerate(BODIES)]
    return exchanges + [Exchange(700 + number, fault="extra", form=form)
                        for number, form in enumerate(FORMS) if form != "close"]


def at_random(count: int, seed: int) -> Iterable[Exchange]:
    """Most go well; the others fail anywhere. The same for the same seed."""
    choose = random.Random(seed)
    for number in range(1000, 1000 + count):
        exchange = Exchange(number, body=choose.choice(BODIES), form=choose.choice(FORMS),
                            size=choose.choice([1, 3, 20, 200, 2_000, 20_000] if number % 50 == 0 else [1, 3, 20]))
        exchange.fault = choose.choices(
            ["no fault", "trickle", "client trickle", "extra", "cut", "reset", "stall", "client cut", "client reset",
             "client stall", "client leaves"], [50, 3, 3, 3, 10, 10, 0.5, 7, 7, 0.5, 6])[0]
        is_slow = exchange.size > 100 and "trickle" in exchange.fault
        if is_slow or (exchange.fault == "extra" and exchange.form == "close"):
            exchange.fault = "no fault"
        if exchange.fault in ORIGIN_FAULTS:
            exchange.position = choose.randrange(len(exchange.answer))
        if exchange.fault in CLIENT_FAULTS:
            exchange.position = choose.randrange(1, len(exchange.request))
        yield exchange
