"""What an application is told when there is no token: which hop failed, and the step that fixes it."""

import json
import re
import socket
import threading

import pytest

from harness.client import get, post
from harness.waiting import poll


def failure(proxy, status: int, request: bytes = get("http://api.internal/orders")):
    """Sends a request that has to fail for want of a token, and returns the answer and its problem body."""
    answer = proxy.connect().exchange(request)
    assert answer.status == status, answer.body
    assert answer.value("content-type") == b"application/problem+json"
    assert answer.value("proxy-status").startswith(b"m2m-proxy; error=")
    problem = json.loads(answer.body)
    assert (problem["status"], problem["hop"], problem["route"]) == (status, "token", "api")
    assert problem["title"] and problem["detail"] and problem["hint"]
    return answer, problem


def test_invalid_client_names_the_secret(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url}, environment={"CLIENT_SECRET": "not-the-right-one"})
    _, problem = failure(proxy, 502)
    assert "invalid_client" in problem["detail"] and re.search("secret", problem["hint"])
    assert origin.requests == []


@pytest.mark.parametrize("provider", ["kinde", "generic"])
def test_unauthorized_client_names_the_audience_and_the_fix(start_proxy, origin, authlib, provider):
    domain = "acme.kinde.com" if provider == "kinde" else None
    credential = authlib.credential(provider=provider, domain=domain)
    proxy = start_proxy({"forward_to": origin.url}, credentials={"kinde": credential})
    authlib.client.refused_audiences = {"https://api.example"}
    answer, problem = failure(proxy, 502)
    assert "unauthorized_client" in problem["detail"] and "https://api.example" in problem["detail"]
    if provider == "kinde":
        assert re.search("authori[sz]e", problem["hint"]) and "APIs" in problem["hint"]
    else:
        assert "https://api.example" in problem["hint"]
    assert b"unauthorized_client" in answer.value("proxy-status")
    assert origin.requests == []


def test_invalid_scope_names_the_scopes(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "scopes": ["delete:everything"]})
    _, problem = failure(proxy, 502)
    assert "invalid_scope" in problem["detail"] and "scope" in problem["hint"]


@pytest.mark.parametrize("provider", ["kinde", "generic"])
@pytest.mark.parametrize("error, place", [
    ("invalid_client", r"credentials\.kinde \(lines {client_id} and {client_secret}\)"),
    ("invalid_scope", "or correct scopes in route api, line {scopes}"),
    ("invalid_target", "correct audience in route api, line {audience}"),
    ("invalid_audience", "correct audience in route api, line {audience}"),
    ("unauthorized_client", "or correct audience in route api, line {audience}"),
    ("access_denied", "or correct audience in route api, line {audience}"),
])
def test_hints_name_the_lines_of_proxy_conf_that_may_be_wrong(start_proxy, origin, authlib, provider, error, place):
    domain = "acme.kinde.com" if provider == "kinde" else None
    authlib.answer(400, json.dumps({"error": error}))
    proxy = start_proxy({"forward_to": origin.url, "scopes": ["read:orders"]},
                        credentials={"kinde": authlib.credential(provider=provider, domain=domain)})
    lines = {match[1]: number for number, line in enumerate((proxy.directory / "proxy.conf").read_text().splitlines(), 1)
             if (match := re.match(r"[\s-]*(\w+):", line))}
    _, problem = failure(proxy, 502)
    assert re.search(place.format(**lines), problem["hint"]), (problem["hint"], lines)
    assert problem["hint"] in proxy.log.wait_for(r"event=token\b")


def test_a_fixed_refusal_is_noticed_without_a_restart(proxy, origin, authlib):
    authlib.client.refused_audiences = {"https://api.example"}
    failure(proxy, 502)
    authlib.client.refused_audiences = set()
    client = proxy.connect()
    poll(lambda: client.exchange(get("http://api.internal/")).status == 200, "a token after the refusal was fixed")


def test_a_token_endpoint_that_is_down_is_a_503_with_retry_after(start_proxy, origin, authlib):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    credential = authlib.credential(token_endpoint=f"http://127.0.0.1:{port}/oauth2/token")
    proxy = start_proxy({"forward_to": origin.url}, credentials={"kinde": credential})
    answer, problem = failure(proxy, 503)
    assert 1 <= int(answer.value("retry-after")) <= 60
    assert f"127.0.0.1:{port}" in problem["detail"]


def test_a_token_endpoint_that_is_too_slow_is_a_504(start_proxy, origin, authlib):
    authlib.hold()
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"token": "300ms"})
    failure(proxy, 504)
    assert origin.requests == []


def test_a_request_body_is_not_lost_while_its_token_is_fetched(proxy, origin, authlib):
    authlib.hold()
    client = proxy.connect().send(post("http://api.internal/orders", b"x" * 100_000))
    authlib.wait_for_fetches(1)
    authlib.release()
    assert client.answer("POST").status == 200
    assert origin.requests[0].body == b"x" * 100_000


def test_a_connection_is_usable_after_a_failed_token(proxy, origin, authlib):
    authlib.client.refused_audiences = {"https://api.example"}
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/")).status == 502
    assert client.exchange(get("http://nowhere.internal/")).status == 403


def test_all_waiting_requests_get_the_error_of_one_failed_fetch(proxy, origin, authlib):
    authlib.hold()
    authlib.client.refused_audiences = {"https://api.example"}
    clients = [proxy.connect().send(get("http://api.internal/")) for _ in range(50)]
    authlib.wait_for_fetches(1)
    poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 50, "50 requests that wait for a token")
    authlib.release()
    assert [client.answer().status for client in clients] == [502] * 50
    assert len(authlib.fetches) == 1
    assert proxy.sample("m2m_proxy_token_waiting", route="api") == 0


NONSENSE = {
    "an HTML page": (200, "<html>Sign in</html>"),
    "nothing": (200, ""),
    "no JSON object": (200, "[1]"),
    "truncated JSON": (200, '{"access_token": "abc", "token_ty'),
    "no token": (200, '{"token_type": "Bearer", "expires_in": 3600}'),
    "an empty token": (200, '{"access_token": "", "token_type": "Bearer"}'),
    "another token type": (200, '{"access_token": "abc", "token_type": "MAC"}'),
    "a token with a line break": (200, '{"access_token": "abc\\r\\nX-Evil: 1", "token_type": "Bearer"}'),
    "a token with a space": (200, '{"access_token": "abc def", "token_type": "Bearer"}'),
    "a token beyond ASCII": (200, '{"access_token": "abcé", "token_type": "Bearer"}'),
    "an endless reply": (200, '{"access_token": "' + "a" * 1_000_000 + '", "token_type": "Bearer"}'),
    "404": (404, "not found"),
    "400 without OAuth error": (400, "bad"),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_a_token_reply_that_makes_no_sense_is_a_502_and_nothing_is_sent_upstream(proxy, origin, authlib, case):
    status, body = NONSENSE[case]
    authlib.answer(status, body.encode(), Content_Type="application/json")
    failure(proxy, 502)
    assert origin.requests == [] and 1 <= len(authlib.fetches) <= 2


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_token_endpoint_in_trouble_is_an_error_of_the_token_hop(proxy, origin, authlib, status):
    authlib.answer(status, "in trouble")
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status in (502, 503) and json.loads(answer.body)["hop"] == "token"
    assert origin.requests == [] and b"in trouble" not in answer.body


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_of_the_token_endpoint_is_not_followed(proxy, origin, authlib, status):
    authlib.answer(status, "", Location=f"http://{authlib.authority}/elsewhere")
    failure(proxy, 502)
    assert origin.requests == [] and len(authlib.fetches) <= 2
    assert b"from-elsewhere" not in b"".join(bytes(each.received) for each in origin.connections)


def test_one_dropped_connection_of_the_token_endpoint_goes_unnoticed(start_proxy, origin, authlib):
    """A connection error is retried once, inline."""
    listener = socket.create_server(("127.0.0.1", 0))

    def drop_then_relay():
        listener.accept()[0].close()
        connection, _ = listener.accept()
        with connection, socket.create_connection(authlib.authority.split(":")) as onward:
            def copy(source, target):
                while data := source.recv(65_536):
                    target.sendall(data)
            threading.Thread(target=copy, args=[connection, onward], daemon=True).start()
            try:
                copy(onward, connection)
            except OSError:
                pass

    thread = threading.Thread(target=drop_then_relay, daemon=True)
    thread.start()
    credential = authlib.credential(token_endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}/oauth2/token")
    proxy = start_proxy({"forward_to": origin.url}, credentials={"kinde": credential})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert len(authlib.fetches) == 1
    listener.close()
