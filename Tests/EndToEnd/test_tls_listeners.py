"""Listeners that speak TLS: their certificates, those of clients, and what goes wrong."""

import json
import os
import shutil
import signal
import socket
import ssl

import pytest

from harness import content, wire
from harness.balancers import Haproxy
from harness.certificates import CertificateAuthority
from harness.client import get
from harness.output import run
from harness.proxy import clean_environment
from harness.proxy_conf import proxy_conf
from harness.waiting import PATIENCE, poll


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("listener", "127.0.0.1", "localhost", "::1", "proxy.internal")


@pytest.fixture(scope="session")
def client_authority(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("clients"), "client CA")


@pytest.fixture(scope="session")
def client_certificate(client_authority):
    return client_authority.issue("erp", "erp.internal")


@pytest.fixture
def tls_proxy(start_proxy, origin, certificate):
    """A proxy with one listener, which speaks TLS."""
    def start(route: dict = {}, tls: dict = {}, listener: dict = {}, **settings):
        tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)} | tls
        listen = [{"address": "127.0.0.1:0"} | listener | {"tls": tls}]
        return start_proxy({"forward_to": origin.url} | route, listen=listen, **settings)
    return start


class TLSClient:
    """A connection that has agreed on TLS."""

    def __init__(self, proxy, authority, address=None, client=None, context=None, name="localhost", receive_buffer=None):
        context = context or trusting(authority, client)
        if receive_buffer:
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.settimeout(PATIENCE)
            plain.connect(proxy.address)
        elif isinstance(address, os.PathLike):
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(PATIENCE)
            plain.connect(str(address))
        else:
            plain = socket.create_connection(address or proxy.address, timeout=PATIENCE)
        self.socket = context.wrap_socket(plain, server_hostname=name)
        self.reader = wire.Reader(lambda: self.socket.recv(1 << 18))

    def exchange(self, request: bytes, to: str = "GET") -> wire.Answer:
        self.socket.sendall(request)
        return wire.read_answer(self.reader, to, None)

    def close(self) -> None:
        self.socket.close()


def trusting(authority, client=None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return context


def https(proxy) -> str:
    return "https://127.0.0.1:%d" % proxy.address[1]


def curl(authority, *arguments: str):
    return run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *arguments],
               env=clean_environment(CURL_CA_BUNDLE=str(authority.file)))


def test_curl_has_a_base_url_with_https(tls_proxy, origin, authlib, authority):
    proxy = tls_proxy()
    assert f"listen   {https(proxy)}\n" in proxy.messages.text
    assert curl(authority, https(proxy) + "/api/x?y").stdout == "200"
    assert origin.requests[0].target == b"/x?y"
    assert origin.requests[0].values("authorization") == [b"Bearer " + authlib.tokens[0].encode()]


def test_curl_has_an_https_proxy(tls_proxy, origin, authority):
    proxy = tls_proxy()
    answer = curl(authority, "--proxy", https(proxy), "--proxy-cacert", str(authority.file), "http://api.internal/x")
    assert answer.stdout == "200", answer
    assert origin.requests[0].target == b"/x"


def test_python_keeps_its_connection(tls_proxy, authority):
    proxy = tls_proxy()
    client = TLSClient(proxy, authority)
    assert client.socket.version() == "TLSv1.3"
    for _ in range(3):
        assert client.exchange(get("/api/x")).status == 200
    client.close()
    assert proxy.sample("m2m_proxy_connections_accepted_total") == 1


def test_a_connection_that_has_been_idle_for_long_is_served(tls_proxy, authority):
    proxy = tls_proxy(timeouts={"head": "300ms"})
    client, late = TLSClient(proxy, authority), TLSClient(proxy, authority)
    assert client.exchange(get("/api/x")).status == 200
    # What is waited for is that another one's time is over.
    assert late.exchange(b"GET").status == 408
    for _ in range(2):
        assert client.exchange(get("/api/x")).status == 200
    for each in [client, late]:
        each.close()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_gets_a_response_and_resumes_its_session(tls_proxy, authority, tmp_path, version):
    proxy = tls_proxy()
    session = tmp_path / "session"
    request = get("/api/x", "Connection: close").decode()
    command = ["openssl", "s_client", version, "-connect", "127.0.0.1:%d" % proxy.address[1], "-CAfile", str(authority.file),
               "-verify_return_error", "-servername", "localhost", "-alpn", "http/1.1", "-ign_eof"]
    first = run([*command, "-sess_out", str(session)], input=request)
    assert "HTTP/1.1 200" in first.stdout and "ALPN protocol: http/1.1" in first.stdout, first
    second = run([*command, "-sess_in", str(session)], input=request)
    assert "HTTP/1.1 200" in second.stdout and "Reused, " in second.stdout, second


def test_a_unix_socket_may_speak_tls_too(tls_proxy, authority, tmp_path):
    path = tmp_path / "m2m-proxy.sock"
    proxy = tls_proxy(listener={"address": f"unix:{path}"})
    assert f"listen   unix:{path}   TLS\n" in proxy.messages.text
    assert curl(authority, "--unix-socket", str(path), "https://localhost/api/x").stdout == "200"
    assert proxy.requests_logged(1)[0]["client"] == f"unix:uid={os.getuid()}"


def test_the_header_of_a_load_balancer_comes_before_tls(tls_proxy, authority, tmp_path):
    proxy = tls_proxy(listener={"proxy_protocol": ["127.0.0.0/8"]})
    balancer = Haproxy(tmp_path / "haproxy", f"127.0.0.1:{proxy.address[1]} send-proxy-v2")
    try:
        client = TLSClient(proxy, authority, balancer.address)
        assert client.exchange(get("/api/x")).status == 200
        port = client.socket.getsockname()[1]
        client.close()
        assert proxy.requests_logged(1)[0]["client"] == f"127.0.0.1:{port}"
    finally:
        balancer.stop()


def test_several_listeners_each_have_their_own_tls(start_proxy, origin, authority, certificate, tmp_path):
    path = tmp_path / "m2m-proxy.sock"
    tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    listen = ["127.0.0.1:0", {"address": "127.0.0.1:0", "tls": tls}, "[::1]:0", {"address": "[::1]:0", "tls": tls},
              f"unix:{path}"]
    proxy = start_proxy({"forward_to": origin.url}, listen=listen)
    names = [line.split()[1] for line in proxy.messages.lines if line.startswith("listen ")]
    assert [name.split("://")[0] for name in names[:4]] == ["http", "https", "http", "https"]
    for name in names[:4]:
        assert curl(authority, name + "/api/x").stdout == "200"
    assert curl(authority, "--unix-socket", str(path), "http://localhost/api/x").stdout == "200"


def test_a_target_that_names_the_listener_means_the_path(tls_proxy, origin, authority):
    proxy = tls_proxy()
    client = TLSClient(proxy, authority)
    assert client.exchange(get(https(proxy) + "/api/x")).status == 200
    assert client.exchange(get("https://localhost:%d/api/y" % proxy.address[1])).status == 200
    # By this address nothing is served in plain HTTP.
    assert client.exchange(get("http://127.0.0.1:%d/api/x" % proxy.address[1])).status == 403
    assert [request.target for request in origin.requests] == [b"/x", b"/y"]


def test_a_page_of_our_own_origin_is_not_another_s(tls_proxy, authority):
    proxy = tls_proxy()
    client = TLSClient(proxy, authority)
    host = "localhost:%d" % proxy.address[1]
    assert client.exchange(get("/api/x", f"Origin: https://{host}", host=host)).status == 200
    assert client.exchange(get("/api/x", f"Origin: http://{host}", host=host)).status == 403
    assert client.exchange(get("/api/x", "Origin: https://evil.example", host=host)).status == 403


# Certificates of clients.

def test_a_client_must_show_a_certificate(tls_proxy, origin, authority, client_authority, client_certificate):
    proxy = tls_proxy(tls={"client_ca": str(client_authority.file)})
    client = TLSClient(proxy, authority, client=client_certificate)
    assert client.exchange(get("/api/x")).status == 200
    arguments = ["--cert", str(client_certificate.certificate), "--key", str(client_certificate.key)]
    assert curl(authority, *arguments, https(proxy) + "/api/x").stdout == "200"
    assert curl(authority, https(proxy) + "/api/x").returncode != 0
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_client_certificate" in line and "showed no certificate" in line
    assert 'hint="client_certificates of the listener is required' in line
    assert len(origin.requests) == 2


def test_a_client_may_show_one_but_none_of_another_authority(tls_proxy, origin, authority, client_authority, client_certificate):
    proxy = tls_proxy(tls={"client_ca": str(client_authority.file), "client_certificates": "optional"})
    assert curl(authority, https(proxy) + "/api/x").stdout == "200"
    arguments = ["--cert", str(client_certificate.certificate), "--key", str(client_certificate.key)]
    assert curl(authority, *arguments, https(proxy) + "/api/x").stdout == "200"
    stranger = authority.issue("stranger", "stranger.internal")
    answer = curl(authority, "--cert", str(stranger.certificate), "--key", str(stranger.key), https(proxy) + "/api/x")
    assert answer.returncode != 0
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_client_certificate" in line and "is not accepted" in line and "client_ca of the listener" in line
    assert len(origin.requests) == 2


@pytest.mark.parametrize("name", ["CN=erp", "dns:erp.internal"])
def test_the_certificate_identifies_the_caller(tls_proxy, authority, client_authority, client_certificate, name):
    tls = {"client_ca": str(client_authority.file), "client_certificates": "optional"}
    proxy = tls_proxy({"callers": ["erp"]}, tls=tls, callers={"erp": {"certificate": name}})
    client = TLSClient(proxy, authority, client=client_certificate)
    assert client.exchange(get("/api/x")).status == 200
    client.close()
    anonymous = TLSClient(proxy, authority)
    assert anonymous.exchange(get("/api/x")).status == 403
    anonymous.close()
    assert [line.get("caller") for line in proxy.requests_logged(2)] == ["erp", None]


def test_a_load_balancer_is_not_the_caller(start_proxy, origin, tmp_path):
    """Its user on the Unix socket is not that of the client that it passes on."""
    path = tmp_path / "m2m-proxy.sock"
    proxy = start_proxy(
        {"forward_to": origin.url, "callers": ["cron"]}, callers={"cron": {"uid": os.getuid()}},
        listen=[{"address": f"unix:{path}", "proxy_protocol": "on"}])
    assert proxy.connect(path).exchange(b"PROXY UNKNOWN\r\n" + get("/api/x")).status == 200
    passed_on = b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 80\r\n"
    assert proxy.connect(path).exchange(passed_on + get("/api/x")).status == 403


# New certificates.

def shown(proxy, authority) -> int:
    """The serial number of the certificate that a new connection is shown."""
    client = TLSClient(proxy, authority)
    try:
        return int(client.socket.getpeercert()["serialNumber"], 16)
    finally:
        client.close()


def replace(target, source) -> None:
    """As programs that renew certificates do: by renaming."""
    for name, path in [("certificate.pem", source.certificate), ("key.pem", source.key)]:
        shutil.copy(path, target / "new")
        os.replace(target / "new", target / name)


def test_a_renewed_certificate_is_shown_without_a_restart(tls_proxy, authority, certificate, tmp_path):
    files = tmp_path / "tls"
    files.mkdir()
    replace(files, certificate)
    proxy = tls_proxy(tls={"certificate": str(files / "certificate.pem"), "key": str(files / "key.pem")})
    first = shown(proxy, authority)
    open_before = TLSClient(proxy, authority)
    replace(files, authority.issue("renewed", "localhost", "127.0.0.1"))
    poll(lambda: shown(proxy, authority) != first, "the new certificate")
    proxy.log.wait_for("event=tls certificate=reloaded listener=127.0.0.1:%d" % proxy.address[1])
    assert open_before.exchange(get("/api/x")).status == 200


def test_files_that_cannot_be_used_leave_the_old_certificate_with_one_warning(tls_proxy, authority, certificate, tmp_path):
    files = tmp_path / "tls"
    files.mkdir()
    replace(files, certificate)
    proxy = tls_proxy(tls={"certificate": str(files / "certificate.pem"), "key": str(files / "key.pem")})
    first = shown(proxy, authority)
    (files / "new").write_text("no certificate at all\n")
    os.replace(files / "new", files / "certificate.pem")
    poll(lambda: shown(proxy, authority) == first and "certificate=kept" in proxy.log.text, "the warning")
    line = proxy.log.wait_for("certificate=kept")
    assert "level=warning" in line and "holds no certificate" in line and "hint=" in line
    (files / "certificate.pem").unlink()
    poll(lambda: shown(proxy, authority) == first and proxy.log.text.count("certificate=kept") == 2, "the next one")
    renewed = authority.issue("renewed-later", "localhost", "127.0.0.1")
    replace(files, renewed)
    poll(lambda: shown(proxy, authority) != first, "the new certificate")


@pytest.mark.parametrize("change, message", [
    ({"certificate": "/nowhere/x.pem"}, "listen[0].tls.certificate names the file /nowhere/x.pem, which cannot be read"),
    ({"client_certificates": "optional"}, "listen[0].tls.client_certificates needs client_ca"),
    ({"client_ca": "/dev/null"}, "listen[0].tls.client_ca names the file /dev/null, which is not a regular file"),
    ({"cert": "x"}, 'unknown setting "cert"; did you mean "certificate"?'),
])
def test_a_problem_in_proxy_conf_is_reported(binary, tmp_path, certificate, change, message):
    tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)} | change
    (tmp_path / "proxy.conf").write_text(proxy_conf({
        "listen": [{"address": "127.0.0.1:0", "tls": tls}],
        "routes": [{"name": "a", "match": "a.internal", "credentials": "none", "forward_to": "http://127.0.0.1:9"}]}))
    ended = run([str(binary), "check", "--config", str(tmp_path / "proxy.conf")], env=clean_environment())
    assert ended.returncode == 64 and message in ended.stderr, ended.stderr


# Handshakes that fail.

def test_plain_http_to_a_tls_listener_gets_an_explanation(tls_proxy, origin):
    proxy = tls_proxy()
    client = proxy.connect()
    answer = client.exchange(get("/api/x"))
    assert answer.status == 400 and origin.requests == []
    problem = json.loads(answer.body)
    assert "this listener speaks TLS" in problem["detail"] and "https://" in problem["hint"]
    client.expect_end()
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_expected" in line and "plain HTTP" in line and "https://" in line
    assert proxy.sample("m2m_proxy_errors_total", kind="tls_expected", hop="client") == 1


def test_tls_to_a_plain_listener_gets_an_explanation(proxy, authority):
    client = proxy.connect()
    hello = ssl.MemoryBIO()
    tls = trusting(authority).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    answer = client.send(hello.read()).answer()
    problem = json.loads(answer.body)
    assert answer.status == 400 and "TLS handshake" in problem["detail"] and "http://" in problem["hint"]
    line = proxy.requests_logged(1)[0]
    assert line["error"] == "malformed_request" and "TLS handshake" in line["detail"]


def test_what_is_neither_is_closed(tls_proxy):
    proxy = tls_proxy()
    client = proxy.connect().send(b"\0\1\2\3")
    try:
        client.expect_end()
    except ConnectionResetError:
        pass
    line = proxy.log.wait_for("event=tls")
    assert "is not TLS" in line


def test_a_client_that_does_not_trust_the_certificate(tls_proxy, client_authority):
    proxy = tls_proxy()
    with pytest.raises(ssl.SSLCertVerificationError):
        TLSClient(proxy, client_authority)
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_distrusted" in line and "unknown_ca" in line and "hint=" in line


def test_a_client_too_old(tls_proxy, authority):
    proxy = tls_proxy()
    answer = run(["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect", "127.0.0.1:%d" % proxy.address[1]],
                 input="")
    assert answer.returncode != 0
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_version" in line and "TLS 1.1 at most" in line and "tls.minimum of the listener" in line


def test_a_client_that_leaves_in_the_middle(tls_proxy, authority):
    proxy = tls_proxy()
    client = proxy.connect().send(b"\x16\x03\x01\x02\0\x01")
    client.close()
    assert "error=tls_closed" in proxy.log.wait_for("event=tls")


def test_a_handshake_has_only_so_much_time(tls_proxy, authority):
    proxy = tls_proxy(timeouts={"handshake": "200ms"})
    client = proxy.connect().send(b"\x16\x03\x01\x02\0\x01")
    client.expect_end()
    line = proxy.log.wait_for("event=tls")
    assert "error=tls_timeout" in line and "timeouts.handshake" in line
    # Without a single byte it is no handshake, and no mistake.
    proxy.connect().expect_end()
    assert proxy.sample("m2m_proxy_errors_total", kind="tls_timeout") == 1


def test_a_handshake_keeps_no_other_client_waiting(tls_proxy, authority):
    proxy = tls_proxy(loops=1)
    slow = [proxy.connect().send(b"\x16\x03\x01\x02\0\x01") for _ in range(8)]
    client = TLSClient(proxy, authority)
    assert client.exchange(get("/api/x")).status == 200
    client.close()
    for each in slow:
        each.close()


def test_handshakes_that_fail_do_not_fill_the_log(tls_proxy):
    proxy = tls_proxy(loops=1)
    for _ in range(30):
        answer = proxy.connect().exchange(get("/api/x"))
        assert answer.status == 400
    assert proxy.sample("m2m_proxy_errors_total", kind="tls_expected") == 30
    proxy.log.wait_for("event=tls", 10)
    # Ten in ten seconds, on a machine that is not slower than ten requests in that time.
    assert proxy.log.text.count("event=tls") < 30


def test_too_many_connections_are_closed_before_tls(tls_proxy, authority):
    proxy = tls_proxy(limits={"connections_per_client": 1})
    client = TLSClient(proxy, authority)
    assert client.exchange(get("/api/x")).status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TLSClient(proxy, authority)
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="connections_per_client") == 1
    assert client.exchange(get("/api/x")).status == 200
    client.close()


def test_requests_that_run_are_finished_when_the_proxy_stops(tls_proxy, authority):
    proxy = tls_proxy()
    client = TLSClient(proxy, authority)
    waiting = proxy.connect().send(b"\x16\x03\x01")
    client.socket.sendall(get("/api/x")[:-2])
    poll(lambda: proxy.sample("m2m_proxy_connections") == 2, "the connections")
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("^draining")
    waiting.close()
    answer = client.exchange(b"\r\n")
    assert answer.status == 200
    client.close()
    assert proxy.wait() == 0


# Tunnels on a connection that is TLS already.

def test_a_blind_tunnel_inside_tls(tls_proxy, nginx, authority):
    host = nginx.authority("tls")
    proxy = tls_proxy({"match": host, "mount": None, "audience": None, "forward_to": None, "tunnel": "blind"})
    arguments = ["--proxy", https(proxy), "--proxy-cacert", str(authority.file), f"https://{host}/small.txt"]
    assert curl(authority, *arguments).stdout == "200"
    assert proxy.requests_logged(1)[0]["method"] == "CONNECT"


def test_a_tunnel_inside_tls_ends_when_a_slow_client_has_everything(tls_proxy, origin, authority):
    sent = content.content(8_000_000)

    def tell(connection):
        connection.expect_close()
        connection.send(sent)
        connection.close()

    origin.script(tell)
    match = {"match": origin.authority, "mount": None, "audience": None, "forward_to": None, "tunnel": "blind"}
    client = TLSClient(tls_proxy(match), authority, receive_buffer=4096)
    client.socket.sendall(f"CONNECT {origin.authority} HTTP/1.1\r\nHost: {origin.authority}\r\n\r\n".encode())
    assert wire.read_answer_head(client.reader).status == 200
    # Nothing more will come from here, so that the tunnel ends with what comes from there.
    client.socket.settimeout(0)
    with pytest.raises(ssl.SSLWantReadError):
        client.socket.unwrap()
    client.socket.settimeout(PATIENCE)
    received = bytearray(client.reader.take_buffered())
    # The proxy waits for room all the time, at the end as well.
    with pytest.raises(ssl.SSLZeroReturnError):  # Python's way to say that close_notify has come after its own.
        while True:
            received += client.socket.recv(16_384)
    client.close()
    assert received == sent


def test_interception_inside_tls(tls_proxy, origin, authority, interception, authlib, tmp_path):
    proxy = tls_proxy({"tunnel": "intercept"}, interception=interception.settings)
    content = bytes(range(256)) * 4096
    (tmp_path / "content").write_bytes(content)
    result = run(["curl", "-sS", "--proxy", https(proxy), "--proxy-cacert", str(authority.file), "--cacert",
                  str(interception.file), "-H", "Expect:", "--data-binary", f"@{tmp_path / 'content'}",
                  "https://api.internal/a", "https://api.internal/b"], env=clean_environment())
    assert (result.returncode, result.stdout) == (0, "okok"), result.stderr
    assert [(request.target, request.body == content) for request in origin.requests] == [(b"/a", True), (b"/b", True)]
    assert origin.requests[0].value("authorization") == b"Bearer " + authlib.tokens[0].encode()
    # Plain HTTP inside the tunnel is that, whatever is around it.
    result = run(["curl", "-sS", "--proxytunnel", "--proxy", https(proxy), "--proxy-cacert", str(authority.file),
                  "http://api.internal/c"], env=clean_environment())
    assert (result.returncode, result.stdout) == (0, "ok"), result.stderr
