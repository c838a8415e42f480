"""What a client of OAuth servers must do, with short-lived tokens and the real clock: what makes two requests
for a token the same, renewal before a request waits, no fetch too many, and never an expired token."""

import itertools
import time

import jwt
import pytest

from harness.client import get
from harness.output import run
from harness.proxy import clean_environment
from harness.proxy_conf import proxy_conf
from harness.waiting import poll


def bearer(request) -> str:
    scheme, token = request.value("authorization").decode().split(" ")
    assert scheme == "Bearer"
    return token


@pytest.fixture
def strict(origin):
    """An API that looks at the date in each token, and answers with the token."""
    def serve(connection):
        while not connection.at_end():
            request = connection.request()
            arrived, token = time.time(), bearer(request)
            assert arrived < jwt.decode(token, options={"verify_signature": False})["exp"], "an expired token was sent"
            connection.answer(token.encode())

    origin.otherwise = serve
    return origin


def test_everything_that_is_sent_is_part_of_the_key(start_proxy, origin, authlib):
    """Requests that differ in anything have tokens of their own; those that do not, share one."""
    base = authlib.credential(audience="https://api.example")
    credentials = {
        "a": base, "same": base, "other-endpoint": {**base, "token_endpoint": authlib.token_endpoint + "?tenant=x"},
        "other-method": {**base, "authentication": "client_secret_basic"},
        "other-parameter": {**base, "parameters": {"organization": "org_1"}},
        "another-parameter": {**base, "parameters": {"organization": "org_2"}},
        "other-header": {**base, "headers": {"X-Tenant": "x"}},
        "other-resource": {**base, "resource": "https://resource.example"},
    }
    routes = [{"name": name, "match": f"{name}.internal", "mount": f"/{name}", "credentials": name, "audience": None,
               "forward_to": origin.url} for name in credentials]
    routes += [
        {"name": "other-audience", "match": "oa.internal", "mount": "/other-audience", "credentials": "a",
         "audience": "https://other.example", "forward_to": origin.url},
        {"name": "scoped", "match": "s.internal", "mount": "/scoped", "credentials": "a", "audience": None,
         "scopes": ["read:orders", "write:orders"], "forward_to": origin.url},
        {"name": "scoped-in-another-order", "match": "t.internal", "mount": "/scoped-in-another-order",
         "credentials": "same", "audience": None, "scopes": ["write:orders", "read:orders"],
         "forward_to": origin.url}]
    proxy = start_proxy(*routes, credentials=credentials)
    client = proxy.connect()
    for route in routes + routes:
        path = f"/{route['name']}/{route['name']}"
        assert client.exchange(get(path, host="%s:%d" % proxy.address)).status == 200
    tokens = {request.target.decode()[1:]: bearer(request) for request in origin.requests}
    assert tokens["a"] == tokens["same"] and tokens["scoped"] == tokens["scoped-in-another-order"]
    assert len(set(tokens.values())) == len(authlib.fetches) == len(routes) - 2


def test_one_fetch_for_the_whole_process_however_many_loops(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url}, loops=4)
    authlib.hold()
    clients = [proxy.connect().send(get(f"http://api.internal/{number}")) for number in range(100)]
    poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 100, "100 requests that wait for a token")
    authlib.release()
    assert {client.answer().status for client in clients} == {200}
    assert len(authlib.fetches) == 1


def test_a_token_in_use_is_renewed_while_requests_go_on_with_the_old_one(start_proxy, strict, authlib):
    authlib.lifetime = 8
    proxy = start_proxy({"forward_to": strict.url}, loops=2)
    clients = [proxy.connect() for _ in range(8)]
    first = clients[0].exchange(get("http://api.internal/")).body
    authlib.hold()
    turns = itertools.cycle(clients)

    def renewing():
        assert next(turns).exchange(get("http://api.internal/")).body == first
        return len(authlib.fetches) == 2

    poll(renewing, "the renewal")
    # It is under way, and takes its time; there is no second fetch, and no request waits.
    for client in clients * 5:
        assert client.exchange(get("http://api.internal/")).body == first
    assert len(authlib.fetches) == 2
    assert proxy.sample("m2m_proxy_token_waiting", route="api") == 0
    assert proxy.sample("m2m_proxy_token_wait_seconds_count", route="api") == 1, "only the first request has waited"
    authlib.release()
    poll(lambda: next(turns).exchange(get("http://api.internal/")).body != first, "the new token")
    assert len(authlib.fetches) == 2
    assert "reason=renewal" in proxy.log.wait_for(r"event=token\b.*result=ok", 2)


def test_a_token_that_is_not_used_is_not_renewed(start_proxy, strict, authlib):
    authlib.lifetime = 2
    proxy = start_proxy(
        {"forward_to": strict.url},
        {"name": "idle", "match": "idle.internal", "mount": "/idle", "forward_to": strict.url,
         "audience": "https://idle.example"})
    client = proxy.connect()
    assert client.exchange(get("http://idle.internal/")).status == 200

    def used():
        assert client.exchange(get("http://api.internal/")).status == 200
        return len([fetch for fetch in authlib.fetches if fetch.audience == "https://api.example"]) >= 6

    poll(used, "five renewals of the token that is in use")
    assert len([fetch for fetch in authlib.fetches if fetch.audience == "https://idle.example"]) == 1


def test_an_outage_shorter_than_the_tokens_lifetime_goes_unnoticed(start_proxy, strict, authlib):
    authlib.lifetime = 16
    proxy = start_proxy({"forward_to": strict.url})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/")).status == 200
    authlib.answer(500, "in trouble")

    def request_until(count: int):
        def enough():
            assert client.exchange(get("http://api.internal/")).status == 200
            return len(authlib.fetches) >= count
        return enough

    poll(request_until(4), "two attempts at a renewal, each made twice", patience=25)
    authlib.fault = None
    before = len(authlib.tokens)
    poll(lambda: request_until(5)() and len(authlib.tokens) > before, "the renewal")


def test_an_expired_token_is_never_sent_not_even_while_the_endpoint_is_down(start_proxy, strict, authlib):
    authlib.lifetime = 3
    proxy = start_proxy({"forward_to": strict.url})
    clients = [proxy.connect() for _ in range(4)]
    turns = itertools.cycle(clients)
    first = clients[0].exchange(get("http://api.internal/"))
    assert first.status == 200
    authlib.answer(500, "in trouble")
    statuses = set()

    def expired():
        answer = next(turns).exchange(get("http://api.internal/"))
        statuses.add(answer.status)
        assert answer.status != 200 or answer.body == first.body
        return answer.status == 503

    poll(expired, "the end of the token")
    for _ in range(50):
        answer = next(turns).exchange(get("http://api.internal/"))
        assert answer.status == 503 and int(answer.value("retry-after")) >= 1
    assert statuses == {200, 503}
    authlib.fault = None
    poll(lambda: next(turns).exchange(get("http://api.internal/")).status == 200, "a new token", patience=30)
    strict.check()


@pytest.mark.parametrize("status", [429, 503])
def test_failures_are_remembered_for_all_clients(start_proxy, origin, authlib, status):
    authlib.answer(status, "", Retry_After="60")
    proxy = start_proxy({"forward_to": origin.url}, loops=2)
    for _ in range(50):
        got = proxy.connect().exchange(get("http://api.internal/"))
        assert got.status == 503 and 50 <= int(got.value("retry-after")) <= 60
    assert len(authlib.fetches) == 1 and origin.requests == []
    poll(lambda: proxy.sample("m2m_proxy_errors_total", kind="token_backing_off") == 49, "49 without a token request")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r\n\r\n"])
def test_line_ends_of_a_secret_file_are_not_sent(start_proxy, origin, authlib, tmp_path, end):
    path = tmp_path / "secret"
    path.write_bytes((authlib.client.secret + end).encode())
    path.chmod(0o400)
    proxy = start_proxy(
        {"forward_to": origin.url}, credentials={"kinde": authlib.credential(client_secret={"file": str(path)})})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    [fetch] = authlib.fetches
    assert fetch.form["client_secret"] == [authlib.client.secret]


@pytest.mark.parametrize("scopes", [None, [], ""])
def test_no_empty_scope_is_sent(start_proxy, origin, authlib, scopes):
    proxy = start_proxy({"forward_to": origin.url, "scopes": scopes})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert set(authlib.fetches[0].form) == {"grant_type", "client_id", "client_secret", "audience"}


@pytest.mark.parametrize("endpoint, good", [
    ("http://login.example/t", False), ("http://10.0.0.1/t", False), ("http://127.0.0.1.example/t", False),
    ("http://localhost.example/t", False), ("ftp://127.0.0.1/t", False),
    ("https://login.example/t", True), ("http://127.0.0.1:9/t", True), ("http://[::1]:9/t", True),
    ("http://localhost:9/t", True)])
def test_a_secret_goes_over_tls_or_to_this_machine(binary, tmp_path, endpoint, good):
    (tmp_path / "proxy.conf").write_text(proxy_conf({
        "credentials": {"c": {"token_endpoint": endpoint, "client_id": "a", "client_secret": "${SECRET}"}},
        "routes": [{"name": "api", "match": "api.internal", "audience": "x"}]}))
    checked = run([binary, "check", "--config", "proxy.conf"], cwd=tmp_path, env=clean_environment(SECRET="s"))
    assert checked.returncode == (0 if good else 64), checked.stderr + checked.stdout
    assert good or "token_endpoint" in checked.stderr + checked.stdout
