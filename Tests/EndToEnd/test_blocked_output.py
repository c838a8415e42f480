"""Output that is not read: requests go on, and the end of the program does not wait for it."""

import json
import os
import signal
import socket
import subprocess

import pytest
import requests

from harness.activation import Notices
from harness.client import get
from harness.output import fill
from harness.waiting import PATIENCE, poll

# What is read, and what is not.
KINDS = [("one pipe", ["log"]), ("one socket", ["log"]), ("two pipes", ["log"]), ("two pipes", ["messages"]),
         ("two pipes", ["log", "messages"])]


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[0]}, {' and '.join(kind[1])} full")
def blocked(request, start_proxy, origin):
    """A proxy whose output is not read. It has one loop, which does everything."""
    kind, stopped = request.param
    proxy = start_proxy({"forward_to": origin.url}, output=kind, loops=1)
    for name in stopped:
        getattr(proxy, name).stop_reading()
    return proxy


def begin_to_stop(proxy) -> None:
    """SIGTERM, until its effect is seen: not in the output, which is not read."""
    proxy.signal(signal.SIGTERM)

    def drains():
        try:
            return requests.get(
                "http://%s:%d/healthz" % proxy.admin, proxies={"http": ""}, timeout=PATIENCE).status_code == 503
        except requests.ConnectionError:
            return True

    poll(drains, "the drain")


def test_requests_are_served_and_the_drain_ends(blocked, origin, held):
    long = blocked.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    # As many lines as the pipe would hold, several times.
    clients = [blocked.connect() for _ in range(8)]
    for number in range(400):
        assert clients[number % 8].exchange(get("http://api.internal/x")).status == 200
    waiting = blocked.connect().send(get("http://api.internal/later")[:-2])
    poll(lambda: blocked.sample("m2m_proxy_connections") == 10, "all connections")
    begin_to_stop(blocked)
    # What is under way is finished.
    assert waiting.send(b"\r\n").answer().status == 200
    held.set()
    assert long.answer().body == b"finished"
    # Within 2 s after that, not after the timeout of the drain, which is 30 s.
    assert blocked.wait() == 0


def test_a_second_signal_ends_it_at_once(blocked, origin, held):
    long = blocked.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    begin_to_stop(blocked)
    blocked.signal(signal.SIGTERM)
    assert blocked.wait() == 128 + signal.SIGTERM
    assert long.reader.at_end()


def test_the_lines_that_are_lost_are_counted(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    proxy.log.wait_for("event=ready")
    proxy.log.stop_reading()
    client = proxy.connect()
    for _ in range(50):
        assert client.exchange(get("http://api.internal/x")).status == 200
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    # One line of the token, those of the requests, and those of the drain and the end.
    lost = "53 lines of output lost: the output took lines too slowly, or not at all"
    assert f"done: 50 requests, 0 dropped; {lost}" in proxy.messages.text


def test_lines_that_are_dropped_are_counted_in_a_metric_whatever_is_logged(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, log={"access": "off"})
    assert proxy.sample("m2m_proxy_log_lines_dropped_total") == 0
    assert "m2m_proxy_log_lines_dropped_total" in proxy.metrics()


def test_a_start_with_output_that_is_not_read_serves(start_proxy, origin, binary, tmp_path, free_port):
    """As a supervisor that hangs leaves it."""
    conf = tmp_path / "proxy.conf"
    route = {"name": "a", "match": "api.internal", "credentials": "none", "forward_to": origin.url}
    conf.write_text(json.dumps({"listen": f"127.0.0.1:{free_port}", "admin": "off", "routes": [route]}))
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fill(lambda data: os.write(writing, data))
    os.set_blocking(writing, True)
    process = subprocess.Popen([binary, "run", "--config", conf], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
    try:
        def answers():
            try:
                with socket.create_connection(("127.0.0.1", free_port)) as client:
                    client.sendall(get("http://api.internal/x"))
                    return client.recv(12) == b"HTTP/1.1 200"
            except ConnectionRefusedError:
                return False

        poll(answers, "an answer")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)


def test_a_manager_that_does_not_read_holds_up_neither_requests_nor_the_end(start_proxy, origin, tmp_path, held):
    notices = Notices(str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        proxy = start_proxy({"forward_to": origin.url}, environment={"NOTIFY_SOCKET": notices.name}, loops=1)
        assert notices.next() == "READY=1"
        other.setblocking(False)
        fill(lambda data: other.sendto(data, notices.name))
        long = proxy.connect().send(get("http://api.internal/long"))
        origin.wait_for_requests(1)
        proxy.signal(signal.SIGTERM)
        proxy.messages.wait_for("draining")
        held.set()
        assert long.answer().body == b"finished"
        assert proxy.wait() == 0
    notices.close()
