"""Which requests and limits have lines in the log: log.access, access_log of a route, health checks, and event=limit."""

import pytest

from harness.client import get
from harness.output import run
from harness.proxy import clean_environment, logfmt

NONE = {"credentials": "none", "audience": None}


def answer_by_path(origin, statuses: dict[str, str]) -> None:
    def serve(connection):
        while not connection.at_end():
            request = connection.request()
            connection.answer(b"", statuses.get(request.target.decode(), "200 OK"))

    origin.otherwise = serve


@pytest.mark.parametrize("access, expected", [
    ("on", ["a", "bad", "b"]), ("off", []), ("errors", ["bad"]), ("slow:24h", ["bad"]), ("slow:1ms", None),
    ("sample:0.0001%", ["bad"])])
def test_access(start_proxy, origin, access, expected):
    answer_by_path(origin, {"/bad": "503 Service Unavailable"})
    proxy = start_proxy(NONE | {"forward_to": origin.url}, log={"access": access}, loops=1)
    client = proxy.connect()
    for path in ["a", "bad", "b"]:
        client.exchange(get(f"http://api.internal/{path}"))
    client.close()
    proxy.stop()
    found = [logfmt(line)["path"][1:] for line in proxy.log.lines if "event=request" in line]
    if expected is None:
        assert "bad" in found
    else:
        assert found == expected


def test_a_sample_has_its_size_and_all_errors(start_proxy, origin):
    proxy = start_proxy(NONE | {"forward_to": origin.url}, log={"access": "sample:10%"}, loops=1)
    client = proxy.connect()
    for number in range(500):
        client.exchange(get(f"http://api.internal/{number}"))
        if number % 100 == 0:
            client.exchange(get("http://nowhere.internal/wrong"))
    client.close()
    proxy.stop()
    lines = [logfmt(line) for line in proxy.log.lines if "event=request" in line]
    assert sum("error" in line for line in lines) == 5
    assert 45 <= sum("error" not in line for line in lines) <= 55


def test_a_route_can_have_another_setting(start_proxy, origin):
    proxy = start_proxy(
        NONE | {"forward_to": origin.url, "access_log": "off"},
        NONE | {"forward_to": origin.url, "name": "other", "match": "other.internal", "mount": None},
        log={"access": "on"})
    client = proxy.connect()
    for host in ["api", "other"]:
        assert client.exchange(get(f"http://{host}.internal/")).status == 200
    client.close()
    proxy.stop()
    assert [logfmt(line)["route"] for line in proxy.log.lines if "event=request" in line] == ["other"]


def test_health_checks_leave_no_line(start_proxy, origin, binary):
    proxy = start_proxy(NONE | {"forward_to": origin.url})
    for _ in range(3):
        result = run([binary, "health", "--address", "%s:%d" % proxy.admin], env=clean_environment())
        assert result.returncode == 0, result.stderr
        # As load balancers check a port.
        proxy.connect().close()
    proxy.metrics()
    proxy.stop()
    events = [logfmt(line)["event"] for line in proxy.log.lines]
    assert events == ["start", "ready", "drain", "stop"]


def test_a_limit_that_is_reached_has_a_line(start_proxy, origin):
    proxy = start_proxy(NONE | {"forward_to": origin.url}, limits={"body": "10"})
    for _ in range(5):
        client = proxy.connect()
        client.send(b"POST http://api.internal/ HTTP/1.1\r\nHost: api.internal\r\nContent-Length: 11\r\n\r\n")
        assert client.answer().status == 413
    proxy.log.wait_for("level=notice event=limit limit=body count=1$")
