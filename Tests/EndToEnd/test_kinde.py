"""The proxy with `provider: kinde` between an application that knows nothing of OAuth and the Sandbox."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.client import get
from harness.proxy import clean_environment
from harness.sandbox import BINARY

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start_kinde(start_sandbox, start_proxy):
    """A sandbox, and a proxy whose routes `orders` and `management` lead to it."""

    def start(*arguments: str, **route):
        sandbox = start_sandbox(*arguments)
        credential = {
            "provider": "kinde", "domain": "acme.kinde.com", "token_endpoint": sandbox.addresses["token_endpoint"],
            "client_id": "demo-application", "client_secret": "${CLIENT_SECRET}"}
        orders = {
            "name": "orders", "match": "orders.internal", "mount": "/orders", "forward_to": sandbox.addresses["api"],
            "audience": "api.sandbox", "scopes": ["read:orders"]}
        management = {
            "name": "management", "match": "acme.kinde.com/api/", "mount": None,
            "forward_to": sandbox.addresses["api"], "audience": sandbox.addresses["management_audience"],
            "scopes": ["read:organizations"]}
        proxy = start_proxy(
            orders | route, management, credentials={"kinde": credential},
            environment={"CLIENT_SECRET": "demo-secret"})
        return sandbox, proxy

    return start


def test_the_api_accepts_the_token_that_the_proxy_adds(start_kinde):
    sandbox, proxy = start_kinde()
    client = proxy.connect()
    for target in ("http://orders.internal/v1/orders", "/orders/v1/orders"):
        assert client.exchange(get(target, host="orders.internal")).status == 200
    assert client.exchange(get("http://acme.kinde.com/api/v1/organizations")).status == 200
    stats = sandbox.call("/sandbox/stats").json()
    assert stats["tokens_issued"] == 2


@pytest.mark.parametrize(
    ("arguments", "route", "code", "hint"),
    [
        (["--fail", "unauthorized_client"], {}, "unauthorized_client", "APIs"),
        (["--client-secret", "rotated"], {}, "invalid_client", "client secret"),
        ([], {"scopes": ["delete:orders"]}, "invalid_scope", "scope"),
        ([], {"audience": "reports.sandbox", "scopes": None}, "unauthorized_client", "APIs"),
    ])
def test_a_step_that_was_forgotten_in_kinde_is_named(start_kinde, arguments, route, code, hint):
    _, proxy = start_kinde(*arguments, **route)
    answer = proxy.connect().exchange(get("http://orders.internal/v1/orders"))
    assert answer.status == 502
    problem = json.loads(answer.body)
    assert code in problem["detail"] and hint in problem["hint"]


def test_a_route_without_scopes_gets_those_that_are_assigned_to_the_application(start_kinde):
    _, proxy = start_kinde(scopes=None)
    assert proxy.connect().exchange(get("http://orders.internal/v1/orders")).status == 200


def test_a_scope_that_the_token_lacks_is_the_apis_own_refusal(start_kinde):
    _, proxy = start_kinde(scopes=None)
    answer = proxy.connect().exchange(get("http://orders.internal/v1/orders", method="DELETE"))
    assert answer.status in (403, 405)
    assert answer.value("proxy-status") is None


def test_the_demo_does_what_it_shows(binary):
    demo = subprocess.run(
        [ROOT / "scripts/demo", "--once"], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        env=clean_environment() | {"M2M_PROXY": str(binary), "M2M_SANDBOX": str(BINARY)}, check=False)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "199 more requests" in demo.stdout and "tokens fetched: 1" in demo.stdout
