"""Everything that can be wrong with the reply of a token endpoint, one row each: what clients are told, what the log and
the metrics say, how often the endpoint is asked, and that nothing of a reply gets out.

The endpoint is a real OAuth server behind a layer that breaks things. In each row fifty clients wait for the same token.
"""

import base64
import email.utils
import gzip
import json
import re
import time
import zlib
from dataclasses import dataclass

import pytest

from harness.client import RawClient, get
from harness.token_bench import TokenBench
from harness.token_faults import (
    Fault, edited, endless, framed, message, pass_on, rewritten, says, silent, then_reset, trickled)
from harness.waiting import poll

CLIENTS = 50
JSON = "Content-Type: application/json"
SOON = (1, 2)
"Retry-After where the server gives no time: the first back-off lasts a second at most."


@dataclass
class Row:
    fault: Fault
    status: int
    """What clients get."""
    error: str
    """The kind of failure in metrics and log."""
    says: str
    """In the problem body and the log: what happened."""
    hint: str
    """And how to fix it."""
    asked: int = 1
    """How often the token endpoint is asked while the fifty wait: 2 where the table has an inline retry."""
    retry_after: tuple[int, int] | None = None
    """Between which values Retry-After lies; None for no such field."""
    issued: int = 0
    """How many tokens are counted as issued."""

SETTINGS = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x64"
GOAWAY = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + b"\x00" * 4 + b"\x00\x00\x00\x01"
"""The first frame of a server that speaks HTTP/2 (RFC 9113 sections 6.5 and 6.8)."""

ADDRESS = r"credentials\.\S+token_endpoint"
FIREWALL = "firewall, network"


def malformed(fault: Fault, says: str, hint: str = ADDRESS, asked: int = 1, issued: int = 0) -> Row:
    return Row(fault, 502, "token_malformed", says, hint, asked, issued=issued)


def passing(fault: Fault, says: str, issued: int = 2) -> Row:
    """A 200 that may be better the next time."""
    return malformed(fault, says, asked=2, issued=issued)


def refused(status: int, code: str, hint: str, **more) -> Row:
    return Row(says(status, {"error": code, "error_description": "It is so.", **more}), 502, "token_refused",
               f"responded with {code} for the audience https://api.example.*It says: .?It is so", hint)


def plainly_refused(status: int, hint: str, body: bytes | str = b"no") -> Row:
    return Row(says(status, body), 502, "token_refused", f"with status {status} and no OAuth error", hint)


def redirected(status: int) -> Row:
    return Row(says(status, b"", "Location: /elsewhere"), 502, "token_redirected", f"redirect {status}, which the proxy does not follow",
               ADDRESS)


def failed(status: int, *fields: str, asked: int = 2, retry_after=SOON, body=b"in trouble") -> Row:
    return Row(says(status, body, *fields), 503, "token_server_error", f"status {status}", "retries by itself",
               asked, retry_after)


def throttled(*fields: str, retry_after=SOON) -> Row:
    return Row(says(429, b"slow down", *fields), 503, "token_throttled", "status 429", "a client of its own", 1, retry_after)


def unreachable(fault: Fault, says: str) -> Row:
    return Row(fault, 503, "token_unreachable", says, FIREWALL, 2, SOON)


def undecodable(coding: str, change, says: str = "") -> Row:
    """A reply with that Content-Encoding, which it does not follow."""
    return malformed(rewritten(change, JSON, f"Content-Encoding: {coding}"),
                     rf"cannot be decoded; its Content-Encoding is {coding}: .*{says}", "without a Content-Encoding", issued=1)


def foreign(change, ends: bool = True) -> Row:
    """Something that is not HTTP; without an end the connection stays open until the proxy closes it."""
    if ends:
        return passing(framed(change), "something that is not HTTP", issued=0)
    return passing(lambda connection, real: (connection.send(change(real())), connection.expect_close()),
                   "something that is not HTTP", issued=0)


def timed_out(fault: Fault) -> Row:
    return Row(fault, 504, "token_timed_out", "did not respond in time", FIREWALL)


def date(offset: int) -> str:
    return email.utils.formatdate(time.time() + offset, usegmt=True)


def dated(offset: int) -> Fault:
    """Retry-After as a date, by a server whose clock is an hour ahead."""
    def fault(connection, real):
        says(429, b"", f"Retry-After: {date(3600 + offset)}", f"Date: {date(3600)}")(connection, real)
    return fault


def until(offset: int) -> Fault:
    """Retry-After as a date, by a server that does not say what its clock is."""
    return lambda connection, real: says(503, b"", f"Retry-After: {date(offset)}")(connection, real)


def start(reply, body: bytes, *fields: str) -> bytes:
    """The head of an answer that goes on without end."""
    return "\r\n".join(["HTTP/1.1 200 OK", JSON, *fields, "", ""]).encode() + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def nested(depth: int) -> Fault:
    return rewritten(lambda body: body[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}")


def with_token(text: str) -> Fault:
    """The real token with something in it that does not belong there."""
    def fault(connection, real):
        reply = real()
        reply.members["access_token"] = reply.members["access_token"][:40] + text + reply.members["access_token"][40:]
        connection.send(reply.message)
    return fault


def by_its_own_clock(connection, real) -> None:
    """The real token alone, by a server that says what its clock is."""
    token = json.dumps({"access_token": real().members["access_token"]})
    says(200, token, JSON, f"Date: {date(0)}")(connection, real)


def half(reply) -> bytes:
    return reply.message[: len(reply.message) - 20]


ROWS = {
    # Redirects: the secret goes nowhere else.
    **{f"redirect-{status}": redirected(status) for status in (301, 302, 303, 307, 308)},
    "redirect-300": redirected(300),
    "redirect-304": redirected(304),

    # Refusals with an OAuth error: RFC 6749 section 5.2, 4.1.2.1, RFC 8707 section 2.
    "invalid_request": refused(400, "invalid_request", "https://api.example"),
    "invalid_client": refused(401, "invalid_client", "Compare client_id and client_secret of credentials.invalid_client"),
    "invalid_client-as-400": refused(400, "invalid_client", "Compare client_id and client_secret"),
    "invalid_grant": refused(400, "invalid_grant", "client credentials grant"),
    "unauthorized_client": refused(400, "unauthorized_client", "client credentials grant for https://api.example"),
    "unsupported_grant_type": refused(400, "unsupported_grant_type", "client credentials grant"),
    "invalid_scope": refused(400, "invalid_scope", "scopes"),
    "invalid_target": refused(400, "invalid_target", "knows the audience https://api.example"),
    "access_denied": refused(403, "access_denied", "client credentials grant"),
    "temporarily_unavailable": refused(400, "temporarily_unavailable", "retries by itself"),
    "an-error-of-its-own": refused(400, "quota_exceeded", "against what"),
    "error-with-200": refused(200, "invalid_client", "Compare client_id and client_secret"),
    "error-with-more": refused(400, "invalid_scope", "scopes", error_uri="https://x.example", extra={"a": [1]}),
    "apigee": Row(says(401, {"ErrorCode": "invalid_client", "Error": "Client identifier is required"}), 502, "token_refused",
                  "responded with invalid_client .*It says: .?Client identifier is required", "Compare client_id and client_secret"),
    "apigee-with-200": Row(says(200, {"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"}), 502, "token_refused",
                           "responded with invalid_client .*ClientId is Invalid", "Compare client_id and client_secret"),
    "okta": Row(says(401, {"errorCode": "invalid_client", "errorSummary": "Invalid value for 'client_id' parameter.",
                           "errorLink": "invalid_client", "errorId": "oaejDJuWCiRTQeH8n6WG2116A", "errorCauses": []}), 502,
                "token_refused", "responded with invalid_client .*Invalid value for 'client_id' parameter", "Compare client_id"),
    "okta-not-found": Row(says(404, {"errorCode": "E0000022", "errorSummary": "The endpoint does not support the method."}), 502,
                          "token_refused", "responded with E0000022 .*does not support the method", "no token endpoint at"),
    "salesforce": refused(400, "invalid_client_id", "Compare client_id and client_secret"),
    "cognito": Row(says(400, {"error": "invalid_client"}), 502, "token_refused", "responded with invalid_client for", "Compare client_id"),
    "entra": refused(400, "invalid_resource", "knows the audience https://api.example",
                     error_codes=[500011], timestamp="2026-11-30 12:00:00Z"),
    "auth0": refused(403, "access_denied", "client credentials grant for https://api.example"),
    "kinde": refused(400, "invalid_audience", "knows the audience https://api.example"),
    "spring": Row(says(401, {"timestamp": "2026-11-30", "status": 401, "error": "Unauthorized", "message": "Bad credentials"}),
                  502, "token_refused", "responded with Unauthorized .*It says: .?Bad credentials", "Compare client_id"),
    "gateway": Row(says(403, {"message": "Forbidden"}), 502, "token_refused",
                   "with status 403 and no OAuth error.*It says: .?Forbidden", "firewall in front"),
    "wso2-gateway": Row(says(401, {"code": "900901", "message": "Invalid Credentials"}), 502, "token_refused",
                        "with status 401 and no OAuth error.*It says: .?Invalid Credentials", "Compare client_id"),
    "ping": refused(401, "invalid_client", "Compare client_id and client_secret"),
    "google": Row(says(401, {"error": "invalid_client", "error_description": "The OAuth client was not found."}), 502,
                  "token_refused", "responded with invalid_client .*The OAuth client was not found", "Compare client_id"),
    "upper-case": refused(400, "INVALID_SCOPE", "scopes"),
    "error-in-a-header-only": Row(says(401, b"", 'WWW-Authenticate: Bearer error="invalid_client"'), 502,
                                  "token_refused", "status 401 and no OAuth error", "Compare client_id"),

    # Refusals without.
    "400-empty": plainly_refused(400, "against what", b""),
    "400-html": plainly_refused(400, "against what", "<html>Bad Request</html>"),
    "400-truncated": plainly_refused(400, "against what", '{"error": "invalid_cl'),
    "400-number": plainly_refused(400, "against what", '{"error": 7}'),
    "400-list": plainly_refused(400, "against what", '["invalid_client"]'),
    "400-duplicate": plainly_refused(400, "against what", '{"error": "a", "error": "b"}'),
    "400-long": plainly_refused(400, "against what", b'{"error": "' + b"x" * 140_000 + b'"}'),
    "401-plain": plainly_refused(401, "Compare client_id and client_secret"),
    "403-plain": plainly_refused(403, "a firewall in front of"),
    "404-plain": plainly_refused(404, "no token endpoint at this address"),
    "405-plain": plainly_refused(405, "no token endpoint at this address"),
    "410-plain": plainly_refused(410, "no token endpoint at this address"),
    "418-plain": plainly_refused(418, "against what"),
    "400-retry-after": Row(says(400, b"no", "Retry-After: 9"), 502, "token_refused", "status 400", "against what"),

    # Trouble at the server: once more at once, unless it asks to be left alone.
    **{f"status-{status}": failed(status) for status in (500, 501, 502, 503, 504, 599)},
    "500-html": failed(500, body=b"<html>Internal Server Error</html>"),
    "500-oauth": failed(500, JSON, body=b'{"error": "server_error"}'),
    "503-retry-after": failed(503, "Retry-After: 8", asked=1, retry_after=(8, 8)),
    "503-retry-after-date": Row(until(120), 503, "token_server_error", "status 503", "retries by itself", 1, (60, 120)),
    "503-retry-after-0": failed(503, "Retry-After: 0"),
    "503-retry-after-nonsense": failed(503, "Retry-After: in a minute"),
    "503-ratelimit-reset": failed(503, "RateLimit-Reset: 8"),
    "500-endless": Row(endless(lambda reply: start(reply, b"").replace(b"200 OK", b"500 Oh"), b"x" * 4096), 503,
                       "token_server_error", "status 500", "retries by itself", 2, SOON),

    # 429 is never answered with another request.
    "429": throttled(),
    "429-retry-after": throttled("Retry-After: 7", retry_after=(7, 7)),
    "429-reset": throttled("RateLimit-Reset: 9", retry_after=(9, 9)),
    "429-both": throttled("RateLimit-Reset: 99", "Retry-After: 5", retry_after=(5, 5)),
    "429-retry-after-nonsense": throttled("Retry-After: soon"),
    "429-retry-after-negative": throttled("Retry-After: -5"),
    "429-retry-after-fraction": throttled("Retry-After: 1.5"),
    "429-retry-after-empty": throttled("Retry-After:"),
    "429-nonsense-and-reset": throttled("Retry-After: soon", "RateLimit-Reset: 6", retry_after=(6, 6)),
    "429-zero": throttled("Retry-After: 0"),
    "429-an-hour": throttled("Retry-After: 3600", retry_after=(300, 300)),
    "429-beyond-64-bits": throttled("Retry-After: 99999999999999999999", retry_after=(300, 300)),
    "429-reset-as-a-date-of-unix": throttled("RateLimit-Reset: 1800000000", retry_after=(300, 300)),
    "429-reset-nonsense": throttled("RateLimit-Reset: limit=10, window=60"),
    "429-date": Row(dated(20), 503, "token_throttled", "status 429", "a client of its own", 1, (20, 20)),
    "429-date-that-has-passed": Row(dated(-20), 503, "token_throttled", "status 429", "a client of its own", 1, SOON),
    "429-oauth": Row(says(429, {"error": "slow_down"}, "Retry-After: 3"), 503, "token_throttled", "status 429",
                     "a client of its own", 1, (3, 3)),

    # Other statuses.
    "204": passing(says(204), "an empty body", issued=0),
    "206": passing(says(206, b"{}", JSON), "JSON without a valid access_token", issued=0),

    # A 200 that is no token: once more at once, where that may help.
    "empty": passing(says(200, b"", JSON), "an empty body", issued=0),
    "spaces": passing(says(200, b"  \r\n ", JSON), "not complete JSON"),
    "html": passing(says(200, "<html>Sign in</html>", "Content-Type: text/html"), "a web page", issued=0),
    "html-said-to-be-json": passing(says(200, "\n<!doctype html><p>Sign in", JSON), "a web page", issued=0),
    "text": passing(says(200, "OK"), "not complete JSON"),
    "form": passing(rewritten(lambda body: b"access_token=" + json.loads(body)["access_token"].encode()),
                    "not complete JSON"),
    "truncated": passing(rewritten(lambda body: body[:-20]), "not complete JSON"),
    "cut-in-the-token": passing(rewritten(lambda body: body[: body.index(b"access_token") + 60]), "not complete JSON"),
    "two-objects": passing(rewritten(lambda body: body + body), "not complete JSON"),
    "comment": passing(rewritten(lambda body: body + b" // here you are"), "not complete JSON"),
    "single-quotes": passing(rewritten(lambda body: body.replace(b'"', b"'")), "not complete JSON"),
    "utf-16": passing(rewritten(lambda body: body.decode().encode("utf-16"), "Content-Type: application/json;charset=utf-16"),
                      "not complete JSON"),
    "list": passing(rewritten(lambda body: b"[" + body + b"]"), "not an object", issued=0),
    "string": passing(rewritten(lambda body: json.dumps(body.decode()).encode()), "not an object", issued=0),
    "json-null": passing(says(200, "null", JSON), "not an object", issued=0),
    "no-token": passing(edited("access_token"), "JSON without a valid access_token", issued=0),
    "empty-token": passing(edited(access_token=""), "JSON without a valid access_token", issued=0),
    "null-token": passing(edited(access_token=None), "JSON without a valid access_token", issued=0),
    "number-token": passing(edited(access_token=7), "JSON without a valid access_token", issued=0),
    "nested-token": passing(lambda c, real: edited("access_token", data=real().members)(c, real), "JSON without a valid access_token",
                            issued=0),
    "token-twice": passing(rewritten(lambda body: body[:-1] + b', "access_token": "another-token-altogether"}'),
                           "a member twice"),
    "lifetime-twice": passing(rewritten(lambda body: body[:-1] + b', "expires_in": 1}'), "a member twice"),
    "deep": passing(nested(1_000), "not complete JSON"),
    "control-bytes": passing(rewritten(lambda body: body[:-1] + b', "x": "\x00\x01"}'), "not complete JSON"),

    # Content codings: what cannot be decoded has most likely been a token.
    "gzip-that-is-none": undecodable("gzip", lambda body: body),
    "gzip-cut-off": undecodable("gzip", lambda body: gzip.compress(body)[:60], "not complete JSON"),
    "gzip-with-a-wrong-checksum": undecodable("gzip", lambda body: gzip.compress(body)[:-8] + b"12345678"),
    "gzip-and-more": undecodable("gzip", lambda body: gzip.compress(body) + b"more", "behind the end"),
    "gzip-of-half-a-body": undecodable("gzip", lambda body: gzip.compress(body[:-20]), "not complete JSON"),
    "deflate-cut-off": undecodable("deflate", lambda body: zlib.compress(body)[:60], "not complete JSON"),
    "br-that-is-none": undecodable("br", lambda body: body),
    "zstd-that-is-none": undecodable("zstd", lambda body: body),
    "compress": undecodable("compress", lambda body: body),
    "a-coding-of-its-own": undecodable("x-private", lambda body: body),
    "six-codings": malformed(rewritten(lambda body: body, JSON, "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip"),
                             "cannot be decoded: .*more than 5 content encodings", "without a Content-Encoding", issued=1),
    "401-that-cannot-be-decoded": Row(says(401, b"text", "Content-Encoding: gzip"), 502, "token_refused",
                                      "status 401 and no OAuth error", "Compare client_id"),
    "503-that-cannot-be-decoded": failed(503, "Content-Encoding: gzip"),

    # Other protocols.
    "http2-without-tls": malformed(framed(lambda reply: SETTINGS), "HTTP/2 only, without TLS",
                                   r"Use https in credentials\.http2-without-tls\.token_endpoint"),
    "http2-that-refuses": malformed(framed(lambda reply: GOAWAY), "HTTP/2 only, without TLS", "Use https"),
    "tls-alert": malformed(framed(lambda reply: b"\x15\x03\x01\x00\x02\x02\x46"), "URL begins with http\\)", "Use https"),
    **{f"https-says-{name}": malformed(says(400, body), "URL begins with http\\)", "Use https") for name, body in {
        "nginx": "<title>400 The plain HTTP request was sent to HTTPS port</title>",
        "go": "Client sent an HTTP request to an HTTPS server.\n",
        "httpd": "You're speaking plain HTTP to an SSL-enabled server port.<br />"}.items()},
    "no-http": foreign(lambda reply: b"220 smtp.example ESMTP\r\n"),
    "no-http-and-no-end": foreign(lambda reply: b"220 smtp.example ESMTP\r\n", ends=False),
    "no-head": foreign(lambda reply: reply.body),
    "one-byte": foreign(lambda reply: b"x"),

    # A 200 that the server means: nothing is paid for twice.
    "too-long": malformed(rewritten(lambda body: body[:-1] + b', "x": "' + b"x" * 131_072 + b'"}'), "more than 128 KB",
                          issued=1),
    "endless": malformed(endless(lambda reply: start(reply, reply.body[:-1] + b', "x": "'), b"x" * 4096),
                         "more than 128 KB", issued=1),
    "endless-chunks": malformed(
        endless(lambda reply: start(reply, chunk(reply.body), "Transfer-Encoding: chunked"), chunk(b" " * 4096)),
        "more than 128 KB", issued=1),
    "mac": malformed(edited(token_type="MAC"), "token_type that is not Bearer", "Only Bearer tokens", issued=1),
    "dpop": malformed(edited(token_type="DPoP"), "token_type that is not Bearer", "Only Bearer tokens", issued=1),
    "n_a": malformed(edited(token_type="N_A"), "token_type that is not Bearer", "Only Bearer tokens", issued=1),
    "type-is-a-list": malformed(edited(token_type=["Bearer"]), "token_type that is not Bearer", "Only Bearer", issued=1),
    **{f"token-with-{name}": malformed(with_token(text), "bytes no header field may have", "[Ff]ormat", issued=1)
       for name, text in {"crlf": "\r\nX-Evil: 1", "lf": "\n", "cr": "\r", "nul": "\0", "space": " ", "tab": "\t",
                          "latin-1": "é", "euro": "€", "del": "\x7f", "lone-surrogate": "\ud800"}.items()},
    "token-of-40-kb": malformed(with_token("x" * 40_000), "longer than 32 KB", "fewer", issued=1),
    "token-that-has-expired": malformed(by_its_own_clock, "already expired", "clock", issued=1),

    # The connection.
    "closed-at-once": unreachable(framed(lambda reply: b""), "no connection to .*or it broke"),
    "reset-at-once": unreachable(then_reset(lambda reply: b""), "no connection to .*or it broke"),
    "reset-in-the-head": unreachable(then_reset(lambda reply: reply.message[:30]), "or it broke"),
    "reset-in-the-body": unreachable(then_reset(half), "or it broke"),
    "closed-in-the-body": unreachable(framed(half), "or it broke"),
    "closed-in-a-chunk": unreachable(
        framed(lambda reply: start(reply, chunk(reply.body)[:-9], "Transfer-Encoding: chunked")), "or it broke"),
    "bad-chunk": unreachable(
        framed(lambda reply: start(reply, b"zz\r\n" + reply.body, "Transfer-Encoding: chunked")), "or it broke"),
    "bad-length": unreachable(framed(lambda reply: start(reply, reply.body, "Content-Length: many")), "or it broke"),
    "endless-head": unreachable(endless(lambda reply: b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 4000 + b"\r\n"),
                                "or it broke: the head of the response is too long"),
    "endless-interim": unreachable(endless(lambda reply: b"", b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 500 + b"\r\n\r\n"),
                                   "or it broke"),

    # Time: it has its end however busy the endpoint looks.
    "silent": timed_out(silent),
    "trickled-head": timed_out(trickled(lambda reply: b"HTTP/1.1 200 OK\r\nX: ", b"x")),
    "trickled-body": timed_out(trickled(lambda reply: start(reply, reply.body[:-1]), b" ")),
    "trickled-interim": timed_out(trickled(lambda reply: b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "stops-in-the-body": timed_out(lambda connection, real: (connection.send(half(real())), connection.expect_close())),
}

TIMEOUT = {"silent", "trickled-head", "trickled-body", "trickled-interim", "stops-in-the-body"}


@pytest.fixture(scope="module")
def bench(binary, transcript, tmp_path_factory):
    bench = TokenBench(binary, tmp_path_factory.mktemp("token-faults"), transcript, list(ROWS))
    bench.layer.faults = {f"/{case}": row.fault for case, row in ROWS.items()}
    yield bench
    bench.stop()


@pytest.fixture(scope="module")
def hasty(binary, transcript, tmp_path_factory):
    """The same, with an end of patience that a test can wait for."""
    bench = TokenBench(binary, tmp_path_factory.mktemp("token-time"), transcript, sorted(TIMEOUT), timeout="400ms")
    bench.layer.faults = {f"/{case}": ROWS[case].fault for case in TIMEOUT}
    yield bench
    bench.stop()


def check(bench: TokenBench, case: str, row: Row, clients: int = CLIENTS) -> None:
    outcome = bench.run(case, clients)
    assert {answer.status for answer in outcome.answers} == {row.status}, outcome.problem
    problem = outcome.problem
    assert (problem["status"], problem["hop"], problem["route"]) == (row.status, "token", case)
    assert re.search(row.says, problem["detail"], re.S) and problem["title"], problem
    assert re.search(row.hint, problem["hint"]), problem
    for answer in outcome.answers:
        assert answer.value("content-type") == b"application/problem+json"
        status = answer.value("proxy-status")
        assert status.startswith(b'm2m-proxy; error=proxy_internal_response; details="token endpoint: '), status
        retry_after = answer.value("retry-after")
        if row.retry_after is None:
            assert retry_after is None
        else:
            assert row.retry_after[0] <= int(retry_after) <= row.retry_after[1]
    # One fetch for all of them, and one line about it.
    assert len(outcome.fetches) == 1, outcome.fetches
    [line] = outcome.fetches
    assert (line["level"], line["result"], line["error"], line["reason"]) == ("warning", "failed", row.error, "first")
    assert (line["detail"], line["hint"]) == (problem["detail"], problem["hint"])
    assert outcome.asked == row.asked
    assert bench.sample(f'm2m_proxy_token_fetches_total{{credentials="{case}",result="{row.error}"}}') == 1
    assert bench.sample(f'm2m_proxy_tokens_issued_total{{credentials="{case}"}}') == row.issued
    # Counted when the answer has been sent.
    poll(lambda: bench.sample(f'm2m_proxy_errors_total{{hop="token",kind="{row.error}",route="{case}"}}') == clients,
         "the count of all failures")
    assert not any(request.target == b"/orders" for request in bench.api.requests), "it was sent upstream"


@pytest.mark.parametrize("case", [case for case in ROWS if case not in TIMEOUT])
def test_a_reply_that_is_no_token(bench, case):
    bench.authlib.lifetime = -60 if case == "token-that-has-expired" else 3600
    check(bench, case, ROWS[case])


@pytest.mark.parametrize("case", sorted(TIMEOUT))
def test_a_reply_that_takes_too_long(hasty, case):
    check(hasty, case, ROWS[case], clients=1)
