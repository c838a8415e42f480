"""The Sandbox as real clients see it: Authlib requests tokens, PyJWT checks them with the published keys."""

import signal
import socket

import jwt
import pytest

from harness.sandbox import Sandbox
from harness.waiting import PATIENCE, poll


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_a_token_verifies_with_the_published_key(sandbox, method):
    answer = sandbox.fetch_token(method)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    token = answer["access_token"]
    discovery = sandbox.http.get(
        sandbox.addresses["authorization_server"] + "/.well-known/openid-configuration", timeout=PATIENCE).json()
    assert discovery["jwks_uri"] == sandbox.addresses["jwks"]
    assert discovery["token_endpoint"] == sandbox.addresses["token_endpoint"]
    keys = jwt.PyJWKSet.from_dict(sandbox.http.get(discovery["jwks_uri"], timeout=PATIENCE).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience="api.sandbox", issuer=discovery["issuer"],
        options={"require": ["aud", "azp", "exp", "iat", "iss", "jti"]})
    assert claims["aud"] == ["api.sandbox"]
    assert claims["azp"] == "demo-application"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["gty"] == ["client_credentials"]
    assert (claims["scope"], claims["scp"]) == ("read:orders", ["read:orders"])


@pytest.mark.parametrize("parameters, error", [
    ({"client_secret": "wrong"}, "invalid_client"),
    ({"client_id": "other"}, "invalid_client"),
    ({"audience": "reports.sandbox"}, "unauthorized_client"),
    ({"audience": ""}, "invalid_request"),
    ({"scope": "read:nothing"}, "invalid_scope"),
    ({"scope": "write:orders"}, "invalid_scope"),
    ({"grant_type": "password"}, "invalid_request"),
])
def test_refusals_are_those_of_the_documentation(sandbox, parameters, error):
    form = {
        "grant_type": "client_credentials", "client_id": "demo-application", "client_secret": "demo-secret",
        "audience": "api.sandbox", "scope": "read:orders",
    }
    answer = sandbox.http.post(sandbox.addresses["token_endpoint"], data=form | parameters, timeout=PATIENCE)
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]
    assert "WWW-Authenticate" not in answer.headers


def test_a_wrong_secret_in_the_authorization_field_is_challenged(sandbox):
    form = {"grant_type": "client_credentials", "audience": "api.sandbox"}
    answer = sandbox.http.post(
        sandbox.addresses["token_endpoint"], data=form, auth=("demo-application", "wrong"), timeout=PATIENCE)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_the_api_wants_the_right_token(sandbox):
    token = sandbox.fetch_token()["access_token"]
    assert sandbox.call("/v1/orders", token).json()["orders"]
    assert sandbox.call("/v1/orders").status_code == 401
    head, payload, signature = token.split(".")
    assert sandbox.call("/v1/orders", f"{head}.{payload}.{signature[::-1]}").status_code == 401
    missing_scope = sandbox.call("/v1/orders", token, "POST", data=b"{}")
    assert missing_scope.status_code == 403
    assert 'error="insufficient_scope"' in missing_scope.headers["WWW-Authenticate"]
    management = sandbox.fetch_token(
        audience=sandbox.addresses["management_audience"], scope="read:organizations")["access_token"]
    assert sandbox.call("/api/v1/organizations", management).status_code == 200
    assert sandbox.call("/api/v1/organizations", token).status_code == 401
    assert sandbox.call("/v1/orders", management).status_code == 401
    assert sandbox.call("/sandbox/stats").json() == {
        "tokens_issued": 2, "tokens_refused": 0, "api_requests": 7, "api_refused": 5}


def test_the_echo_shows_what_was_received(sandbox):
    body = b"x" * 3_000_000
    answer = sandbox.call("/echo/a%20b?c=d&e", method="PUT", data=body, headers={"X-One": "1", "Accept": "a/b"}).json()
    assert (answer["method"], answer["target"]) == ("PUT", "/echo/a%20b?c=d&e")
    assert answer["body_length"] == len(body)
    assert {"name": "X-One", "value": "1"} in answer["fields"]
    assert "token" not in answer


def test_a_token_expires(start_sandbox):
    sandbox = start_sandbox("--lifetime", "2", "--organization", "org_1")
    token = sandbox.fetch_token()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["org_code"] == "org_1"
    assert sandbox.call("/v1/orders", token).status_code == 200
    poll(lambda: sandbox.call("/v1/orders", token).status_code == 401, "the end of a token of two seconds")
    assert "expired" in sandbox.call("/v1/orders", token).headers["WWW-Authenticate"]


@pytest.mark.parametrize("failure, status", [
    ("invalid_client", 401), ("unauthorized_client", 400), ("invalid_scope", 400), ("invalid_request", 400),
    ("rate_limited", 429), ("server_error", 500),
])
def test_it_fails_as_fail_says(start_sandbox, failure, status):
    sandbox = start_sandbox("--fail", failure)
    answer = sandbox.http.post(sandbox.addresses["token_endpoint"], data={}, timeout=PATIENCE)
    assert answer.status_code == status
    if status < 429:
        assert answer.json()["error"] == failure


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_peace(sandbox, number):
    sandbox.call("/echo")
    assert sandbox.end(number) == 0


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sandbox = Sandbox("--api-port", str(port))
        assert sandbox.process.wait(PATIENCE) == 1
        assert f"cannot listen on 127.0.0.1:{port}" in sandbox.output.wait_for_end()
