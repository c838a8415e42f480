"""Two other implementations read what the proxy accepts: they must read the same as it sends on.

The bytes go to the real proxy. What it sends on to the origin, or to the client, is compared with what h11 and llhttp
read in the bytes that it got. That they accept more is no matter; where they accept less, it is explained here.
"""

import asyncio
import json
import random
import re
import socket
from collections import Counter

import pytest

from harness import opinions, wire
from harness.mutation import mutated
from harness.opinions import Reading, Refused
from harness.streams import Stream, serve

COUNT = 2_000

REQUESTS = [
    b"GET http://api.internal/a?b=c HTTP/1.1\r\nHost: api.internal\r\nX-A: 1\r\nConnection: close\r\n\r\n",
    b"GET /api/a/b HTTP/1.1\r\nHost: a:80\r\nX-A:\t1 \r\nx-b:\r\nCookie: a=b\r\n\r\n",
    b"POST http://api.internal:80/a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello",
    b"POST /api/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n"
    b"5\r\nhello\r\n3;a=b\r\nyou\r\n0\r\n\r\n",
    b"PUT /api/a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close, X-A\r\nX-A: 1\r\n\r\nabc",
    b"POST /api/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET /api/2 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /api/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n"
    b"GET /api/2 HTTP/1.1\r\nHost: a\r\n\r\n",
]

ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n5\r\nhello\r\n3;a=b\r\nyou\r\n0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nx-a:\t1 \r\nX-B:\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\n\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
]

NOT_FORWARDED = {b"connection", b"keep-alive", b"te", b"transfer-encoding", b"upgrade", b"host", b"authorization",
                 b"content-length", b"via", b"http2-settings", b"proxy"}


def fields(reading: Reading) -> list[tuple[bytes, bytes]]:
    """Those that go on, by their meaning: what belongs to the connection, or is written again, left out."""
    named = {name.strip(b" \t").lower() for value in reading.values(b"connection") for name in value.split(b",")}
    return [(name, value) for name, value in reading.fields
            if name not in NOT_FORWARDED | named and not name.startswith(b"proxy-") and name != b"date"]


def path(target: bytes) -> bytes:
    """What the origin is asked for: without a fragment, and with raw bytes encoded."""
    target = re.sub(rb'["<>^`{|}\x80-\xff]', lambda raw: b"%%%02X" % raw[0][0], target.partition(b"#")[0])
    if match := re.match(rb"(?i)https?://[^/?#]*", target):
        rest = target[match.end() :]
        return rest if rest.startswith(b"/") else b"/" + rest
    return target.removeprefix(b"/api") if target.removeprefix(b"/api").startswith(b"/") else b"/" + target[5:]


class Stage:
    """A proxy between clients and an origin that both live on one asyncio loop."""

    def __init__(self, start_proxy):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self.proxy = start_proxy(
            {"forward_to": "http://127.0.0.1:%d" % self._listener.getsockname()[1]}, log={"access": False},
            # Whose Host it is decides nothing here.
            listen=[{"address": "127.0.0.1:0", "browser_requests": "allow"}],
            timeouts={"head": "400ms", "body": "400ms", "idle": "100ms", "first_byte": "5s"})
        self.errors: list[BaseException] = []

    def run(self, answer, ask, cases) -> list:
        """`ask` each case, on its own connection, of a proxy whose origin does what `answer` does."""
        async def run():
            origin = asyncio.create_task(serve(self._listener, lambda stream: self._converse(answer, stream)))
            waiting, results = iter(cases), []

            async def client():
                for case in waiting:
                    sock = socket.socket()
                    stream = Stream(sock)
                    await asyncio.get_running_loop().sock_connect(sock, self.proxy.address)
                    try:
                        async with asyncio.timeout(20):
                            results.append((case, await ask(stream, case)))
                    finally:
                        stream.close()

            try:
                await asyncio.gather(*(client() for _ in range(64)))
            finally:
                origin.cancel()
                await asyncio.gather(origin, return_exceptions=True)
            if self.errors:
                raise self.errors[0]
            return results

        return asyncio.run(run())

    async def _converse(self, answer, stream: Stream) -> None:
        try:
            await answer(stream)
        except wire.Incomplete:
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            stream.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def stage(start_proxy):
    stage = Stage(start_proxy)
    yield stage
    stage.close()


async def mirror(stream: Stream) -> None:
    """Answers each request with what arrived."""
    while True:
        request = await stream.message(wire.read_request)
        tokens = request.values("authorization")
        seen = {"method": request.method, "target": request.target, "body": request.body,
                "fields": request.fields, "framing": request.framing, "tokens": len(tokens)}
        body = json.dumps(seen, default=lambda value: value.decode("latin-1")).encode()
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def mirrored(stream: Stream, request: bytes) -> list[dict]:
    """What reached the origin of the requests in some bytes, in their order."""
    await stream.send(request)
    arrived = []
    try:
        while True:
            answer = await stream.message(wire.read_answer)
            if answer.status != 200 or not answer.body:
                break
            arrived.append(json.loads(answer.body))
    except (wire.Incomplete, wire.Malformed):
        pass  # HEAD and CONNECT aside, it is what the proxy's own tests look at.
    return arrived


# Why another implementation takes for no message what the proxy accepts.
EXPLANATIONS = {
    r"llhttp: (Invalid method encountered|Expected space after method)":
        "it knows a list of methods; for a proxy any token is one (RFC 9110, 9.1)",
    r"h11: no request line received":
        "an empty line before a request is to be ignored (RFC 9112, 2.2)",
    r"h11: illegal chunk header: .*[0-9a-fA-F][ \\t]+;|llhttp: Invalid character in chunk size":
        "whitespace before a chunk extension is to be removed (RFC 9112, 7.1.1)",
    r"llhttp: (Content-Length can't be present with Transfer-Encoding|Invalid `Transfer-Encoding` header value)":
        "it looks at framing fields among the trailers; the proxy drops them (RFC 9110, 6.5.1)",
}


def explained(reason: str, case: bytes) -> bool:
    # Two framings in a head, which the proxy has to refuse, are no trailers.
    head = case.split(b"\r\n\r\n")[0].lower()
    if head.count(b"\r\ncontent-length:") + head.count(b"\r\ntransfer-encoding:") > 1:
        return False
    return any(re.search(pattern, reason) for pattern in EXPLANATIONS)


@pytest.mark.parametrize("other", [opinions.h11_requests, opinions.llhttp_requests])
def test_requests_are_read_as_others_read_them(stage, other):
    choose = random.Random(3)
    cases = REQUESTS + [mutated(choose.choice(REQUESTS), choose) for _ in range(COUNT)]
    compared, refusals, differences = 0, Counter(), []
    for case, arrived in stage.run(mirror, mirrored, cases):
        if not arrived:
            continue
        try:
            readings, refusal = other(case), "not whole"
        except Refused as refused:
            readings, refusal = refused.before, str(refused)
        for number, ours in enumerate(arrived):
            if number >= len(readings) or not readings[number].whole:
                refusals[refusal] += 1
                if not explained(refusal, case):
                    differences.append((f"request {number}: {refusal}", case))
                break
            compared += 1
            theirs = readings[number]
            sent = Reading(fields=[(name.lower().encode("latin-1"), value.encode("latin-1"))
                                   for name, value in ours["fields"]])
            pairs = {"method": (ours["method"].encode("latin-1"), theirs.method),
                     "target": (ours["target"].encode("latin-1"), path(theirs.target)),
                     "fields": (fields(sent), fields(theirs)), "body": (ours["body"].encode("latin-1"), theirs.body),
                     "tokens": (ours["tokens"], 1)}
            differences += [(f"{name}: {a!r} for us, {b!r} for them", case) for name, (a, b) in pairs.items() if a != b]
    print(compared, "compared,", dict(refusals))
    assert not differences, "\n".join(f"{what}\n    {case!r}" for what, case in differences[:40])
    assert compared > COUNT / 10


def read_answer(other, case: bytes) -> Reading:
    """The other's reading. What it does not take with whitespace before a colon, which a proxy has to remove from an
    answer (RFC 9112, 5.1), it has to take without, and to read in the same way."""
    try:
        return other(case)
    except Refused:
        fixed = re.sub(rb"(\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]+(?=:)", rb"\1", case)
        if fixed == case:
            raise
        return other(fixed)


@pytest.mark.parametrize("other", [opinions.h11_answer, opinions.llhttp_answer])
def test_responses_are_read_as_other_proxies_read_them(stage, other):
    choose = random.Random(4)
    cases = list(enumerate(ANSWERS + [mutated(choose.choice(ANSWERS), choose) for _ in range(COUNT)]))

    async def say(stream: Stream) -> None:
        request = await stream.message(wire.read_request)
        await stream.send(cases[int(request.target[1:])][1])

    async def ask(stream: Stream, case) -> wire.Answer | None:
        await stream.send(b"GET http://api.internal/%d HTTP/1.1\r\nHost: api.internal\r\n\r\n" % case[0])
        try:
            return await stream.message(wire.read_answer)
        except wire.Incomplete:
            return None

    compared, refusals, differences = 0, Counter(), []
    for (_, case), answer in stage.run(say, ask, cases):
        if answer is None or any(b"m2m-proxy; error=" in value for value in answer.values("proxy-status")):
            continue
        try:
            theirs = read_answer(other, case)
        except Refused as refusal:
            refusals[str(refusal)] += 1
            if not explained(str(refusal), case):
                differences.append((str(refusal), case))
            continue
        compared += 1
        sent = Reading(fields=[(name.lower(), value) for name, value in answer.fields])
        pairs = {"status": (answer.status, theirs.status), "fields": (fields(sent), fields(theirs)),
                 "body": (answer.body, theirs.body), "whole": (True, theirs.whole)}
        differences += [(f"{name}: {a!r} for us, {b!r} for them", case) for name, (a, b) in pairs.items() if a != b]
    print(compared, "compared,", dict(refusals))
    assert not differences, "\n".join(f"{what}\n    {case!r}" for what, case in differences[:40])
    assert compared > COUNT / 10
