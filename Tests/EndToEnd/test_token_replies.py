"""What is a token all the same: replies in odd forms, odd lifetimes, and which of two dates counts."""

import gzip
import json
import re
import time
import zlib
from dataclasses import dataclass

import jwt
import pytest

from harness.token_bench import TokenBench
from harness.token_faults import Fault, edited, framed, message, pass_on, rewritten
from harness.waiting import poll

JSON = "Content-Type: application/json"
HOUR = 3600
BOM = b"\xef\xbb\xbf"


def interim(*statuses: int) -> Fault:
    def fault(connection, real):
        for status in statuses:
            connection.send(message(status, b"", "Link: </x>"))
        connection.send(real().message)
    return fault


def head(reply, *fields: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"HTTP/{version} 200 OK", *fields, "", ""]).encode()


def chunked(reply) -> bytes:
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (1, bytes([byte])) for byte in reply.body)
    return head(reply, "Transfer-Encoding: chunked") + chunks + b"0\r\nX-Trailer: 1\r\n\r\n"


FORMS = {
    "as-it-should-be": pass_on,
    **{f"status-{status}": rewritten(lambda body: body, JSON, status=status) for status in (201, 202, 203, 206, 299)},
    **{f"type-{name}": edited("token_type", token_type=value) for name, value in {
        "empty": "", "space": "Bearer ", "apigee": "BearerToken", "capitals": "BEARER", "null": None}.items()},
    "type-absent": edited("token_type"),
    "gzip": rewritten(gzip.compress, JSON, "Content-Encoding: gzip"),
    "deflate": rewritten(zlib.compress, JSON, "Content-Encoding: deflate"),
    "http-1.0": framed(lambda reply: head(reply, version="1.0") + reply.body),
    "until-the-end": framed(lambda reply: head(reply, "Connection: close") + reply.body),
    "chunked": framed(chunked),
    "interim-answers": interim(100, 102, 103),
    "no-type": rewritten(lambda body: body, "X: y"),
    "text-plain": rewritten(lambda body: body, "Content-Type: text/plain"),
    "said-to-be-html": rewritten(lambda body: body, "Content-Type: text/html"),
    "said-to-be-latin-1": rewritten(lambda body: body, "Content-Type: application/json; charset=ISO-8859-1"),
    "byte-order-mark": rewritten(lambda body: BOM + body),
    "white-space": rewritten(lambda body: b"\r\n\t " + json.dumps(json.loads(body), indent=4).encode() + b"\r\n\r\n"),
    "escaped": rewritten(lambda body: body.replace(b"access_token", b"\\u0061ccess_token").replace(b"eyJ", b"\\u0065yJ")),
    "latin-1-elsewhere": rewritten(lambda body: body[:-1] + b', "name": "M\xfcller"}'),
    "more-members": edited(extra={"a": [1, {"b": [None, True, 1e-3]}]}, refresh_token="r" * 500, id_token="i.d.t"),
    "nested-thirty-deep": edited(extra=json.loads("[" * 30 + "]" * 30)),
    "64-kb": rewritten(lambda body: body[:-1] + b', "x": "' + b"x" * (65_536 - len(body) - 9) + b'"}'),
    "lower-case-type": edited(token_type="bearer"),
    "upper-case-type": edited(token_type="BEARER"),
    "no-type-of-token": edited("token_type"),
    "null-type": edited(token_type=None),
    "fewer-scopes": edited(scope="read:orders"),
    "no-scopes": edited(scope=""),
    "an-error-besides": edited(error=None),
    "keep-alive-zero": rewritten(lambda body: body, "Keep-Alive: timeout=0", "Connection: keep-alive"),
}


@dataclass
class Lifetime:
    """What the reply says, and what comes of it."""

    expires_in: object
    "The member of the reply; `...` for none."
    exp: int | None
    "How long the JWT is good for; None for a token that is no JWT."
    lifetime: int
    "What the proxy makes of it, in seconds."


LIFETIMES = {
    "same": Lifetime(HOUR, HOUR, HOUR),
    # Without Date, expires_in counts.
    "jwt-earlier": Lifetime(86_400, HOUR, 86_400),
    "reply-earlier": Lifetime(600, HOUR, 600),
    "missing": Lifetime(..., HOUR, HOUR),
    "missing-and-a-day": Lifetime(..., 86_400, 86_400),
    "null": Lifetime(None, 1800, 1800),
    "zero": Lifetime(0, 1800, 1800),
    "negative": Lifetime(-1, 1800, 1800),
    "half-a-second": Lifetime(0.5, 1800, 1800),
    "fraction": Lifetime(1200.75, 1800, 1201),
    "string": Lifetime("900", 1800, 900),
    "string-of-a-fraction": Lifetime("900.0", 1800, 900),
    "word": Lifetime("soon", 1800, 1800),
    "hexadecimal": Lifetime("0x10", 1800, 1800),
    "infinity": Lifetime("inf", 1800, 1800),
    "list": Lifetime([900], 1800, 1800),
    "true": Lifetime(True, 1800, 1800),
    "huge": Lifetime(10**18, 1800, 1800),
    "beyond-every-number": Lifetime(10**400, 1800, 1800),
    "milliseconds": Lifetime(HOUR * 1000 * 1000, 1800, 1800),
    "exp-a-century-away": Lifetime(900, 100 * 365 * 86_400, 900),
    "opaque": Lifetime(900, None, 900),
    "opaque-missing": Lifetime(..., None, HOUR),
    "opaque-huge": Lifetime(10**18, None, HOUR),
    "opaque-string": Lifetime("900", None, 900),
    "opaque-word": Lifetime("never", None, HOUR),
    "opaque-a-year": Lifetime(365 * 86_400, None, 365 * 86_400),
}


@pytest.fixture(scope="module")
def bench(binary, transcript, tmp_path_factory):
    bench = TokenBench(binary, tmp_path_factory.mktemp("token-replies"), transcript, [*FORMS, *LIFETIMES])
    bench.layer.faults = {f"/{case}": fault for case, fault in FORMS.items()}
    yield bench
    bench.stop()


def fetch(bench: TokenBench, case: str) -> dict[str, str]:
    """Lets ten clients wait for the same token, and one come later; they all get through with it."""
    before = len(bench.api.requests), len(bench.authlib.tokens)
    outcome = bench.run(case, clients=10)
    later = bench.run(case)
    assert {answer.status for answer in outcome.answers + later.answers} == {200}, outcome.answers
    assert later.asked == 1
    [token] = bench.authlib.tokens[before[1]:]
    assert {request.value("authorization").decode() for request in bench.api.requests[before[0]:]} == {f"Bearer {token}"}
    [line] = later.fetches
    assert line["result"] == "ok"
    assert bench.sample(f'm2m_proxy_tokens_issued_total{{credentials="{case}"}}') == 1
    return line


@pytest.mark.parametrize("case", FORMS)
def test_a_reply_in_an_odd_form(bench, case):
    bench.authlib.lifetime, bench.authlib.opaque = HOUR, False
    fetch(bench, case)


@pytest.mark.parametrize("case", LIFETIMES)
def test_a_lifetime(bench, case):
    row = LIFETIMES[case]
    bench.authlib.lifetime, bench.authlib.opaque = row.exp or HOUR, row.exp is None
    bench.layer.faults[f"/{case}"] = edited("expires_in", **({} if row.expires_in is ... else {"expires_in": row.expires_in}))
    line = fetch(bench, case)
    seconds = float(re.fullmatch(r"([\d.]+)s", line["lifetime"])[1])
    # The date in a JWT has whole seconds.
    assert row.lifetime - 1 <= seconds <= row.lifetime + 1, line
