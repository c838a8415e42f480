"""A long run: clients at work, an API that looks hard at each token, a token endpoint that fails at random, and a record
of all that happened, by which every failure has to be explained."""

import asyncio
import random
import socket
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field

import jwt

from . import wire
from .streams import Stream, Unexpected, serve
from .token_faults import Fault, FaultLayer, edited, pass_on

AUDIENCE = "https://api.example"
CLIENTS = 64
PATIENCE = 30.0
"""How long a request may take before it is called hung."""
MARGIN = 0.5
"""How much later the proxy may know of what the server did, in seconds."""


@dataclass
class Delivery:
    """A token that reached the proxy whole."""

    asked: float
    at: float
    token: str
    lifetime: float
    revoked: float = float("inf")

    @property
    def usable_until(self) -> float:
        """docs/operations.md, Tokens."""
        return min(self.revoked, self.asked + self.lifetime - min(10, self.lifetime / 4))

    @property
    def due(self) -> float:
        """When a token of less than a minute is renewed, at the latest."""
        return self.asked + self.lifetime / 2


@dataclass
class Record:
    """What happened, on the monotonic clock."""

    deliveries: list[Delivery] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)
    revocations: list[float] = field(default_factory=list)

    def usable(self, at: float) -> bool:
        """Whether the proxy had a token then that it could send. The newest is the one that counts."""
        known = [delivery for delivery in self.deliveries[-50:] if delivery.at + MARGIN < at]
        return bool(known) and at + MARGIN < known[-1].usable_until

    def explains(self, began: float, ended: float) -> bool:
        """Whether a request could get no token: there was none at its beginning or at its end, and the endpoint failed
        after the last one."""
        last = max((delivery.at for delivery in self.deliveries if delivery.at < began), default=0)
        is_missing = not self.usable(began) or not self.usable(ended)
        return is_missing and any(last - MARGIN < at <= ended for at, _ in self.faults)

    def least_fetches(self, began: float, ended: float) -> int:
        """How many tokens are needed with the same faults by a client knowing their times: each serves until half its
        lifetime is over, when the rule wants the next, or until it is revoked; in an outage the next comes at its end."""
        # Those that there were, and should there be need of more, the mean.
        lifetimes = iter([delivery.lifetime for delivery in self.deliveries if delivery.at >= began])
        now, count = self._after_outage(began), 0
        while now < ended:
            lifetime = next(lifetimes, 25)
            count += 1
            revoked = self.revocations[bisect_right(self.revocations, now):][:1]
            now = self._after_outage(min([now + lifetime / 2, *revoked]))
        return count

    def _after_outage(self, at: float) -> float:
        return next((end for start, end in self.outages if start <= at < end), at)


class Soak:
    def __init__(self, layer: FaultLayer, kinds: dict[str, Fault], seed: int):
        self.layer = layer
        self.record = Record()
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        """The longest that a request took while there was a token all the time, in seconds."""
        self._kinds = kinds
        self._choose = random.Random(seed)
        self._outage: str | None = None
        self._claims: dict[str, dict] = {}
        self._errors: list[BaseException] = []
        self._numbers = iter(range(1, 1 << 40))
        layer.faults["/token"] = self._answer_fetch

    # The token endpoint, on threads of the fault layer

    def _answer_fetch(self, connection, real) -> None:
        asked = time.monotonic()
        kind = None
        if self._outage or self._choose.random() < 0.15:
            kind = self._choose.choice(list(self._kinds))
            self.record.faults.append((asked, kind))
            return self._kinds[kind](connection, real)
        lifetime = self._choose.randint(20, 30)
        self.layer.server.lifetime = lifetime
        if self._choose.random() < 0.2:
            self._slow()
        reply = real()
        # The JWT is what counts, whatever else the reply says.
        reply.members |= self._choose.choice([{}, {}, {"expires_in": 3600}, {"expires_in": "soon"}, {"expires_in": 0}])
        connection.send(reply.message)
        self.record.deliveries.append(Delivery(asked, time.monotonic(), reply.members["access_token"], lifetime))

    def _slow(self) -> None:
        time.sleep(self._choose.uniform(0.1, 1.5))

    async def _outages(self) -> None:
        while True:
            await asyncio.sleep(self._choose.uniform(10, 70))
            began = time.monotonic()
            self._outage = self._choose.choice(["refused", "replies", "replies"])
            if self._outage == "refused":
                self.record.faults.append((began, "refused"))
                self.layer.origin.refuse()
            await asyncio.sleep(self._choose.uniform(1, 35))
            if self._outage == "refused":
                self.layer.origin.listen_again()
            self._outage = None
            ended = time.monotonic()
            self.record.faults.append((ended, "end"))
            self.record.outages.append((began, ended))

    # The API

    async def _revocations(self) -> None:
        while True:
            await asyncio.sleep(self._choose.uniform(35, 90))
            now = time.monotonic()
            self.record.revocations.append(now)
            for delivery in self.record.deliveries[-20:]:
                delivery.revoked = min(delivery.revoked, now)

    async def _serve_connection(self, stream: Stream) -> None:
        try:
            while True:
                request = await stream.message(wire.read_request)
                number = request.value("x-number")
                status = "200 OK" if self._accepts(request) else "401 Unauthorized"
                self.outcomes[f"API: {status[:3]}"] += 1
                if not await stream.send(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"
                                         % (status.encode(), len(number), number)):
                    return
        except wire.Incomplete:
            pass
        except Exception as error:
            self._errors.append(error)
        finally:
            stream.close()

    def _accepts(self, request: wire.Request) -> bool:
        """False if the token was revoked. Any other fault of it is one of the proxy's."""
        scheme, token = request.value("authorization").decode().split(" ")
        if token not in self._claims:
            self._claims[token] = jwt.decode(
                token, self.layer.server.public_key, algorithms=["ES256"], audience=AUDIENCE,
                options={"require": ["exp", "aud", "azp"]})
        claims = self._claims[token]
        if scheme != "Bearer" or time.time() >= claims["exp"] or claims["azp"] != self.layer.server.client.identifier:
            raise Unexpected(f"a wrong or expired token was sent: {claims} at {time.time()}")
        revoked = [delivery.revoked for delivery in self.record.deliveries[-20:] if delivery.token == token]
        return not revoked or time.monotonic() < revoked[0]

    # The clients

    async def _client(self, address: tuple[str, int], until: float) -> None:
        stream = None
        while time.monotonic() < until and not self._errors:
            await asyncio.sleep(self._choose.uniform(0.4, 1.2))
            if stream is None:
                sock = socket.socket()
                stream = Stream(sock)
                await asyncio.get_running_loop().sock_connect(sock, address)
            try:
                async with asyncio.timeout(PATIENCE):
                    is_over = await self._exchange(stream)
            except TimeoutError:
                raise Unexpected("a request hung") from None
            if is_over or self._choose.random() < 0.05:
                stream.close()
                stream = None
        if stream:
            stream.close()

    async def _exchange(self, stream: Stream) -> bool:
        """Whether the connection ends with the answer."""
        number = b"%d" % next(self._numbers)
        body = number * self._choose.randint(1, 20) if self._choose.random() < 0.3 else b""
        method = b"POST" if body else b"GET"
        began = time.monotonic()
        await stream.send(b"%s http://api.internal/%s HTTP/1.1\r\nHost: api.internal\r\nX-Number: %s\r\n"
                          b"Content-Length: %d\r\n\r\n%s" % (method, number, number, len(body), body))
        answer = await stream.message(wire.read_answer)
        ended = time.monotonic()
        is_over = answer.value("connection") == b"close"
        if answer.status == 200:
            if answer.body != number:
                raise Unexpected(f"request {number!r} was answered with {answer.body!r}")
            if self.record.usable(began - 2) and self.record.usable(began) and self.record.usable(ended):
                self.slowest = max(self.slowest, ended - began)
            self.outcomes["200"] += 1
            return is_over
        if answer.status == 401 and answer.value("proxy-status") is None:
            outcome = "401"
        elif b"token endpoint" in (answer.value("proxy-status") or b""):
            outcome = f"{answer.status} token"
        else:
            raise Unexpected(f"{answer.head!r} {answer.body!r}")
        if not self.record.explains(began, ended):
            raise Unexpected(f"no fault explains {answer.head!r} {answer.body!r} at {began:.1f} to {ended:.1f}: "
                             f"{self.record.deliveries[-3:]} {self.record.faults[-5:]} {self.record.revocations[-2:]}")
        self.outcomes[outcome] += 1
        return is_over

    async def run(self, address: tuple[str, int], listener: socket.socket, duration: float) -> None:
        until = time.monotonic() + duration
        others = [asyncio.create_task(work) for work in
                  [serve(listener, self._serve_connection), self._outages(), self._revocations()]]
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(self._client(address, until))
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            if self._outage == "refused":
                self.layer.origin.listen_again()
            if self._outage:
                self._outage = None
        if self._errors:
            raise self._errors[0]
