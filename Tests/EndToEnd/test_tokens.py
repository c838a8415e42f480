"""Tokens from a real OAuth server: fetched once, shared, and asked for as the standard says."""

import time

import jwt
import pytest

from harness.client import get
from harness.waiting import poll


def bearer(request) -> str:
    scheme, token = request.value("authorization").decode().split(" ")
    assert scheme == "Bearer"
    return token


def test_two_hundred_requests_at_once_share_one_fetch_and_all_wait_for_it(proxy, origin, authlib):
    authlib.hold()
    clients = [proxy.connect().send(get(f"http://api.internal/{number}")) for number in range(200)]
    poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 200, "200 requests that wait for a token")
    assert origin.requests == []
    authlib.release()
    assert [client.answer().status for client in clients] == [200] * 200
    assert len(authlib.fetches) == 1
    assert {bearer(request) for request in origin.requests} == set(authlib.tokens)


def test_a_token_is_fetched_only_when_a_request_needs_it(proxy, authlib):
    assert proxy.connect().exchange(get("http://nowhere.internal/")).status == 403
    assert authlib.fetches == []
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert len(authlib.fetches) == 1


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
@pytest.mark.parametrize("secret", [
    "plain-and-long-enough", "+/=&:%7E?\"'\\ends-here", "with-a space", "beyond-ASCII-ö€",
])
def test_the_client_authenticates_as_configured(start_proxy, origin, authlib, method, secret):
    authlib.client.methods = {method}
    # RFC 6749 section 2.3.1: what goes into Basic is form-encoded first.
    authlib.client.secret = authlib.transcript.keep_secret(secret)
    credential = authlib.credential(authentication=method)
    proxy = start_proxy({"forward_to": origin.url}, credentials={"kinde": credential})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert [fetch.authentication for fetch in authlib.fetches] == [method]
    assert ("client_secret" in authlib.fetches[0].form) == (method == "client_secret_post")


def test_a_fetch_sends_grant_audience_and_scopes_as_a_form(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url, "scopes": ["read:orders", "write:orders"]})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    fetch = authlib.fetches[0]
    assert fetch.fields["Content-Type"].split(";")[0] == "application/x-www-form-urlencoded"
    assert fetch.form == {
        "grant_type": ["client_credentials"], "client_id": [authlib.client.identifier],
        "client_secret": [authlib.client.secret], "audience": ["https://api.example"],
        "scope": ["read:orders write:orders"]}


def test_without_scopes_none_is_sent(proxy, authlib):
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert "scope" not in authlib.fetches[0].form


def test_routes_that_ask_for_the_same_share_a_token_and_others_have_their_own(start_proxy, origin, authlib):
    def route(name: str, **more):
        return {"name": name, "match": f"{name}.internal", "mount": f"/{name}", "forward_to": origin.url, **more}

    proxy = start_proxy(
        route("a", scopes=["read:orders", "write:orders"]), route("b", scopes=["write:orders", "read:orders"]),
        route("c", scopes=["read:orders"]), route("d", audience="https://other.example", scopes=["read:orders"]))
    client = proxy.connect()
    for name in "abcdabcd":
        assert client.exchange(get(f"http://{name}.internal/{name}")).status == 200
    tokens = {request.target.decode()[1]: bearer(request) for request in origin.requests}
    assert tokens["a"] == tokens["b"] and len(set(tokens.values())) == 3
    assert len(authlib.fetches) == 3
    assert {fetch.audience for fetch in authlib.fetches} == {"https://api.example", "https://other.example"}


def test_an_audience_set_on_the_credential_is_the_routes_default(start_proxy, origin, authlib):
    credential = authlib.credential(audience="https://default.example")
    proxy = start_proxy(
        {"forward_to": origin.url, "audience": "https://own.example"},
        {"name": "b", "match": "b.internal", "mount": "/b", "forward_to": origin.url, "audience": None},
        credentials={"kinde": credential})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert proxy.connect().exchange(get("http://b.internal/")).status == 200
    assert [fetch.audience for fetch in authlib.fetches] == ["https://own.example", "https://default.example"]


def test_an_opaque_token_is_used_as_it_is(proxy, origin, authlib):
    authlib.opaque = True
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert bearer(origin.requests[0]) == authlib.tokens[0]


def test_an_expired_token_is_never_sent_and_a_new_one_is_fetched(proxy, origin, authlib):
    authlib.lifetime = 2
    client = proxy.connect()
    arrived: list[float] = []

    def note(connection):
        while not connection.at_end():
            connection.request()
            arrived.append(time.time())
            connection.answer()

    origin.otherwise = note
    deadline = time.monotonic() + 20
    while len(set(map(bearer, origin.requests))) < 3:
        assert time.monotonic() < deadline, "the token was never renewed"
        assert client.exchange(get("http://api.internal/")).status == 200
    for request, when in zip(origin.requests, arrived):
        claims = jwt.decode(bearer(request), options={"verify_signature": False})
        assert when < claims["exp"], "an expired token was sent"


ODD_LIFETIMES = {"missing": None, "a string": "3600", "a fraction": 3599.5, "huge": 10**18,
                 "a word": "soon", "null": "null", "a list": [3600]}


@pytest.mark.parametrize("case", ODD_LIFETIMES)
def test_an_odd_lifetime_never_causes_a_fetch_for_each_request(proxy, authlib, case):
    authlib.opaque = True

    def odd(reply: dict) -> dict:
        value = ODD_LIFETIMES[case]
        return {**{k: v for k, v in reply.items() if k != "expires_in"},
                **({} if case == "missing" else {"expires_in": None if value == "null" else value})}

    authlib.edit = odd
    client = proxy.connect()
    assert {client.exchange(get("http://api.internal/")).status for _ in range(20)} == {200}
    assert len(authlib.fetches) <= 2


@pytest.mark.parametrize("lifetime", [0, -5])
def test_tokens_that_are_over_at_once_are_fetched_once_a_second_and_serve_every_request(proxy, authlib, lifetime):
    authlib.opaque = True
    authlib.edit = lambda reply: reply | {"expires_in": lifetime}
    began = time.monotonic()
    client = proxy.connect()
    assert [client.exchange(get("http://api.internal/")).status for _ in range(4)] == [200] * 4
    # The first one at once, and each further one a second after the one before.
    assert len(authlib.fetches) == 4
    assert time.monotonic() - began >= 2.9


def test_unknown_members_of_a_token_reply_and_a_lower_case_type_are_accepted(proxy, authlib):
    authlib.edit = lambda reply: {"extra": {"a": [1, {"b": None}]}, **reply, "token_type": "bearer", "scope": ""}
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
