"""Answers of an upstream that may be hostile or broken: the client gets a correct message, a clear 502, or a connection
that breaks; never what can be read in two ways, and never what belongs to another client.

The upstream reads a request and then says the bytes of the case. Two more clients ask afterwards: each gets its own
answer.
"""

import json
from dataclasses import dataclass, field

import pytest

from harness import wire
from harness.client import RawClient, get
from harness.edge import Edge, edge  # noqa: F401


@dataclass(frozen=True)
class Passed:
    """The client gets this answer."""
    status: int = 200
    body: bytes = b""
    interim: tuple[int, ...] = ()
    has: tuple[bytes, ...] = ()
    lacks: tuple[str, ...] = ()
    reused: bool | None = None
    "Whether the connection to the upstream serves the next request; None where both are right."


@dataclass(frozen=True)
class BadGateway:
    """The client gets a 502 of the proxy's own, and the connection to the upstream ends."""
    interim: tuple[int, ...] = ()
    says: str = ""
    "What the problem's detail says, among other things."


@dataclass(frozen=True)
class Switched:
    """The protocol changes, and everything behind the 101 belongs to the new one."""
    behind: bytes = b""
    interim: tuple[int, ...] = ()


@dataclass(frozen=True)
class CutOff:
    """The client can tell that what it got is not the whole answer, or it gets a 502."""


@dataclass(frozen=True)
class Case:
    name: str
    rule: str
    answer: bytes
    outcome: object
    method: str = "GET"
    version: str = "1.1"
    closes: bool = False
    "Whether the upstream closes when it has said it."
    request: tuple[str, ...] = field(default=())


CASES: list[Case] = []


def add(*arguments, **more):
    case = Case(*arguments, **more)
    assert case.name not in [other.name for other in CASES], f"two cases are called {case.name}"
    CASES.append(case)


def refuse(rule: str, answers: dict[str, bytes], **more):
    for name, answer in answers.items():
        add(name, rule, answer, BadGateway(), **more)


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
OK = b"HTTP/1.1 200 OK\r\n"


def ok(*lines: bytes, body: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def chunked(body: bytes, *lines: bytes) -> bytes:
    return ok(b"Transfer-Encoding: chunked", *lines, body=body)


# The status line

refuse("A status line is HTTP-version SP 3DIGIT SP reason (RFC 9112 section 4).", {
    f"the status line {line!r}": line + b"\r\nContent-Length: 2\r\n\r\nok" for line in [
        b"HTTP/1.1 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 200OK", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 +200 OK", b"HTTP/1.1 -20 OK", b"HTTP/1.1 0x8 OK",
        b"HTTP/1.1 000 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 600 OK", b"HTTP/1.1 999 OK", b"HTTP/1.1 200\tOK",
        b"HTTP/1.1 200,OK", b"HTTP/1.1", b"HTTP/1.1 ", b"http/1.1 200 OK", b"HTTP/2.0 200 OK", b"HTTP/2 200",
        b"HTTP/3.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/1 200 OK", b"HTTP/1.1.1 200 OK", b"HTTP/11 200 OK",
        b"HTTP/1.10 200 OK", b"HTTP/x.y 200 OK", b"HTTPS/1.1 200 OK", b" HTTP/1.1 200 OK", b"ICY 200 OK", b"200 OK",
        b"HTTP/1.1 200 O\0K", b"HTTP/1.1 200 O\x01K", b"HTTP/1.1 200 O\x7fK", b"HTTP/1.1 200 O\rK", b"HTTP /1.1 200 OK",
        b"HTTP/1.1:200 OK", b"HTTP/1.1 200 OK\r", b"HTTP/1.1 \xb200 OK", b"GET / HTTP/1.1", b"\0HTTP/1.1 200 OK",
        b"220 smtp.example ESMTP", b"<html><body>hello</body></html>", b"SSH-2.0-OpenSSH_9.9",
        b"\x15\x03\x03\0\x02\x02\x28"]
})
refuse("An answer begins with its status line.", {
    "an empty line first": b"\r\n" + EVIL, "an empty line of LF first": b"\n" + EVIL,
    "a field line first": b"X: y\r\n" + EVIL, "content first": b"hello" + EVIL})
refuse("A line that never ends is bounded (RFC 9112 section 4).", {
    "an endless status line": b"HTTP/1.1 200 " + b"a" * 200_000, "an endless head": OK + b"X: y\r\n" * 100_000,
    "an endless field": OK + b"X: " + b"y" * 200_000, "an endless name": OK + b"X" * 200_000})
for line, reason in [(b"HTTP/1.1 200 ", b""), (b"HTTP/1.1 200", b""), (b"HTTP/1.1 200 Very Particular",
    b"Very Particular"),
                     (b"HTTP/1.1 200 HTTP/1.1 200 OK", b"HTTP/1.1 200 OK"), (b"HTTP/1.1 200 gr\xfc\xdf", b"gr\xfc\xdf"),
                     (b"HTTP/1.2 200 OK", b"OK"), (b"HTTP/1.1 299 Odd", b"Odd"), (b"HTTP/1.1 599 Odd", b"Odd")]:
    add(f"the status line {line!r}", "A reason may be anything, or empty (RFC 9112 section 4).",
        line + b"\r\nContent-Length: 2\r\n\r\nok", Passed(int(line[9:12]), b"ok", has=(line[:0] + reason,),
        reused=True))

# Field lines

refuse("A field section of a response keeps to the grammar, or a 502 replaces it (RFC 9112 section 5).", {
    name: OK + line + b"\r\nContent-Length: 2\r\n\r\nok" for name, line in {
        "whitespace in a name": b"X y: z", "whitespace for a colon": b"X ", "a colon on the next line": b"X \r\n: y",
        "a line feed of its own kind before the colon": b"X\x0b: y", "a no-break space before the colon": b"X\xa0: y",
        "a folded line": b"X: a\r\n b", "a line folded with a tab": b"X: a\r\n\tb", "whitespace before the first field": b" X: y", "no colon": b"X",
        "an empty name": b": x", "a NUL in a name": b"X\0: y", "a NUL in a value": b"X: a\0b", "a control in a value":
        b"X: a\x01b", "a DEL in a value": b"X: a\x7fb", "a bare CR in a value": b"X: a\rb", "a bare LF in a value":
        b"X: a\nb", "a field behind a bare LF": b"X: a\nSet-Cookie: evil=1", "a field behind a bare CR":
        b"X: a\rSet-Cookie: evil=1", "a space in a name": b"X Y: z", "a byte above ASCII in a name": b"\xe4: x",
        "a parenthesis in a name": b"X(: y", "a bare CR before the empty line": b"X: y\r", "a status line as a field":
        b"HTTP/1.1 200 OK", "a whole answer behind bare LFs": b"X: y\n\nHTTP/1.1 200 OK",
        "Connection that is no list": b"Connection: a b", "Connection in quotes": b'Connection: "close"',
    }.items()
})
for name, line in {"a folded line": b"X: a\r\n b", "a folded first line": b" X: y"}.items():
    add(f"{name}, and what the problem says", "The 502 says that line folding is unacceptable (RFC 9112 section 5.2).",
        ok(line, b"Content-Length: 2", body=b"ok"), BadGateway(says="obs-fold"))
for name, line, got in [
    ("a space before the colon", b"X : y", b"X: y"), ("a tab before the colon", b"X\t: y", b"X: y"),
    ("much whitespace before the colon", b"X" + b" \t" * 500 + b":y", b"X: y"),
    ("a space before the colon of Set-Cookie", b"Set-Cookie : a=b", b"Set-Cookie: a=b"),
    ("a space before the colon of Location", b"Location : http://api.internal/", b"Location: http://api.internal/"),
]:
    add(name, "Whitespace before the colon is removed from a response (RFC 9112 section 5.1).",
        ok(line, b"Content-Length: 2", body=b"ok"), Passed(body=b"ok", has=(got,), reused=True))
add("a space before the colon of a field that Connection names", "What goes no further does not hide behind whitespace.",
    ok(b"Connection: X-Hop", b"X-Hop : 1", b"Proxy-Authenticate : x", b"Content-Length: 2", body=b"ok"),
    Passed(body=b"ok", lacks=("x-hop", "proxy-authenticate"), reused=True))
refuse("Whitespace before the colon of a field that frames the message leaves its end in doubt.", {
    f"{line!r} and content": OK + line + b"\r\nContent-Length: 2\r\n\r\nok" + EVIL for line in [
        b"Content-Length : 2", b"Content-Length\t: 4", b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: identity",
        b"Connection : close", b"Connection : Content-Length", b"Keep-Alive : x", b"Upgrade : x", b"Trailer : X",
        b"TE : trailers", b"Proxy-Connection : close", b"Content_Length : 4"]
})
refuse("A head ends with an empty line of CR LF (RFC 9112 section 2.2).", {
    "LFs for all line ends": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "a head that ends with LF":
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok",
    "CRs for all line ends": b"HTTP/1.1 200 OK\rContent-Length: 2\r\rok",
    "a head that ends with CR": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\rok"})
for name, lines, has, lacks in [
    ("fields of one's own", [b"X: y", b"x-lower:z", b"Set-Cookie: a=b", b"Set-Cookie: c=d"],
     [b"X: y", b"x-lower: z", b"Set-Cookie: a=b", b"Set-Cookie: c=d"], []),
    ("fields of the connection", [b"Connection: X-Hop, keep-alive", b"X-Hop: 1", b"Keep-Alive: timeout=5",
                                  b"Upgrade: h2c", b"Proxy-Connection: x", b"TE: x", b"Proxy-Authenticate: Basic"], [],
     ["x-hop", "keep-alive", "upgrade", "proxy-connection", "te", "proxy-authenticate"]),
    ("Connection that names the length", [b"Connection: Content-Length"], [b"Content-Length: 2"], []),
    ("Connection that names nothing that goes on", [b"Connection: Host, Via, x", b"Via: 1.1 origin"],
     [b"Via: 1.1 origin"], []),
    ("Via of others", [b"Via: 1.1 origin"], [b"Via: 1.1 origin"], []),
]:
    add(name, "Fields of the connection go no further, all others do (RFC 9110 section 7.6.1).",
        ok(*lines, b"Content-Length: 2", body=b"ok"), Passed(body=b"ok", has=tuple(has), lacks=tuple(lacks),
        reused=True))

@pytest.mark.parametrize("lines", [[], [b"Connection: Date", b"Date: evil"], [b"Date: evil", b"Connection: x, dAte"]])
def test_every_response_has_one_date(edge: Edge, lines):
    """RFC 9110 section 6.6.1: a recipient with a clock adds a Date to a message that it forwards without one."""
    def dateless(connection):
        connection.request()
        connection.send(ok(*lines, b"Content-Length: 2", body=b"ok"))
        connection.expect_close()

    edge.forget_connections()
    edge.recorder.origin.script(dateless)
    client = RawClient(edge.proxy.address)
    answer = client.exchange(get("http://api.internal/case"))
    assert len(answer.values("date")) == 1 and answer.value("date").endswith(b" GMT")
    client.close()
    edge.forget_connections()


# Content-Length

refuse("A response with an invalid length is replaced by a 502, and its connection ends (RFC 9112 section 6.3).", {
    f"the length {value!r}": OK + b"Content-Length:" + value + b"\r\n\r\nok" for value in [
        b"", b" ", b" -1", b" +2", b" 0x2", b" 2x", b" 2.0", b" 2,", b" 2, 2", b" 2, 3", b" 2 2", b" two", b' "2"',
        b" 2;x", b" \xb2", b" 9223372036854775808", b" 18446744073709551618", b" " + b"9" * 400, b" 2\r\n 3",
        b" 2\0", b" 2\x0b", b" 2\r\nContent-Length: 2", b" 2\r\nContent-Length: 3", b" 2\r\nContent_Length: 3",
        b" 3\r\nX: y\r\ncontent-length: 2"]
})
add("a length", "The length is the body's (RFC 9112 section 6.3).", ok(b"Content-Length: 2", body=b"ok"),
    Passed(body=b"ok", has=(b"Content-Length: 2",), reused=True))
add("a length of 0", "No content is content too.", ok(b"Content-Length: 0"), Passed(has=(b"Content-Length: 0",),
    reused=True))
add("a length with zeros", "Leading zeros are not passed on.", ok(b"Content-Length: 0002", body=b"ok"),
    Passed(body=b"ok", has=(b"Content-Length: 2",), reused=True))

# Transfer-Encoding

refuse("A response is chunked or it is not, and nothing else (RFC 9112 section 6.1).", {
    f"the coding {value!r}": OK + b"Transfer-Encoding:" + value + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n" for value in [
        b"", b" identity", b" gzip", b" gzip, chunked", b" chunked, gzip", b" chunked, chunked", b" chunked,",
        b" ,chunked",
        b" xchunked", b" chunked;q=1", b' "chunked"', b" chunked\x0b", b" \x0bchunked", b" chunked\0", b" chunked cow",
        b" chunked\r\n , gzip", b"\r\n chunked", b" chunked\r\nTransfer-Encoding: chunked",
        b" chunked\r\nTransfer-Encoding: identity", b" identity\r\nTransfer-Encoding: chunked",
        b" chunked\r\nTransfer_Encoding: gzip"]
} | {"Transfer-Encoding with a space before the colon": OK + b"Transfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
     "Transfer-Encoding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"})
refuse("Both framings in one response are the mark of response splitting (RFC 9112 section 6.3).", {
    "a length and chunks": ok(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "chunks and a length": chunked(b"2\r\nok\r\n0\r\n\r\n", b"Content-Length: 2"),
    "chunks and a length of 0": chunked(b"2\r\nok\r\n0\r\n\r\n", b"Content-Length: 0"),
    "chunks and a length that Connection names": chunked(b"2\r\nok\r\n0\r\n\r\n", b"Content-Length: 2",
                                                         b"Connection: Content-Length"),
    "identity and a length": ok(b"Content-Length: 2", b"Transfer-Encoding: identity", body=b"ok"),
})
for version in "1.1", "1.0":
    add(f"chunks, for HTTP/{version}", "Chunks are written anew, "
        "or to the end of the connection (RFC 9112 section 7.1).",
        chunked(b'2;a="b"\r\nok\r\n0;c\r\nX: y\r\n\r\n'), Passed(body=b"ok", reused=True), version=version)
    add(f"until the connection closes, for HTTP/{version}", "Without framing the content ends with the connection (RFC "
        "9112 section 6.3).", ok(body=b"ok"), Passed(body=b"ok", reused=False), version=version, closes=True)
    add(f"HTTP/1.0 until it closes, for HTTP/{version}", "An HTTP/1.0 answer is passed on as one of 1.1.",
        b"HTTP/1.0 200 OK\r\n\r\nok", Passed(body=b"ok", reused=False), version=version, closes=True)
    for name, body in {
        "no size": b"\r\nok\r\n0\r\n\r\n", "a sign": b"+2\r\nok\r\n0\r\n\r\n", "0x": b"0x2\r\nok\r\n0\r\n\r\n",
        "a space before the size": b" 2\r\nok\r\n0\r\n\r\n", "a space behind the size": b"2 \r\nok\r\n0\r\n\r\n",
        "a bare LF behind the size": b"2\nok\r\n0\r\n\r\n", "a bare LF behind the data": b"2\r\nok\n0\r\n\r\n",
        "data too long": b"1\r\nok\r\n0\r\n\r\n", "data too short": b"3\r\nok\r\n0\r\n\r\n",
        "a size beyond all": b"FFFFFFFFFFFFFFFFF\r\nok", "a size of 64 bits": b"8000000000000000\r\nok",
        "an extension with LF": b"2;a\nb\r\nok\r\n0\r\n\r\n", "an endless extension": b"2;" + b"a" * 20_000 + b"\r\nok",
        "letters for a size": b"ok\r\n", "an answer for a chunk": EVIL, "a trailer without a colon":
        b"2\r\nok\r\n0\r\nbad\r\n\r\n", "a trailer with a NUL": b"2\r\nok\r\n0\r\nX: \0\r\n\r\n", "an endless trailer":
        b"2\r\nok\r\n0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "the end cut off": b"2\r\nok\r\n0\r\n",
        "no end": b"2\r\nok\r\n",
        "a chunk cut off": b"3\r\nok", "no chunk at all": b"",
    }.items():
        add(f"chunks with {name}, for HTTP/{version}", "An answer whose content breaks is never complete (RFC 9112 "
            "section 8).", chunked(body), CutOff(), version=version, closes=True)
    add(f"a length that is not reached, for HTTP/{version}", "An answer that ends early is never complete (RFC 9112 "
        "section 8).", ok(b"Content-Length: 3", body=b"ok"), CutOff(), version=version, closes=True)
    add(f"a length and nothing, for HTTP/{version}", "What ends early is never complete (RFC 9112 section 8).",
        ok(b"Content-Length: 3"), CutOff(), version=version, closes=True)
add("trailers that have no business there", "Framing, routing and authentication do not belong in trailers (RFC 9110 "
    "section 6.5.1).", chunked(b"2\r\nok\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nSet-Cookie: evil=1\r\n"
                               b"Authorization: Bearer x\r\nConnection: close\r\nX-Fine: y\r\n\r\n"),
    Passed(body=b"ok", has=(b"X-Fine: y",), lacks=("set-cookie", "authorization", "content-length"), reused=True))

# Answers without content

for status in [b"204 No Content", b"304 Not Modified"]:
    for name, lines in {"no framing": [], "a length": [b"Content-Length: 4"], "a length of 0": [b"Content-Length: 0"],
                        "chunks": [b"Transfer-Encoding: chunked"]}.items():
        add(f"{status[:3].decode()} with {name}", "204 and 304 end with their head, "
            "whatever it says (RFC 9112 section 6.3).",
            ok(*lines, status=status), Passed(int(status[:3]), lacks=("transfer-encoding",)))
        add(f"{status[:3].decode()} with {name} and an answer behind it", "What comes behind it is not content, and no "
            "answer to any request (RFC 9112 section 9.2).", ok(*lines, status=status) + EVIL,
            Passed(int(status[:3]), lacks=("transfer-encoding",), reused=False))
    add(f"{status[:3].decode()} to a POST with content", "204 and 304 end with their head, whatever was asked.",
        ok(status=status, body=b"evil"), Passed(int(status[:3]), reused=False), method="POST")
for name, lines in {"no framing": [], "a length": [b"Content-Length: 4"],
    "chunks": [b"Transfer-Encoding: chunked"]}.items():
    add(f"HEAD with {name}", "The answer to HEAD ends with its head (RFC 9110 section 9.3.2).", ok(*lines),
        Passed(), method="HEAD")
    add(f"HEAD with {name} and an answer behind it", "What follows it belongs to no request (RFC 9112 section 9.2).",
        ok(*lines) + EVIL, Passed(reused=False), method="HEAD")
add("HEAD with conflicting lengths", "What is invalid is invalid for HEAD too.",
    ok(b"Content-Length: 4", b"Content-Length: 5"), BadGateway(), method="HEAD")
add("204 with conflicting lengths", "What is invalid is invalid for 204 too.",
    ok(b"Content-Length: 4", b"Content-Length: 5", status=b"204 No Content"), BadGateway())

# Unsolicited bytes

for name, extra in {"an answer": EVIL, "a byte": b"x", "a line end": b"\r\n",
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
                    "many answers": EVIL * 100}.items():
    add(f"{name} behind a length", "Bytes behind an answer are no answer to any request (RFC 9112 sections 6.3 and 9.2).",
        ok(b"Content-Length: 2", body=b"ok") + extra, Passed(body=b"ok", reused=False))
    add(f"{name} behind chunks", "Bytes behind an answer are no answer to any request (RFC 9112 sections 6.3 and 9.2).",
        chunked(b"2\r\nok\r\n0\r\n\r\n") + extra, Passed(body=b"ok", reused=False))
add("Connection: close", "An upstream that will close is not asked again (RFC 9112 section 9.6).",
    ok(b"Connection: close", b"Content-Length: 2", body=b"ok"), Passed(body=b"ok", reused=False))
add("Connection: CLOSE among others", "An upstream that will close is not asked again (RFC 9112 section 9.6).",
    ok(b"Connection: x, CLOSE", b"Content-Length: 2", body=b"ok"), Passed(body=b"ok", reused=False))
add("HTTP/1.0 with a length", "A connection of HTTP/1.0 ends with the answer (RFC 9112 section 9.3).",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Passed(body=b"ok", reused=False))
add("HTTP/1.0 with keep-alive", "HTTP/1.0 may say that it goes on (RFC 9112 section 9.3).",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", Passed(body=b"ok"))

# Interim answers

for status in [100, 102, 103, 104, 150, 199]:
    interim = b"HTTP/1.1 %d Interim\r\nX: y\r\n\r\n" % status
    add(f"{status} before the answer", "Interim answers are passed on (RFC 9110 section 15.2).",
        interim + ok(b"Content-Length: 2", body=b"ok"), Passed(body=b"ok", interim=(status,), reused=True))
    add(f"{status} before the answer, for HTTP/1.0", "HTTP/1.0 knows no interim answers (RFC 9110 section 15.2).",
        interim + ok(b"Content-Length: 2", body=b"ok"), Passed(body=b"ok", reused=True), version="1.0")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
add("several interim answers", "Interim answers are passed on in their order (RFC 9110 section 15.2).",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + ok(b"Content-Length: 2", body=b"ok"),
    Passed(body=b"ok", interim=(103, 103, 103), reused=True))
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
for name, answer in {
    "unsolicited 101": SWITCH,
    "101 with an answer behind it": SWITCH + EVIL,
}.items():
    add(name, "101 answers Upgrade only (RFC 9110 section 15.2.2).", answer, BadGateway(says="asked for no other"))
    for method in ["POST", "PUT"]:
        add(f"{name}, to a {method} with content", "Upgrade is not forwarded with content, so no server may accept it.",
            answer, BadGateway(says="asked for no other"), method=method, request=("Connection: Upgrade", "Upgrade: x"))
    add(f"{name}, with another Upgrade in the request", "A server chooses one that was offered (RFC 9110 section 7.8).",
        answer, BadGateway(says="was not offered"), request=("Connection: Upgrade", "Upgrade: y"))
    for told, request in {
        "Upgrade to h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        "Upgrade that Connection does not name": ("Upgrade: x",), "Connection: upgrade alone": ("Connection: upgrade",),
        "Upgrade and close": ("Connection: upgrade, close", "Upgrade: x"),
    }.items():
        add(f"{name}, with {told} in the request", "What is no offer is not sent on.", answer,
            BadGateway(says="asked for no other"), request=request)
    add(f"{name}, with Upgrade in an HTTP/1.0 request", "Upgrade in HTTP/1.0 is ignored (RFC 9110 section 7.8).", answer,
        BadGateway(says="asked for no other"), request=("Connection: Upgrade", "Upgrade: x"), version="1.0")
    for method in ["GET", "HEAD", "DELETE"]:
        add(f"{name}, with Upgrade in the {method} request", "Behind a 101 there is no HTTP (RFC 9110 section 15.2.2).",
            answer, Switched(answer[len(SWITCH):]), method=method, request=("Connection: Upgrade", "Upgrade: x"))
for name, behind in {"zeros": bytes(100), "a broken answer": b"HTTP/1.1 200 O\rK\n\n", "another 101": SWITCH,
                     "CR and LF": b"\r\n\r\n", "line feeds": b"\n\n", "chunks": b"5\r\nhello\r\n0\r\n\r\n"}.items():
    add(f"101 with {name} behind it", "Behind a 101 there is no HTTP (RFC 9110 section 15.2.2).", SWITCH + behind,
        Switched(behind), request=("Connection: Upgrade", "Upgrade: x"))
add("interim answers before a 101", "Interim answers are passed on in their order (RFC 9110 section 15.2).",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 16 + SWITCH + b"x", Switched(b"x", interim=(103,) * 16),
    request=("Connection: Upgrade", "Upgrade: x"))
for name, lines in {
    "no Upgrade": [b"Connection: Upgrade"], "an Upgrade that Connection does not name": [b"Upgrade: x"],
    "an empty Upgrade": [b"Connection: Upgrade", b"Upgrade: ,"],
    "a malformed Upgrade": [b"Connection: Upgrade", b"Upgrade: x y"],
    "another protocol beside that": [b"Connection: Upgrade", b"Upgrade: x, y"],
    "another protocol in a second line": [b"Connection: Upgrade", b"Upgrade: x", b"Upgrade: y"],
    "a blank before the colon": [b"Connection: Upgrade", b"Upgrade : x"],
    "a length": [b"Connection: Upgrade", b"Upgrade: x", b"Content-Length: 5"],
    "chunks": [b"Connection: Upgrade", b"Upgrade: x", b"Transfer-Encoding: chunked"],
    "a field that is none": [b"Connection: Upgrade", b"Upgrade: x", b"X y"],
}.items():
    add(f"101 with {name}", "A 101 says by Connection and Upgrade to what it changes (RFC 9110 section 7.8).",
        b"HTTP/1.1 101 Switching Protocols\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + EVIL,
        BadGateway(), request=("Connection: Upgrade", "Upgrade: x"))
for name, answer in {
    "101 without Upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + EVIL,
    "an interim answer with a length": b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + EVIL,
    "an interim answer with chunks": b"HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL,
    "an interim answer that is malformed": b"HTTP/1.1 103 x\r\nX y\r\n\r\n" + EVIL,
}.items():
    add(name, "An interim answer has no content, and 101 answers Upgrade only (RFC 9110 section 15.2).", answer,
        BadGateway())
    add(f"{name}, with Upgrade in the request", "An interim answer has no content, and a 101 names what it changes to.",
        answer, BadGateway(), request=("Connection: Upgrade", "Upgrade: x"))
add("a flood of interim answers", "Their size is bounded.", CONTINUE * 100_000, CutOff())
LARGE = b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 10_000 + b"\r\n\r\n"
add("1 MB of interim answers and an answer", "Their size is bounded, and the problem says so.",
    LARGE * 105 + EVIL, BadGateway(interim=(103,) * 104, says="More than 1 MB of interim responses"))
add("500 interim answers and an answer", "Their number has no bound.",
    CONTINUE * 500 + ok(b"Content-Length: 2", body=b"ok"), Passed(body=b"ok", interim=(100,) * 500, reused=True))
add("101 and nothing else", "101 answers Upgrade only, and the problem says so (RFC 9110 section 15.2.2).",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n", BadGateway(says="101 (Switching Protocols)"))
add("an interim answer and the end", "An interim answer is no answer.", CONTINUE, CutOff(), closes=True)
add("nothing", "No answer is a 502 (RFC 9110 section 15.6.3).", b"", BadGateway(), closes=True)
add("half a head", "Half an answer is a 502 (RFC 9110 section 15.6.3).", b"HTTP/1.1 200 OK\r\nContent-Le", BadGateway(),
    closes=True)
add("half a status line", "Half an answer is a 502 (RFC 9110 section 15.6.3).", b"HTTP/1.", BadGateway(), closes=True)


def saying(case: Case):
    def script(connection):
        connection.request()
        try:
            connection.send(case.answer)
            if case.closes:
                return connection.finish_sending()
            # Whatever is asked here afterwards gets a marked answer.
            while not connection.at_end():
                connection.request()
                connection.answer(b"reused")
        except (BrokenPipeError, ConnectionResetError, wire.Incomplete):
            return  # The proxy had enough.
    return script


@pytest.mark.parametrize("case", CASES, ids=[case.name[:70] for case in CASES])
def test_response(edge: Edge, case: Case):
    edge.forget_connections()
    edge.recorder.origin.script(saying(case))
    client = RawClient(edge.proxy.address)
    body = ["Content-Length: 3"] if case.method in ("POST", "PUT") else []
    request = get("http://api.internal/case", *case.request, *body, method=case.method, version=case.version)
    client.send(request + (b"abc" if body else b""))
    JUDGES[type(case.outcome)](edge, case, client)
    client.close()
    edge.forget_connections()
    edge.probe()


def next_answer(edge: Edge) -> bytes:
    """What another client gets now."""
    client = RawClient(edge.proxy.address)
    answer = client.exchange(get("http://api.internal/after"))
    client.close()
    assert answer.status == 200
    return answer.body


def passed(edge, case, client):
    outcome = case.outcome
    answer = client.answer(case.method)
    assert (answer.status, answer.body) == (outcome.status, outcome.body), f"{case.rule}\n{answer}"
    assert answer.version == b"1.1"
    assert tuple(interim.status for interim in answer.interim) == outcome.interim, case.rule
    for expected in outcome.has:
        assert expected in [answer.reason, *answer.lines, *[n + b": " + v for n, v in answer.trailers]], case.rule
    names = [name.lower().decode() for name, _ in answer.fields + answer.trailers]
    for name in outcome.lacks:
        # A body's own framing is the proxy's.
        assert name not in names or name == "content-length" and answer.trailers, f"{case.rule}\n{names}"
    assert b" m2m-proxy" in answer.values("via")[-1]
    check_end(case, client)
    after = next_answer(edge)
    expected = {True: [b"reused"], False: [b"GET /after"], None: [b"reused", b"GET /after"]}[outcome.reused]
    assert after in expected, case.rule


def check_end(case, client):
    """Nothing follows the answer: another request on the connection gets what belongs to it, or the connection ends."""
    assert client.reader.buffered() == b"", case.rule
    if case.version == "1.0":
        client.expect_end()


def bad_gateway(edge, case, client):
    answer = client.answer(case.method)
    assert answer.status == 502, f"{case.rule}\n{answer}"
    assert answer.value("proxy-status").startswith(b"m2m-proxy; error=")
    assert b"evil" not in answer.body and b"evil" not in answer.head, case.rule
    assert tuple(interim.status for interim in answer.interim) == case.outcome.interim, case.rule
    assert case.outcome.says in json.loads(answer.body)["detail"] if case.outcome.says else True, answer.body
    check_end(case, client)
    assert next_answer(edge) == b"GET /after", case.rule


def switched(edge, case, client):
    answer = client.switched()
    assert tuple(interim.status for interim in answer.interim) == case.outcome.interim, case.rule
    assert (answer.value("upgrade"), answer.value("connection")) == (b"x", b"Upgrade"), answer
    assert client.reader.exactly(len(case.outcome.behind)) == case.outcome.behind, case.rule
    assert next_answer(edge) == b"GET /after", case.rule
    assert client.reader.buffered() == b""


def cut_off(edge, case, client):
    try:
        answer = client.answer(case.method)
    except (wire.Incomplete, wire.Malformed):
        pass
    else:
        assert answer.status == 502, f"{case.rule}\na broken answer looks complete: {answer}"
    assert next_answer(edge) == b"GET /after", case.rule


JUDGES = {Passed: passed, BadGateway: bad_gateway, Switched: switched, CutOff: cut_off}
