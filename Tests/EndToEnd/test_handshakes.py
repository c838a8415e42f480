"""What TLS handshakes of clients may cost: memory before there is a ClientHello, places, and certificates that are made."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from harness import wire
from harness.certificates import CertificateAuthority
from harness.client import get
from harness.intercepting import TunnelClient
from harness.waiting import PATIENCE, poll

pytestmark = pytest.mark.alone

HALF_OPEN = b"\x16\x03\x01\x02\x00"
HOST = "api.internal"


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("handshakes", "localhost")


@pytest.fixture
def tls_proxy(start_proxy, origin, certificate):
    """A proxy with one loop, and one listener, which speaks TLS."""
    def start(listener: dict = {}, **settings):
        tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
        listen = [{"address": "127.0.0.1:0", "tls": tls} | listener]
        return start_proxy({"forward_to": origin.url}, listen=listen, **({"loops": 1} | settings))
    return start


@pytest.fixture
def shake(authority):
    """Begins a handshake from an address of the loopback network: `shake(proxy, "127.0.0.2")`."""
    begun = []

    def shake(proxy, source="127.0.0.1", **settings) -> "Handshake":
        begun.append(Handshake(proxy.address, authority.file, source, **settings))
        return begun[-1]

    yield shake
    for handshake in begun:
        handshake.socket.close()


class Handshake:
    """A handshake step by step. `hello` is the ClientHello, which has not been sent."""

    def __init__(self, address, ca_file, source: str, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=str(ca_file))
        context.minimum_version = context.maximum_version = version
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.socket = socket.create_connection(address, PATIENCE, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with pytest.raises(ssl.SSLWantReadError):
            self._session.do_handshake()
        self.hello = self._outgoing.read()
        self.reader = wire.Reader(lambda: self._do(self._session.read))

    def send(self, *pieces: bytes) -> "Handshake":
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def stall(self) -> "Handshake":
        """Sends the ClientHello, sees that the server answers it, and leaves it at that."""
        self.send(self.hello)
        assert self.socket.recv(1, socket.MSG_PEEK)
        return self

    def finish(self) -> "Handshake":
        """Once the ClientHello has been sent."""
        self._do(self._session.do_handshake)
        self.socket.sendall(self._outgoing.read())
        return self

    def exchange(self, request: bytes) -> wire.Answer:
        self._session.write(request)
        self.socket.sendall(self._outgoing.read())
        return wire.read_answer(self.reader, "GET", None)

    def _do(self, step):
        while True:
            try:
                return step(*([1 << 16] if step == self._session.read else []))
            except ssl.SSLWantReadError:
                self.socket.sendall(self._outgoing.read())
                received = self.socket.recv(1 << 16)
                self._incoming.write(received) if received else self._incoming.write_eof()


def resident(proxy) -> int:
    with open(f"/proc/{proxy.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def reached(proxy) -> float:
    return proxy.sample("m2m_proxy_limit_reached_total", limit="handshakes")


def is_read(proxy, clients) -> bool:
    """Whether nothing of what they have sent waits in the kernel: the queues of the listener's port."""
    port = f"{proxy.address[1]:04X}"
    ours = {f"{client.getsockname()[1]:04X}" for client in clients}
    with open("/proc/net/tcp") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    queued = {line[2].split(":")[1]: line[4].split(":")[1] for line in lines if line[1].endswith(f":{port}")}
    return ours <= queued.keys() and all(int(queued[client], 16) == 0 for client in ours)


# A connection that has sent a part of its ClientHello.

@pytest.mark.parametrize(("sent", "most"), [
    (HALF_OPEN, 4096), (b"\x16\x03\x01\x3f\xf0\x01\0\x3f\xec" + bytes(3000), 12288)], ids=["5 bytes", "3 KB"])
def test_half_open_handshakes_take_little_memory(tls_proxy, shake, sent, most):
    proxy = tls_proxy()
    client = shake(proxy, "127.0.0.2")
    assert client.send(client.hello).finish().exchange(get("/api/x")).status == 200
    before = resident(proxy)
    crowd = []
    try:
        for _ in range(4_900):
            crowd.append(socket.create_connection(proxy.address, PATIENCE))
            crowd[-1].sendall(sent)
        poll(lambda: is_read(proxy, crowd), "all that was sent to be read")
        growth = (resident(proxy) - before) / len(crowd)
        other = shake(proxy, "127.0.0.2")
        assert other.send(other.hello).finish().exchange(get("/api/x")).status == 200
        assert client.exchange(get("/api/x")).status == 200
    finally:
        for each in crowd:
            each.close()
    assert growth < most, f"{growth:.0f} bytes for each connection"


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x3f\xf0\x01\0\x3f\xec" + bytes(12_000), b""], ids=["12 KB", "nothing"])
@pytest.mark.parametrize("before", ["16MB", "off"])
def test_handshakes_from_many_addresses_take_a_part_of_the_memory(tls_proxy, shake, sent, before):
    """Each of 3,000 clients has one connection: a bound for each client does not help. The limit may come by a reload."""
    proxy = tls_proxy(limits={"memory": before})
    crowd = []
    try:
        for number in range(3_000):
            if number == 1_500 and before == "off":
                poll(lambda: proxy.sample("m2m_proxy_connections") == 1_500, "the first half")
                conf = proxy.directory / "proxy.conf"
                text = conf.read_text()
                conf.write_text(re.sub(r"(memory\W+)off", r"\g<1>16MB", text))
                assert conf.read_text() != text
                proxy.signal(signal.SIGHUP)
                proxy.log.wait_for("event=reload .*result=ok")
            source = f"127.1.{number // 250}.{number % 250 + 1}"
            crowd.append(socket.create_connection(proxy.address, PATIENCE, (source, 0)))
            with contextlib.suppress(ConnectionError):
                crowd[-1].sendall(sent)
        # The last ones are still there, and what the others held is free.
        poll(lambda: proxy.sample("m2m_proxy_connections") < 1_400, "the first ones to be closed")
        poll(lambda: proxy.sample("m2m_proxy_memory_bytes") < 16_000_000, "memory to be free")
        other = shake(proxy, "127.0.0.2")
        assert other.send(other.hello).finish().exchange(get("/api/x")).status == 200
        assert proxy.sample("m2m_proxy_limit_reached_total", limit="memory") > 0
        proxy.log.wait_for('event=refused .*error="no memory for connections without a request" limit=memory')
    finally:
        for each in crowd:
            each.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_hello_may_come_in_any_pieces(tls_proxy, shake, version):
    proxy = tls_proxy()
    client = shake(proxy, version=version)
    assert client.send(*(client.hello[at:at + 1] for at in range(len(client.hello)))).finish().exchange(
        get("/api/x")).status == 200
    client = shake(proxy, version=version)
    message = client.hello[5:]
    records = [b"\x16\x03\x01" + len(message[at:at + 100]).to_bytes(2) + message[at:at + 100]
               for at in range(0, len(message), 100)]
    assert client.send(*records).finish().exchange(get("/api/x")).status == 200


def test_the_header_of_a_load_balancer_and_a_client_hello_may_come_in_any_pieces(tls_proxy, shake):
    proxy = tls_proxy({"proxy_protocol": ["127.0.0.1"]})
    client = shake(proxy)
    sent = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n" + client.hello
    client.send(*(sent[at:at + 1] for at in range(len(sent))))
    assert client.finish().exchange(get("/api/x")).status == 200
    assert proxy.requests_logged(1)[0]["client"] == "192.0.2.7:4711"


def test_a_client_hello_inside_a_tunnel_may_come_in_any_pieces(start_proxy, interception, origin):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=interception.settings)
    with TunnelClient(proxy.address, f"{HOST}:443") as client:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = interception.context().wrap_bio(incoming, outgoing, server_hostname=HOST)
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        for byte in outgoing.read():
            client.send(bytes([byte]))
        while True:
            incoming.write(client.socket.recv(1 << 16))
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send(outgoing.read())
        session.write(get("/"))
        client.send(outgoing.read())
        while True:
            try:
                assert session.read(100).startswith(b"HTTP/1.1 200")
                break
            except ssl.SSLWantReadError:
                incoming.write(client.socket.recv(1 << 16))


@pytest.mark.parametrize(("sent", "alert", "error", "detail"), [
    (b"\x16\x03\x01\x00\x04\x02", 10, "tls_expected", "is not TLS"),
    (b"\x16\x03\x01\x00\x00", 10, "tls_expected", "is not TLS"),
    (b"\x16\x03\x01\x00\x04\x01\x00\x40\x00", 50, "tls_broken", "more than 16 KB"),
])
def test_what_cannot_become_a_client_hello_is_refused_at_once(tls_proxy, sent, alert, error, detail):
    proxy = tls_proxy()
    client = proxy.connect().send(sent)
    assert client.socket.recv(100) == bytes([21, 3, 1, 0, 2, 2, alert])
    line = proxy.log.wait_for("event=tls")
    assert f"error={error}" in line and detail in line


def test_a_client_hello_has_its_time_from_the_beginning(tls_proxy, shake):
    proxy = tls_proxy(timeouts={"handshake": "300ms"})
    client = shake(proxy)
    client.send(client.hello[:100])
    assert client.socket.recv(1) == b""
    assert "error=tls_timeout" in proxy.log.wait_for("event=tls")


# Handshakes under way.

def test_a_client_that_stalls_takes_no_more_places_than_it_leaves(tls_proxy, shake):
    proxy = tls_proxy(limits={"handshakes": 2})
    stalled = shake(proxy).stall()
    waiting = shake(proxy)
    waiting.send(waiting.hello)
    poll(lambda: reached(proxy) == 1, "the second one to wait")
    # There is a place for another client, whatever waits.
    for _ in range(3):
        other = shake(proxy, "127.0.0.2")
        assert other.send(other.hello).finish().exchange(get("/api/x")).status == 200
    assert reached(proxy) == 1
    stalled.socket.close()
    assert waiting.finish().exchange(get("/api/x")).status == 200


def test_a_place_is_free_again_when_a_stalled_handshake_has_had_its_time(tls_proxy, shake):
    proxy = tls_proxy(limits={"handshakes": 1}, timeouts={"handshake": "1s"})
    stalled = shake(proxy).stall()
    waiting = shake(proxy, "127.0.0.2")
    waiting.send(waiting.hello)
    assert waiting.finish().exchange(get("/api/x")).status == 200
    assert stalled.socket.recv(1 << 16) and reached(proxy) == 1
    assert "error=tls_timeout" in proxy.log.wait_for("event=tls")


def test_who_waits_too_long_is_logged_as_such(tls_proxy, shake):
    proxy = tls_proxy(limits={"handshakes": 1}, timeouts={"handshake": "1s"})
    # Its time begins before that of the one that takes the place.
    waiting = shake(proxy, "127.0.0.2")
    waiting.send(waiting.hello[:100])
    poll(lambda: is_read(proxy, [waiting.socket]), "its beginning to be read")
    shake(proxy).stall()
    waiting.send(waiting.hello[100:])
    assert waiting.socket.recv(1) == b""
    line = proxy.log.wait_for("error=tls_crowded")
    assert "limits.handshakes" in line and "client=127.0.0.2:" in line
    assert proxy.sample("m2m_proxy_errors_total", kind="tls_crowded", hop="client") == 1


def test_one_that_leaves_while_it_waits_leaves_no_trace(tls_proxy, shake):
    proxy = tls_proxy(limits={"handshakes": 1})
    stalled = shake(proxy).stall()
    for number in range(1, 4):
        leaving = shake(proxy)
        leaving.send(leaving.hello)
        poll(lambda: reached(proxy) == number, "it to wait")
        leaving.socket.close()
    poll(lambda: proxy.sample("m2m_proxy_connections") == 1, "those that left to be forgotten")
    stalled.socket.close()
    for _ in range(3):
        client = shake(proxy)
        assert client.send(client.hello).finish().exchange(get("/api/x")).status == 200


# Certificates.

@pytest.fixture(scope="session")
def large_authority(tmp_path_factory):
    """An authority whose signatures take milliseconds."""
    directory = tmp_path_factory.mktemp("large")
    authority = CertificateAuthority(directory, "large CA", key=rsa.generate_private_key(65537, 4096))
    (directory / "large.key").touch(mode=0o600)
    (directory / "large.key").write_bytes(authority.key_bytes())
    return {"ca_certificate": str(authority.file), "ca_key": str(directory / "large.key")}


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def issued(proxy) -> float:
    return proxy.sample("m2m_proxy_certificates_issued_total")


def test_no_certificate_is_made_for_a_host_that_is_not_intercepted(start_proxy, large_authority, origin):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=large_authority, loops=1)
    with TunnelClient(proxy.address, f"{HOST}:443") as client:
        own = client.start_tls(unverified(), HOST).socket.getpeercert(binary_form=True)
    for number in range(20):
        with TunnelClient(proxy.address, f"{HOST}:443") as client:
            client.start_tls(unverified(), f"n{number}.example.org")
            assert client.socket.getpeercert(binary_form=True) == own
            answer = client.exchange(get("/"))
            assert answer.status == 421 and f"n{number}.example.org" in json.loads(answer.body)["detail"]
    assert issued(proxy) == 1


def test_certificates_for_other_intercepted_hosts_are_made_once(start_proxy, large_authority, origin):
    proxy = start_proxy({"match": [HOST, "*.shop.example"], "tunnel": "intercept", "forward_to": origin.url},
                        interception=large_authority, loops=1)
    ca = ssl.create_default_context(cafile=large_authority["ca_certificate"])
    for name in ["a.shop.example", "b.shop.example", "a.shop.example", HOST]:
        with TunnelClient(proxy.address, f"{HOST}:443") as client:
            client.start_tls(ca, name)
            assert ("DNS", name) in client.socket.getpeercert()["subjectAltName"]
            assert client.exchange(get("/", host=name)).status == (200 if name == HOST else 421)
    assert issued(proxy) == 3


def seconds_beside_the_loop(proxy) -> float:
    """The processor time of all threads but the first one, which runs the only loop."""
    def ticks(path) -> int:
        with open(path) as file:
            return sum(map(int, file.read().rsplit(")")[1].split()[11:13]))
    return (ticks(f"/proc/{proxy.pid}/stat") - ticks(f"/proc/{proxy.pid}/task/{proxy.pid}/stat")) / os.sysconf("SC_CLK_TCK")


def test_certificates_are_made_beside_the_loop_whatever_asks_for_them(start_proxy, large_authority, origin):
    proxy = start_proxy({"match": [HOST, "*.shop.example"], "tunnel": "intercept", "forward_to": origin.url},
                        interception=large_authority, loops=1)

    def cost(target, name) -> float:
        before = seconds_beside_the_loop(proxy)
        for number in range(60):
            with TunnelClient(proxy.address, f"{target.format(number)}:443") as client:
                client.start_tls(unverified(), name.format(number))
        return seconds_beside_the_loop(proxy) - before

    by_connect, by_server_name = cost("c{}.shop.example", "c{}.shop.example"), cost(HOST, "s{}.shop.example")
    assert issued(proxy) == 121
    # 60 signatures of 4096 bits take 20 ticks of the clock and more.
    assert by_connect > 0.05 and by_server_name > by_connect / 2
