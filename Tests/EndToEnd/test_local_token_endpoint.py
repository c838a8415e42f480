"""For libraries that insist on fetching a token: the proxy hands out a placeholder, and puts the real token in its place."""

import json
import subprocess
import time
from urllib.parse import urlencode

import jwt
import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from cryptography.hazmat.primitives.asymmetric import rsa
from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import UnsupportedGrantTypeError
from requests_oauthlib import OAuth2Session as RequestsOAuth2Session

from harness import content
from harness.callers import basic, with_password
from harness.client import get, post
from harness.origin import RawOrigin
from harness.proxy import clean_environment

SECRET = "the-applications-own-secret"
OWN, FOREIGN = "/api/oauth2/token", "login.internal/oauth2/token"
PLACEHOLDERS = "m2m_proxy_placeholder_tokens_total"


@pytest.fixture
def other():
    server = RawOrigin()
    yield server
    server.stop()


@pytest.fixture
def start(start_proxy, origin):
    def start(*routes, **more):
        settings = {key: more.pop(key) for key in ["listen", "limits"] if key in more}
        return start_proxy({"forward_to": origin.url, "token_endpoint": [OWN, FOREIGN], **more}, *routes, **settings)
    return start


@pytest.fixture
def proxy(start):
    return start()


def form(**parameters) -> bytes:
    defaults = {"grant_type": "client_credentials", "client_id": "app", "client_secret": SECRET}
    return urlencode({key: value for key, value in (defaults | parameters).items() if value is not None}).encode()


def ask(proxy, body: bytes = form(), target: str = OWN, *fields):
    """The status, and what the JSON of the answer says."""
    answer = proxy.connect().exchange(
        post(target, body, "Content-Type: application/x-www-form-urlencoded", *fields, host="127.0.0.1"))
    return answer, json.loads(answer.body)


def check_call(origin, authlib, placeholder):
    """The API was sent the real token, and the placeholder is not it."""
    sent = [request.value("authorization").decode() for request in origin.requests]
    assert sent and set(sent) == {f"Bearer {authlib.tokens[0]}"}
    assert placeholder not in sent[0]


# What real libraries do.

@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_fetches_a_placeholder_by_the_base_url_and_the_api_gets_the_real_token(proxy, origin, authlib, method):
    with OAuth2Session("app", SECRET, token_endpoint_auth_method=method, scope="read write") as session:
        session.trust_env = False
        token = session.fetch_token(f"{proxy.url}{OWN}")
        assert session.get(f"{proxy.url}/api/v1").text == "ok"
    assert (token["token_type"], token["scope"], token["expires_in"]) == ("Bearer", "read write", 3600)
    check_call(origin, authlib, token["access_token"])


def test_authlib_fetches_a_placeholder_through_the_proxy(proxy, origin, authlib):
    with OAuth2Session("app", SECRET) as session:
        session.trust_env = False
        session.proxies = {"http": proxy.url}
        token = session.fetch_token(f"http://{FOREIGN}")
        assert session.get("http://api.internal/v1").text == "ok"
    check_call(origin, authlib, token["access_token"])


def test_authlib_fetches_a_placeholder_inside_an_intercepted_tunnel(start_proxy, interception, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url, "tunnel": "intercept", "token_endpoint": FOREIGN},
                        interception=interception.settings)
    with OAuth2Session("app", SECRET) as session:
        session.trust_env = False
        session.proxies = {"https": proxy.url}
        session.verify = str(interception.file)
        token = session.fetch_token(f"https://{FOREIGN}")
        assert session.get("https://api.internal/v1").text == "ok"
        assert session.get("https://login.internal/other").status_code == 403
    check_call(origin, authlib, token["access_token"])


@pytest.mark.parametrize("through_proxy", [False, True], ids=["base-url", "proxy"])
def test_requests_oauthlib_fetches_a_placeholder(proxy, origin, authlib, monkeypatch, through_proxy):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with RequestsOAuth2Session(client=BackendApplicationClient("app", scope=["read"])) as session:
        session.trust_env = False
        session.proxies = {"http": proxy.url} if through_proxy else {}
        token = session.fetch_token(
            f"http://{FOREIGN}" if through_proxy else f"{proxy.url}{OWN}", client_secret=SECRET)
        answer = session.get("http://api.internal/v1" if through_proxy else f"{proxy.url}/api/v1")
    assert answer.text == "ok" and token["scope"] == ["read"]
    check_call(origin, authlib, token["access_token"])


def test_oauthlib_understands_the_refusal_of_another_grant(proxy, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with RequestsOAuth2Session(client=BackendApplicationClient("app")) as session:
        session.trust_env = False
        session._client.grant_type = "password"
        with pytest.raises(UnsupportedGrantTypeError):
            session.fetch_token(f"{proxy.url}{OWN}", client_secret=SECRET)


def test_curl_asks_with_basic_credentials(proxy):
    got = subprocess.run(
        ["curl", "-sS", "-u", f"app:{SECRET}", "-d", "grant_type=client_credentials", f"{proxy.url}{OWN}?tenant=a"],
        capture_output=True, text=True, check=True, env=clean_environment())
    assert json.loads(got.stdout)["token_type"] == "Bearer"


# What the placeholder is.

def test_the_placeholder_can_be_decoded_but_not_verified(proxy, authlib):
    answer, token = ask(proxy)
    assert answer.status == 200 and answer.value("cache-control") == b"no-store"
    assert answer.value("content-type") == b"application/json"
    assert "scope" not in token
    placeholder = token["access_token"]
    claims = jwt.decode(placeholder, options={"verify_signature": False})
    assert claims["iss"] == "m2m-proxy" and "aud" not in claims and "scope" not in claims
    assert 3500 < claims["exp"] - time.time() <= 3600
    assert jwt.get_unverified_header(placeholder)["alg"] != "none"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(placeholder, key, algorithms=["RS256"])
    assert len(placeholder.split(".")) == 3 and all(placeholder.split("."))
    # No token was fetched for it.
    assert authlib.fetches == []


# What is answered, and how.

def test_it_is_counted_and_logged_under_the_route_without_the_secret(proxy, authlib):
    client = proxy.connect()
    assert client.exchange(post(OWN, form())).status == 200
    assert client.exchange(post(f"{OWN}?client_secret={SECRET}", b"")).status == 400
    first, second = proxy.requests_logged(2)
    assert (first["route"], first["path"], first["status"], first["endpoint"]) == ("api", OWN, "200", "token")
    assert (second["status"], second["endpoint"], second["error"]) == ("400", "token", "token_request_malformed")
    assert "upstream" not in first and first["received"] == str(len(form()))
    assert proxy.sample(PLACEHOLDERS, route="api") == 1
    assert proxy.sample("m2m_proxy_requests_total", route="api", status="2xx") == 1
    # The hint says which form is wanted; nothing of the form that came is there.
    output = proxy.output.replace(second["hint"], "")
    assert SECRET not in output and "grant_type=" not in output


def test_the_connection_carries_on_behind_a_token_request(proxy, origin):
    client = proxy.connect()
    request = post(OWN, form())
    chunked = get(OWN, "Transfer-Encoding: chunked", method="POST") + content.chunked(form())
    client.send(request + chunked + get("/api/v1"))
    for _ in range(2):
        assert json.loads(client.answer().body)["token_type"] == "Bearer"
    assert client.answer().body == b"ok"
    assert [request.target for request in origin.requests] == [b"/v1"]


def test_a_body_that_arrives_in_pieces_is_waited_for(proxy):
    client = proxy.connect().send(post(OWN, form())[:-5])
    client.send(form()[-5:])
    assert client.answer().status == 200


def test_a_client_that_waits_for_100_gets_it(proxy):
    client = proxy.connect().send(get(OWN, "Expect: 100-continue", f"Content-Length: {len(form())}", method="POST"))
    assert client.reader.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.send(form()).answer().status == 200


def test_an_http_1_0_client_is_served_and_the_connection_ends(proxy):
    client = proxy.connect()
    client.send(get(OWN, f"Content-Length: {len(form())}", method="POST", version="1.0") + form())
    assert client.answer().status == 200
    client.expect_end()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
def test_another_method_is_refused_with_those_that_are_served(proxy, origin, method):
    answer = proxy.connect().exchange(get(OWN, method=method), method)
    assert (answer.status, answer.value("allow")) == (405, b"POST")
    assert proxy.requests_logged(1)[0]["error"] == "token_request_method"
    assert origin.requests == []


@pytest.mark.parametrize("body, error", [
    (form(grant_type="authorization_code"), "unsupported_grant_type"),
    (form(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer"), "unsupported_grant_type"),
    (form(grant_type='"\\\r\nX: y'), "unsupported_grant_type"),
    (form(grant_type=SECRET), "unsupported_grant_type"),
    (form(grant_type=None), "invalid_request"), (b"", "invalid_request"),
    (b'{"grant_type": "client_credentials"}', "invalid_request"),
    (form() + b"&grant_type=client_credentials", "invalid_request"),
])
def test_a_refusal_is_one_that_oauth_libraries_read(proxy, body, error):
    answer, problem = ask(proxy, body)
    assert answer.status == 400 and answer.value("content-type") == b"application/json"
    assert answer.value("cache-control") == b"no-store"
    assert problem["error"] == error and problem["hint"]
    assert not set(problem["error_description"]) & {'"', "\\"}
    assert SECRET not in answer.body.decode() + proxy.output


@pytest.mark.parametrize("announced", [True, False])
def test_content_beyond_the_limit_is_refused(proxy, announced):
    body = form() + b"&padding=" + b"x" * (64 * 1024)
    client = proxy.connect()
    if announced:
        client.send(get(OWN, f"Content-Length: {len(body)}", method="POST"))
    else:
        client.send(get(OWN, "Transfer-Encoding: chunked", method="POST") + content.chunked(body))
    assert client.answer().status == 413
    assert proxy.requests_logged(1)[0]["error"] == "token_request_too_large"


def test_content_up_to_the_limit_is_read(proxy):
    body = form() + b"&padding="
    answer, token = ask(proxy, body + b"x" * (64 * 1024 - len(body)))
    assert answer.status == 200


@pytest.mark.parametrize("scope, said", [("read:a write:b", "read:a write:b"), ('a"b', None), ("a\\b", None),
                                         ("a\r\nb", None), ("ä", None), ("x" * 5000, None)])
def test_scopes_are_returned_if_there_are_any(proxy, scope, said):
    answer, token = ask(proxy, form(scope=scope))
    assert answer.status == 200 and token.get("scope") == said


def test_the_wait_for_a_missing_body_is_bounded(start):
    proxy = start(timeouts={"body": "200ms"})
    answer = proxy.connect().exchange(post(OWN, form())[:-5])
    assert answer.status == 408


# Where it is, and for whom.

@pytest.mark.parametrize("target, status", [
    (OWN, 200), (f"{OWN}?x=y", 200), (f"http://{FOREIGN}", 200), (f"http://LOGIN.internal.:80/oauth2/token?x", 200),
    (f"http://{FOREIGN}/", 403), ("http://login.internal:8080/oauth2/token", 403), ("/oauth2/token", 403),
    ("http://login.internal/", 403),
])
def test_it_is_at_exactly_these_places(proxy, origin, target, status):
    answer, _ = ask(proxy, form(), target)
    assert answer.status == status and origin.requests == []


def test_the_proxys_own_address_in_the_target_is_as_good_as_the_path(proxy):
    assert ask(proxy, form(), f"{proxy.url}{OWN}")[0].status == 200


def test_what_lies_beside_it_goes_to_the_api(proxy, origin):
    for target in [f"{OWN}/", f"{OWN}s", "/api/oauth2"]:
        assert proxy.connect().exchange(post(target, form())).status == 200
    assert [request.target for request in origin.requests] == [b"/oauth2/token/", b"/oauth2/tokens", b"/oauth2"]


def test_it_wins_over_the_routes_for_the_same_place(other, start):
    proxy = start({"name": "login", "match": FOREIGN, "mount": f"{OWN}", "forward_to": other.url})
    for target in [f"http://{FOREIGN}", OWN]:
        assert ask(proxy, form(), target)[1]["token_type"] == "Bearer"
    assert proxy.connect().exchange(post(f"http://{FOREIGN}/x", b"")).status == 200
    assert [request.target for request in other.requests] == [b"/oauth2/token/x"]


def test_the_rules_of_the_route_about_what_is_forwarded_are_not_for_it(start):
    proxy = start(methods=["GET"], paths=["/v1/"])
    assert ask(proxy)[0].status == 200
    assert proxy.connect().exchange(post("/api/v1/", b"")).status == 405


def test_only_callers_of_the_route_get_its_placeholder(start, authlib):
    proxy = start(allow=["10.0.0.0/8"])
    answer, problem = ask(proxy)
    assert answer.status == 403 and "error" not in problem and "access_token" not in problem
    assert proxy.requests_logged(1)[0]["error"] == "client_address_route"


def test_the_callers_of_the_route_are_those_of_its_endpoint(start_proxy, origin, interception):
    proxy = start_proxy(
        {"forward_to": origin.url, "token_endpoint": [OWN, FOREIGN], "tunnel": "intercept", "callers": ["billing"]},
        callers={"billing": with_password("a-password-of-theirs")}, interception=interception.settings)
    answer, _ = ask(proxy, form(), f"http://{FOREIGN}")
    assert answer.status == 407
    line = basic("billing", "a-password-of-theirs")
    assert ask(proxy, form(), f"http://{FOREIGN}", line)[0].status == 200
    # Inside the tunnel it would be too late to ask.
    connect = proxy.connect().exchange(get("login.internal:443", host="login.internal:443", method="CONNECT"), "CONNECT")
    assert connect.status == 407
    assert [line.get("caller") for line in proxy.requests_logged(3)].count("billing") == 1


def test_the_rules_of_the_listener_are_for_it_too(start):
    proxy = start(listen=[{"address": "127.0.0.1:0", "allow": ["10.0.0.0/8"]}])
    assert ask(proxy)[0].status == 403


def test_a_web_page_gets_none(proxy):
    assert ask(proxy, form(), OWN, "Origin: http://evil.example")[0].status == 403
    assert ask(proxy, form(), OWN, "Sec-Fetch-Site: cross-site")[0].status == 403


def test_a_placeholder_does_not_bypass_the_rules_of_the_route(start, origin):
    _, token = ask(start())
    proxy = start(allow=["10.0.0.0/8"])
    answer = proxy.connect().exchange(get("/api/v1", f"Authorization: Bearer {token['access_token']}"))
    assert answer.status == 403 and origin.requests == []


def test_check_says_where_it_is(proxy, binary):
    got = subprocess.run([binary, "check", "--config", "proxy.conf"], cwd=proxy.directory, capture_output=True,
                         text=True, env=clean_environment(CLIENT_SECRET="x"))
    assert f"placeholders at {OWN} {FOREIGN}" in got.stdout + got.stderr
