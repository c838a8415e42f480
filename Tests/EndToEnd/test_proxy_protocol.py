"""Load balancers in front: the PROXY protocol says whose connection it really is."""

import json
import signal
import socket
import struct

import pytest

from harness.balancers import Haproxy, StreamNginx
from harness.client import RawClient, get
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import poll

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2") + struct.pack("!HH", 50000, 80)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") * 2 + struct.pack("!HH", 50000, 80)


def binary(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


HEADERS = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\r\n", "192.0.2.1:50000"),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 50000 80\r\n", "[2001:db8::1]:50000"),
    (binary(0x21, 0x11, V4), "192.0.2.1:50000"),
    (binary(0x21, 0x11, V4 + b"\x02\0\x04host" + b"\x20" + struct.pack("!H", 3000) + bytes(3000)), "192.0.2.1:50000"),
    (binary(0x21, 0x21, V6), "[2001:db8::1]:50000"),
]
UNKNOWN = [b"PROXY UNKNOWN\r\n", binary(0x20, 0x00, b""), binary(0x20, 0x11, V4), binary(0x21, 0x00, b"")]


@pytest.fixture
def passed_on(start_proxy, origin):
    """A proxy that takes every client on loopback for a load balancer."""
    def start(route: dict = {}, **settings):
        listen = [{"address": "127.0.0.1:0", "proxy_protocol": ["127.0.0.0/8"]} | settings.pop("listener", {})]
        return start_proxy({"forward_to": origin.url} | route, listen=listen, **settings)
    return start


@pytest.fixture
def in_front(tmp_path):
    """Starts load balancers."""
    started = []

    def start(kind, what: str):
        started.append(kind(tmp_path / f"balancer-{len(started)}", what))
        return started[-1]
    yield start
    for balancer in started:
        balancer.stop()


def own_port(client: RawClient) -> int:
    return client.socket.getsockname()[1]


def ended(client: RawClient) -> bool:
    """Whether the connection ends without an answer: with a reset where there are unread bytes."""
    try:
        return client.reader.at_end()
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("header, client", HEADERS)
def test_the_client_is_the_one_in_the_header(passed_on, header, client):
    proxy = passed_on()
    connection = proxy.connect()
    # The header and what follows in one piece, then requests as on any connection.
    assert connection.exchange(header + get("/api/x")).status == 200
    assert connection.exchange(get("/api/x")).status == 200
    assert [line["client"] for line in proxy.requests_logged(2)] == [client] * 2


@pytest.mark.parametrize("header", [header for header, _ in HEADERS[:3:2]] + UNKNOWN)
def test_it_may_come_byte_by_byte(passed_on, header):
    proxy = passed_on()
    connection = proxy.connect().send_pieces(bytes([byte]) for byte in header + get("/api/x"))
    assert connection.answer().status == 200


@pytest.mark.parametrize("header", UNKNOWN)
def test_one_without_addresses_leaves_the_connection_as_it_is(passed_on, header):
    proxy = passed_on()
    connection = proxy.connect()
    assert connection.exchange(header + get("/api/x")).status == 200
    assert proxy.requests_logged(1)[0]["client"] == f"127.0.0.1:{own_port(connection)}"


@pytest.mark.parametrize("kind, options", [(Haproxy, "send-proxy"), (Haproxy, "send-proxy-v2"), (Haproxy, "send-proxy-v2-ssl-cn"),
                                           (StreamNginx, "")])
def test_real_load_balancers(passed_on, in_front, kind, options):
    proxy = passed_on({"allow": ["127.0.0.1"]})
    balancer = in_front(kind, f"127.0.0.1:{proxy.address[1]} {options}".strip())
    client = RawClient(balancer.address)
    assert client.exchange(get("/api/x")).status == 200
    assert client.exchange(get("/api/x")).status == 200
    assert [line["client"] for line in proxy.requests_logged(2)] == [f"127.0.0.1:{own_port(client)}"] * 2
    # What the client knows the proxy by is the load balancer's address.
    assert client.exchange(get("http://127.0.0.1:%d/api/x" % balancer.address[1])).status == 200
    client.close()


def test_haproxy_looks_after_the_proxy_without_a_client(passed_on, in_front):
    """A health check speaks for itself: LOCAL, or UNKNOWN, and then nothing."""
    proxy = passed_on()
    in_front(Haproxy, f"127.0.0.1:{proxy.address[1]} send-proxy-v2 check check-send-proxy inter 50")
    poll(lambda: proxy.sample("m2m_proxy_connections_accepted_total") >= 3, "checks")
    assert "event=proxy_protocol" not in proxy.log.text


def test_curl_speaks_it(passed_on):
    proxy = passed_on()
    answer = run(["curl", "-sS", "--haproxy-protocol", proxy.url + "/api/x", "-w", "%{http_code} %{local_port}", "-o", "/dev/null"],
                 env=clean_environment())
    status, port = answer.stdout.split()
    assert status == "200" and proxy.requests_logged(1)[0]["client"] == f"127.0.0.1:{port}"


def test_a_unix_socket_behind_a_load_balancer(start_proxy, origin, in_front, tmp_path):
    path = tmp_path / "m2m-proxy.sock"
    listen = [{"address": f"unix:{path}", "proxy_protocol": "on", "allow": "127.0.0.1", "mode": "0666"}]
    proxy = start_proxy({"forward_to": origin.url}, listen=listen)
    for directory in list(path.parents)[:-1]:
        directory.chmod(directory.stat().st_mode | 0o001)
    client = RawClient(in_front(Haproxy, f"unix@{path} send-proxy-v2").address)
    assert client.exchange(get("/api/x")).status == 200
    assert proxy.requests_logged(1)[0]["client"] == f"127.0.0.1:{own_port(client)}"
    client.close()
    stranger = proxy.connect(path).exchange(b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\r\n" + get("/api/x"))
    assert stranger.status == 403
    # No client is named: it is the user, who has no address.
    assert proxy.connect(path).exchange(b"PROXY UNKNOWN\r\n" + get("/api/x")).status == 403


def test_the_rules_are_for_the_client_in_the_header(passed_on):
    proxy = passed_on(listener={"allow": ["192.0.2.0/24"]})
    assert proxy.connect().exchange(HEADERS[0][0] + get("/api/x")).status == 200
    answer = proxy.connect().exchange(b"PROXY TCP4 198.51.100.1 192.0.2.2 50000 80\r\n" + get("/api/x"))
    assert answer.status == 403 and "198.51.100.1 is not in the allow list" in json.loads(answer.body)["detail"]
    # Nor is the load balancer itself among those who are served.
    assert proxy.connect().exchange(b"PROXY UNKNOWN\r\n" + get("/api/x")).status == 403


def test_connections_are_counted_for_the_client_in_the_header(passed_on):
    proxy = passed_on(limits={"connections_per_client": 1})
    header = HEADERS[0][0]
    waiting = [proxy.connect() for _ in range(3)]  # They have not said yet whose they are.
    first = proxy.connect()
    assert first.exchange(header + get("/api/x")).status == 200
    assert waiting[0].exchange(header).status == 503
    assert waiting[1].exchange(b"PROXY TCP4 192.0.2.9 192.0.2.2 50000 80\r\n" + get("/api/x")).status == 200
    assert proxy.sample("m2m_proxy_clients") == 2
    first.close()
    poll(lambda: proxy.sample("m2m_proxy_clients") == 1, "the first one left")
    assert waiting[2].exchange(header + get("/api/x")).status == 200


@pytest.mark.parametrize("bytes_sent, fault", [
    (get("/api/x"), "does not begin with a header"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\n" + get("/api/x"), "not PROXY, TCP4 or TCP6, two addresses and two ports"),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 99999\r\n", "no number up to 65535"),
    (b"PROXY TCP4 ::1 192.0.2.2 50000 80\r\n", "not one of its family"),
    (b"PROXY UNKNOWN " + b"x" * 200, "longer than 107 bytes"),
    (binary(0x21, 0x12, V4), "not one of a TCP connection"),
    (binary(0x21, 0x11, V4[:-1]), "shorter than its addresses"),
    (SIGNATURE + b"\x21\x11\xff\xff", "longer than 4096 bytes"),
    (b"\x16\x03\x01\x02\0\x01", "does not begin with a header"),
])
def test_a_missing_header_ends_the_connection_with_a_line_in_the_log(passed_on, origin, bytes_sent, fault):
    proxy = passed_on()
    client = proxy.connect().send(bytes_sent)
    port = own_port(client)
    assert ended(client)
    line = proxy.log.wait_for("event=proxy_protocol")
    assert fault in line and f"client=127.0.0.1:{port}" in line and "hint=" in line
    assert proxy.sample("m2m_proxy_errors_total", kind="proxy_header", hop="client") == 1
    assert origin.requests == []


def test_the_wait_for_a_header_is_bounded(passed_on):
    proxy = passed_on(timeouts={"head": "200ms"})
    client = proxy.connect().send(b"PROXY TCP4 192.0.2.1 ")
    client.expect_end()
    assert "the header did not come in time" in proxy.log.wait_for("event=proxy_protocol")


def test_a_check_that_connects_and_sends_nothing_is_no_error(passed_on):
    proxy = passed_on()
    proxy.connect().close()
    proxy.connect().send(b"PROXY TCP4 ").close()
    line = proxy.log.wait_for("event=proxy_protocol")
    assert "ended in the middle" in line and proxy.sample("m2m_proxy_errors_total", kind="proxy_header") == 1


@pytest.mark.parametrize("header", [HEADERS[0][0], HEADERS[2][0]])
def test_others_must_not_send_one(start_proxy, origin, header):
    listen = [{"address": "127.0.0.1:0", "proxy_protocol": ["127.0.0.2"]}]
    proxy = start_proxy({"forward_to": origin.url}, listen=listen)
    assert proxy.connect().exchange(get("/api/x")).status == 200
    answer = proxy.connect().exchange(header + get("/api/x"))
    assert answer.status == 400 and "proxy_protocol" in json.loads(answer.body)["hint"]
    # Further on in a connection it is as malformed as anything else.
    later = proxy.connect()
    assert later.exchange(get("/api/x")).status == 200
    assert later.exchange(header + get("/api/x")).status == 400
    assert len(origin.requests) == 2


def test_idle_connections_end_when_the_proxy_stops(passed_on):
    proxy = passed_on()
    client = proxy.connect().send(b"PROXY ")
    poll(lambda: proxy.sample("m2m_proxy_connections") == 1, "the connection")
    proxy.signal(signal.SIGTERM)
    assert ended(client) and proxy.wait() == 0
    assert "event=proxy_protocol" not in proxy.log.text
