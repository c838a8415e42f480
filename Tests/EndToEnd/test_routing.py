"""Which route a request takes, and what the upstream is asked for."""

import json
import re

import pytest

from harness.client import get
from harness.origin import RawOrigin
from harness.output import run
from harness.proxy import clean_environment


@pytest.fixture
def other():
    server = RawOrigin()
    yield server
    server.stop()


def sent(origin, number: int = 0):
    request = origin.wait_for_requests(number + 1)[number]
    return request.target.decode(), request.value("host").decode()


@pytest.mark.parametrize("target, expected", [
    ("http://api.internal/v1/orders", "/v1/orders"),
    ("http://api.internal", "/"),
    ("http://api.internal?x=1", "/?x=1"),
    ("http://API.Internal/v1", "/v1"),
    ("http://api.internal:80/v1", "/v1"),
    ("HTTP://api.internal/v1", "/v1"),
])
def test_an_absolute_form_request_is_forwarded_in_origin_form(proxy, origin, target, expected):
    assert proxy.connect().exchange(get(target)).status == 200
    assert sent(origin) == (expected, origin.authority)


@pytest.mark.parametrize("target, expected", [
    ("/api/v1/orders", "/v1/orders"),
    ("/api/", "/"),
    ("/api", "/"),
    ("/api?x=1", "/?x=1"),
    ("/api/api/", "/api/"),
])
def test_an_origin_form_request_loses_its_routes_mount(proxy, origin, target, expected):
    assert proxy.connect().exchange(get(target, host="127.0.0.1:8080")).status == 200
    assert sent(origin) == (expected, origin.authority)


def test_the_target_of_an_absolute_form_request_wins_over_its_host_field(other, start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url},
                        {"name": "other", "match": "other.internal", "mount": "/other", "forward_to": other.url})
    assert proxy.connect().exchange(get("http://api.internal/x", host="other.internal")).status == 200
    assert sent(origin) == ("/x", origin.authority)
    assert other.requests == []


def test_the_host_field_never_chooses_a_route(proxy, origin):
    answer = proxy.connect().exchange(get("/v1/orders", host="api.internal"))
    assert answer.status == 403
    assert origin.requests == []


def test_the_longest_match_wins(other, start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url},
                        {"name": "inner", "match": "api.internal/v2", "mount": "/api/v3", "forward_to": other.url})
    client = proxy.connect()
    for target in ["http://api.internal/v1", "http://api.internal/v2/a", "http://api.internal/v22", "/api/v3/b"]:
        assert client.exchange(get(target)).status == 200
    assert [request.target for request in origin.requests] == [b"/v1", b"/v22"]
    assert [request.target for request in other.requests] == [b"/v2/a", b"/b"]


def test_a_base_path_of_forward_to_comes_before_the_requests_path(start_proxy, origin):
    proxy = start_proxy({"forward_to": f"{origin.url}/base"})
    client = proxy.connect()
    for target in ["http://api.internal/a?b", "/api/c"]:
        assert client.exchange(get(target)).status == 200
    assert [request.target for request in origin.requests] == [b"/base/a?b", b"/base/c"]


def test_a_port_in_match_is_part_of_the_route(start_proxy, origin):
    proxy = start_proxy({"match": "api.internal:8081", "forward_to": origin.url})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal:8081/")).status == 200
    assert client.exchange(get("http://api.internal/")).status == 403
    assert client.exchange(get("http://api.internal:8082/")).status == 403


def test_a_host_that_no_route_names_is_refused_naming_it_and_the_nearest_route(proxy, origin, authlib):
    answer = proxy.connect().exchange(get("http://apj.internal/v1", host="apj.internal"))
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"], problem["hop"]) == (403, 403, "policy")
    assert answer.value("content-type") == b"application/problem+json"
    assert answer.value("proxy-status").startswith(b"m2m-proxy; error=")
    text = problem["detail"] + problem["hint"]
    assert "apj.internal" in text and "api" in text.replace("apj", "")
    assert origin.requests == [] and authlib.fetches == []


@pytest.mark.parametrize("host", ["other.internal", "OTHER.internal:8081", "10.1.2.3", "[2001:db8::1]:9", "a" * 63 + ".example.com", "localhost:1"])
def test_the_hint_for_an_unknown_host_is_a_route_that_check_accepts(proxy, binary, host):
    problem = json.loads(proxy.connect().exchange(get(f"http://{host}/v1", host=host)).body)
    line = re.search(r"- \{.*? \}", problem["hint"])[0]
    written = proxy.directory / "proxy.conf"
    before = written.read_text()
    written.write_text(before.replace("routes:\n", f"routes:\n  {line}\n"))
    assert written.read_text() != before
    result = run([binary, "check", "--config", written], env=clean_environment(CLIENT_SECRET="from-a-test"))
    assert result.returncode == 0, (line, result.stderr)
    assert host.lower() in result.stdout


def test_suggestions_are_limited_and_the_refusal_works_without_them(start_proxy, origin):
    host = "orders.of-the-company.internal"
    hosts = [host] + [f"service-{number:03}.of-the-company.internal" for number in range(200)]
    proxy = start_proxy({"match": hosts, "forward_to": origin.url}, loops=1)
    client = proxy.connect()

    def refusal(name: str) -> dict:
        answer = client.exchange(get(f"http://{name}/", host=name))
        problem = json.loads(answer.body)
        assert (answer.status, problem["hop"]) == (403, "policy")
        assert f"No route in proxy.conf matches {name}." in problem["detail"] and f'match: "{name}"' in problem["hint"]
        return problem

    # Too long, although it is as near.
    long = ".".join(["a" * 36, host])
    assert "most similar" not in refusal(long)["detail"]
    similar = f"order.{host.partition('.')[2]}"
    assert f"The most similar one known is {host}." in refusal(similar)["detail"]
    # At 4 a second for each loop, 200 requests would take 50 s to have one each.
    details = [refusal(similar)["detail"] for _ in range(200)]
    assert any("most similar" not in detail for detail in details)


def test_a_host_with_routes_for_other_paths_is_refused_with_the_path(start_proxy, origin):
    proxy = start_proxy({"match": ["enc.test/x/", "enc.test:81"], "forward_to": origin.url})
    client = proxy.connect()

    def refusal(target: str) -> dict:
        problem = json.loads(client.exchange(get(target)).body)
        assert problem["hop"] == "policy" and problem["title"] == "No route"
        return problem

    problem = refusal("http://enc.test/a/b?secret=1")
    assert problem["detail"] == "No route in proxy.conf matches enc.test/a/b. The routes for enc.test are for other paths."
    assert "takes this path" in problem["hint"]
    assert "matches enc.test/. The" in refusal("http://enc.test")["detail"]
    # As long as the path may be, the message is not.
    assert len(refusal(f"http://enc.test/{'a' * 5000}")["detail"]) < 600
    # On this port there is no route at all.
    assert refusal("http://enc.test:82/a/b")["detail"].startswith("No route in proxy.conf matches enc.test:82. ")
    assert origin.requests == []


def test_a_base_url_with_a_final_slash_is_forwarded_unchanged_or_rejected_with_the_reason(start_proxy, origin):
    """BASE/ and /v1 make //v1."""
    route = {"forward_to": origin.url}
    proxy = start_proxy(route, route | {"name": "v1", "match": None, "mount": "/only", "paths": ["/v1/"]},
                        route | {"name": "strict", "match": None, "mount": "/api/admin"})
    client = proxy.connect()
    assert client.exchange(get("/api//v1/x")).status == 200
    assert sent(origin)[0] == "//v1/x"
    for target in ["/only//v1/x", "/api//admin"]:
        problem = json.loads(client.exchange(get(target)).body)
        assert problem["status"] == 403 and "base URL that ends in /" in problem["hint"]
    assert len(origin.requests) == 1


def test_a_route_without_credentials_leaves_the_applications_own_authorization_alone(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url},
                        {"name": "open", "match": "open.internal", "mount": "/open", "forward_to": origin.url,
                         "credentials": "none", "audience": None})
    assert proxy.connect().exchange(get("http://open.internal/", "Authorization: Basic abc")).status == 200
    assert origin.requests[0].values("authorization") == [b"Basic abc"]
    assert authlib.fetches == []


def test_a_route_without_forward_to_upgrades_to_https_on_the_matched_host(start_proxy, tls_origin, authority):
    proxy = start_proxy({"match": f"localhost:{tls_origin.port}"}, tls={"ca_file": str(authority.file)})
    answer = proxy.connect().exchange(get(f"http://localhost:{tls_origin.port}/v1"))
    assert answer.status == 200
    assert sent(tls_origin) == ("/v1", f"localhost:{tls_origin.port}")


def test_an_asterisk_that_no_mount_takes_is_named_in_the_refusal(proxy):
    answer = proxy.connect().exchange(get("*", method="OPTIONS"), "OPTIONS")
    assert answer.status == 403 and "mounted at *" in json.loads(answer.body)["detail"]
