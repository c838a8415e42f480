"""The proxy with `provider: kinde` between an application that knows nothing of OAuth and the Sandbox."""

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from harness.client import get
from harness.proxy import Proxy, clean_environment
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


LISTENERS = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"


def readme(beginning: str) -> str:
    """The proxy.conf of README.md that begins so."""
    blocks = re.findall(r"^( *)```yaml\n(.*?)^\1```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    [block] = [text for text in (textwrap.dedent(block) for _, block in blocks) if text.startswith(beginning)]
    return block


def replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"README.md has not one {old}"
    return text.replace(old, new)


def orders(binary, tmp_path, transcript, conf: str, environment: dict[str, str] = {}) -> list[int]:
    """What the two requests of README.md get."""
    proxy = Proxy(binary, tmp_path, transcript).start(LISTENERS + conf, environment)
    try:
        client = proxy.connect()
        return [client.exchange(get("http://orders.internal/v1/orders")).status,
                client.exchange(get("/orders/v1/orders", host="127.0.0.1")).status]
    finally:
        proxy.stop()


@pytest.mark.parametrize("scopes", ["scopes", "no scopes"])
def test_the_configuration_for_the_sandbox_in_the_readme_works(binary, tmp_path, transcript, start_sandbox, scopes):
    sandbox = start_sandbox()
    conf = replaced(readme("credentials:\n  sandbox:"), "http://127.0.0.1:9400/oauth2/token", sandbox.addresses["token_endpoint"])
    conf = replaced(conf, "http://127.0.0.1:9401", sandbox.addresses["api"])
    if scopes == "no scopes":
        conf = replaced(conf, "    scopes: [read:orders]", "    #")
    assert orders(binary, tmp_path, transcript, conf) == [200, 200]


@pytest.mark.parametrize("assigned, status", [("read:orders", 200), ("write:orders", 403)])
def test_the_configuration_for_kinde_in_the_readme_gets_what_is_assigned_to_the_application(
        binary, tmp_path, transcript, start_sandbox, assigned, status):
    """It names no scopes: Kinde gives all that are assigned. Only the two addresses are others."""
    audience = "https://orders.example.com"
    sandbox = start_sandbox("--api", f"{audience}=read:orders,write:orders", "--authorize", f"{audience}={assigned}")
    conf = replaced(readme("credentials:\n  kinde:"), "    domain: acme.kinde.com\n",
                    f"    domain: acme.kinde.com\n    token_endpoint: {sandbox.addresses['token_endpoint']}\n")
    conf = replaced(conf, f"forward_to: {audience}", f"forward_to: {sandbox.addresses['api']}")
    environment = {"KINDE_CLIENT_ID": "demo-application", "KINDE_CLIENT_SECRET": "demo-secret"}
    assert orders(binary, tmp_path, transcript, conf, environment) == [status, status]
