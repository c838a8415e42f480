"""What leads from a failed request to its cause: `hint=` in the log, and the identifier that all sides have."""

import json
import re

import pytest

from harness.client import get

SCOPE = 'Bearer error="insufficient_scope", scope="orders:write orders:read"'
INVALID = 'Bearer error="invalid_token"'


@pytest.fixture
def refused(start_proxy, origin, authlib):
    """The log line of a request that the API rejects with `status`, and `challenge` if it has one."""

    def refused(status: str, challenge: str | None = None, *fields: str, **route) -> dict:
        def refuse(connection):
            while not connection.at_end():
                connection.request()
                connection.answer(b"no", status, *([f"WWW-Authenticate: {challenge}"] if challenge else []))

        origin.otherwise = refuse
        proxy = start_proxy({"forward_to": origin.url} | route)
        answer = proxy.connect().exchange(get("http://api.internal/", *fields))
        assert (answer.status, answer.body) == (int(status.split()[0]), b"no")
        [line] = proxy.requests_logged(1)
        assert "error" not in line
        return line

    return refused


def test_a_missing_scope_names_the_scopes_and_where_to_assign_them(refused):
    line = refused("403 Forbidden", SCOPE, scopes="read:orders")
    assert line["api_error"] == "insufficient_scope"
    assert "the scopes orders:write orders:read" in line["hint"] and "add them to scopes in route api, line" in line["hint"]


def test_without_scopes_in_the_route_they_are_assigned_to_the_client_alone(refused):
    assert "Assign the scopes orders:write orders:read to the client at" in refused("403 Forbidden", SCOPE)["hint"]


@pytest.mark.parametrize("challenge", [INVALID, None, "Basic realm=x"])
def test_a_token_that_is_not_accepted_names_the_audience(refused, challenge):
    hint = refused("401 Unauthorized", challenge)["hint"]
    assert "does not accept tokens of" in hint and "Compare audience in route api, line" in hint


def test_a_403_without_a_reason_names_both_that_are_likely(refused):
    hint = refused("403 Forbidden")["hint"]
    assert "If a scope is missing" in hint and "the API's own rules" in hint


@pytest.mark.parametrize(("status", "fields", "expected"), [
    ("401 Unauthorized", [], "The API wants credentials, and the route api has none"),
    ("403 Forbidden", [], "the route api adds no token"),
    ("401 Unauthorized", ["Authorization: Basic eDp5"], "the credentials that the application sent itself"),
])
def test_of_a_route_without_a_token_the_route_or_the_application_is_named(refused, status, fields, expected):
    assert expected in refused(status, None, *fields, credentials="none", audience=None)["hint"]


def test_what_the_api_repeats_of_the_token_is_not_shown(start_proxy, origin):
    def repeat(connection):
        token = connection.request().value("authorization").decode().removeprefix("Bearer ")
        connection.answer(b"no", "403 Forbidden", f'WWW-Authenticate: Bearer error="insufficient_scope", scope="{token}"')
        connection.expect_close()

    origin.script(repeat)
    proxy = start_proxy({"forward_to": origin.url})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 403
    [line] = proxy.requests_logged(1)
    # The response may name the token to the client; the log never does.
    assert origin.requests[0].value("authorization").decode().removeprefix("Bearer ") not in str(line)
    assert "api_error" not in line and "hint" in line


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Internal Server Error"])
def test_other_responses_of_the_api_have_no_hint(refused, status):
    assert "hint" not in refused(status)


def identifiers(proxy, client, count: int, *fields: str) -> str:
    """What the log calls the next request."""
    client.exchange(get("http://api.internal/", *fields))
    return proxy.requests_logged(count)[-1]["request_id"]


def test_a_request_has_the_identifier_of_its_client_or_one_of_its_own(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, loops=1)
    client = proxy.connect()
    plain = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
    assert identifiers(proxy, client, 1, f"X-Request-ID: {plain}") == plain
    made = [identifiers(proxy, client, 2), identifiers(proxy, client, 3),
            identifiers(proxy, client, 4, "X-Request-Id: has space"), identifiers(proxy, client, 5, "X-Request-Id: " + "a" * 129),
            identifiers(proxy, client, 6, "X-Request-Id: a", "X-Request-Id: b"), identifiers(proxy, client, 7, "X-Request-Id:")]
    assert len(set(made)) == 6 and all(re.fullmatch("[0-9a-f]{16}", one) for one in made)
    # Without `forward` the upstream gets what the client has sent.
    assert [request.values("x-request-id") for request in origin.requests[:4]] == [[plain.encode()], [], [], [b"has space"]]


def test_the_upstream_is_told_the_identifier_where_the_route_says_so(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "request_id": "forward"}, loops=1)
    client = proxy.connect()
    for count, fields in enumerate([[], ["X-Request-Id: mine"], ["X-Request-Id: a", "X-Request-Id: b"], ["x-request-id: a b"]], 1):
        logged = identifiers(proxy, client, count, *fields)
        assert origin.requests[-1].values("x-request-id") == [logged.encode()]
        assert (logged == "mine") == (fields == ["X-Request-Id: mine"])


def test_an_error_response_names_the_request(start_proxy, refusing_port):
    proxy = start_proxy({"forward_to": f"http://127.0.0.1:{refusing_port}"}, log={"format": "json"})
    answer = proxy.connect().exchange(get("http://api.internal/"))
    problem = json.loads(answer.body)
    assert answer.status == 502 and f'request_id="{problem["request_id"]}"'.encode() in answer.value("proxy-status")
    proxy.log.wait_for('"event":"request"')
    [line] = [json.loads(line) for line in proxy.log.lines if '"event":"request"' in line]
    assert (line["request_id"], line["hint"]) == (problem["request_id"], problem["hint"])
