"""The access log, token events, metrics and health."""

import json
import re

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from harness.client import get, post


def test_a_request_is_one_line_of_logfmt(proxy, origin):
    client = proxy.connect()
    body = b"x" * 312
    assert client.exchange(post("http://api.internal/v1/orders?secret=query", body), "POST").status == 200
    line = proxy.requests_logged(1)[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    expected = {"event": "request", "route": "api", "method": "POST", "host": "api.internal", "path": "/v1/orders",
                "status": "200", "upstream": "new"}
    assert {key: line.get(key) for key in expected} == expected
    assert int(line["received"]) >= 312 and int(line["sent"]) >= 2
    for key in ["token", "connect", "first_byte", "total"]:
        assert re.fullmatch(r"\d+(\.\d+)?ms", line[key]), key
    assert line["client"].startswith("127.0.0.1:")
    assert "secret=query" not in proxy.output


def test_a_failed_request_says_why_in_its_line(start_proxy, origin):
    origin.otherwise = lambda connection: (connection.request(), connection.expect_close())
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"first_byte": "200ms"})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 504
    line = proxy.requests_logged(1)[0]
    assert line["status"] == "504" and line["error"]


def test_a_path_cannot_forge_a_line_of_the_log(proxy):
    assert proxy.connect().exchange(get("http://api.internal/a%22b%0Aevent=request&x=y")).status == 200
    assert len(proxy.requests_logged(1)) == 1


def test_a_fetched_token_is_one_line_of_the_log(proxy, authlib):
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    line = proxy.log.wait_for(r"event=token\b")
    for part in ["credentials=kinde", "audience=https://api.example", "result=ok", "lifetime=3600s"]:
        assert part in line


def test_a_refused_token_is_a_line_of_the_log(proxy, authlib):
    authlib.client.refused_audiences = {"https://api.example"}
    assert proxy.connect().exchange(get("http://api.internal/")).status == 502
    assert "unauthorized_client" in proxy.log.wait_for(r"event=token\b")


def test_the_log_can_be_json(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, log={"format": "json"})
    assert proxy.connect().exchange(get("http://api.internal/v1?q")).status == 200
    proxy.log.wait_for('"request"')
    proxy.log.wait_for('"token"')
    lines = [json.loads(line) for line in proxy.log.lines]
    line = next(line for line in lines if line["event"] == "request")
    assert (line["route"], line["path"], line["status"]) == ("api", "/v1", 200)


def test_the_access_log_can_be_turned_off(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, log={"access": "off"})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    proxy.stop()
    assert "event=request" not in proxy.log.text


def total(found: dict[tuple, float], name: str, **labels: str) -> float:
    matching = [value for (key, pairs), value in found.items()
                if key == name and labels.items() <= dict(pairs).items()]
    return sum(matching)


def test_metrics_count_requests_by_route_and_tokens(proxy):
    before = proxy.samples()
    client = proxy.connect()
    for _ in range(7):
        assert client.exchange(get("http://api.internal/")).status == 200
    assert client.exchange(get("http://nowhere.internal/")).status == 403
    proxy.requests_logged(8)
    after = proxy.samples()
    assert total(after, "m2m_proxy_requests_total", route="api") - total(
        before, "m2m_proxy_requests_total", route="api") == 7
    assert total(after, "m2m_proxy_requests_total") - total(before, "m2m_proxy_requests_total") == 8
    assert any(re.match(r"m2m_proxy_.*token.*_total", name) and value == 1 for (name, _), value in after.items())


def test_metrics_have_duration_histograms_that_add_up(proxy):
    client = proxy.connect()
    for _ in range(5):
        assert client.exchange(get("http://api.internal/")).status == 200
    proxy.requests_logged(5)
    found = proxy.samples()
    counts = {(name, pairs): value for (name, pairs), value in found.items()
              if re.match(r"m2m_proxy_.*seconds_count", name) and dict(pairs).get("route") == "api"}
    assert 5 in counts.values()
    for (name, pairs), value in counts.items():
        infinite = tuple(sorted([*pairs, ("le", "+Inf")]))
        assert found[name.replace("_count", "_bucket"), infinite] == value


def test_every_metric_has_help_a_type_and_our_prefix(proxy):
    families = list(text_string_to_metric_families(proxy.metrics()))
    assert families
    for family in families:
        assert family.documentation and family.type != "unknown"
        assert family.name.startswith(("m2m_proxy_", "process_")), family.name


def test_a_client_cannot_add_metric_labels(proxy):
    client = proxy.connect()
    for number in range(50):
        request = get(f"http://host-{number}.internal/{number}", method=f"M{number}")
        assert client.exchange(request).status == 403
    before = len(proxy.samples())
    for number in range(50, 100):
        assert client.exchange(get(f"http://host-{number}.internal/", method=f"M{number}")).status == 403
    assert len(proxy.samples()) == before
    assert "host-" not in proxy.metrics()


def admin(proxy, path: str, method: str = "GET"):
    return requests.request(method, "http://%s:%d%s" % (*proxy.admin, path), proxies={"http": ""})


def test_healthz_responds_with_200(proxy):
    assert admin(proxy, "/healthz").status_code == 200
    assert admin(proxy, "/healthz", "HEAD").status_code == 200


@pytest.mark.parametrize("path, method, status", [("/nothing", "GET", 404), ("/metrics", "POST", 405)])
def test_admin_refuses_what_it_does_not_know(proxy, path, method, status):
    assert admin(proxy, path, method).status_code == status


def test_metrics_are_not_served_to_clients_of_the_proxy(proxy):
    assert proxy.connect().exchange(get("/metrics", host="127.0.0.1")).status == 403


def test_metrics_are_labelled_as_prometheus_expects(proxy):
    assert admin(proxy, "/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")
