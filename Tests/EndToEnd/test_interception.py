"""CONNECT to a host whose route says `tunnel: intercept`: TLS ends at the proxy, and requests inside get their token."""

import hashlib
import json
import signal
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.client import get, post
from harness.intercepting import TunnelClient
from harness.output import run
from harness.proxy import clean_environment
from harness.recipe import MadeAuthority

HOST = "api.internal"


@pytest.fixture
def proxy(start_proxy, interception, origin):
    return start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=interception.settings)


@pytest.fixture
def connect(interception):
    """Opens tunnels in which TLS is spoken with the proxy: `connect(proxy, "api.internal:443")`."""
    clients = []

    def connect(proxy, target=f"{HOST}:443", name=HOST, context=None, session=None, fields=()) -> TunnelClient:
        client = TunnelClient(proxy.address, target, *fields)
        clients.append(client)
        return client.start_tls(context or interception.context(), name, session)

    yield connect
    for client in clients:
        client.close()


def curl(proxy, *arguments):
    return run(["curl", "-sS", "--max-time", "50", "--proxy", proxy.url, *map(str, arguments)], env=clean_environment())


def unverified(alpn=None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def test_curl_gets_https_urls_with_a_token_two_on_one_connection(proxy, origin, authlib, interception):
    result = curl(proxy, "--cacert", interception.file, f"https://{HOST}/orders?id=7", f"https://{HOST}/v1/x",
                  "-w", "%{http_connect} %{http_version} %{num_connects}\n", "-d", "some text")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "ok200 1.1 1\nok000 1.1 0\n"
    assert [(request.method, request.target, request.body) for request in origin.requests] == [
        (b"POST", b"/orders?id=7", b"some text"), (b"POST", b"/v1/x", b"some text")]
    assert {request.value("authorization") for request in origin.requests} == {b"Bearer " + authlib.tokens[0].encode()}
    assert {request.value("host") for request in origin.requests} == {origin.authority.encode()}
    lines = proxy.requests_logged(3)
    assert [(line["method"], line["host"], line["status"], line["route"]) for line in lines] == [
        ("CONNECT", HOST, "200", "api"), ("POST", HOST, "200", "api"), ("POST", HOST, "200", "api")]
    assert lines[1]["path"] == "/orders"


def test_certificates_of_an_rsa_authority_have_rsa_keys(start_proxy, binary, tmp_path, origin):
    authority = MadeAuthority(binary, tmp_path, keys="rsa-3072")
    proxy = start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=authority.settings)
    # A client that knows RSA alone, as Mono's stores do.
    context = ssl.create_default_context(cafile=str(authority.root))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aRSA")
    client = TunnelClient(proxy.address, f"{HOST}:443").start_tls(context, HOST)
    assert isinstance(x509.load_der_x509_certificate(client.socket.getpeercert(True)).public_key(), rsa.RSAPublicKey)
    assert client.exchange(get("/")).status == 200
    client.close()


def test_the_upstream_is_https_where_forward_to_does_not_say_otherwise(start_proxy, interception, tls_origin, authority):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": tls_origin.url}, interception=interception.settings,
                        tls={"ca_file": str(authority.file)})
    result = curl(proxy, "--cacert", interception.file, f"https://{HOST}/")
    assert result.stdout == "ok", result.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_certificate_is_for_the_host_and_sessions_are_resumed(proxy, connect, interception, version):
    context = interception.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = connect(proxy, context=context)
    assert client.exchange(get("/")).status == 200
    assert client.socket.selected_alpn_protocol() == "http/1.1"
    assert ("DNS", HOST) in client.socket.getpeercert()["subjectAltName"]
    again = connect(proxy, context=context, session=client.socket.session)
    assert again.exchange(get("/")).status == 200
    assert again.socket.session_reused and again.socket.version() == client.socket.version()


def test_an_address_has_a_certificate_too(start_proxy, interception, origin, connect):
    proxy = start_proxy({"match": "127.0.0.9", "tunnel": "intercept", "forward_to": origin.url},
                        interception=interception.settings)
    client = connect(proxy, "127.0.0.9:443", name="127.0.0.9")
    assert client.exchange(get("/", host="127.0.0.9")).body == b"ok"
    assert client.socket.getpeercert()["subjectAltName"] == (("IP Address", "127.0.0.9"),)


def test_a_wildcards_hosts_each_have_a_certificate_of_their_own(start_proxy, interception, origin, connect):
    proxy = start_proxy({"match": "*.shop.example", "tunnel": "intercept", "forward_to": origin.url},
                        interception=interception.settings)
    for host in ["a.shop.example", "b.c.shop.example", "A.Shop.Example."]:
        client = connect(proxy, f"{host}:443", name=host.rstrip("."))
        assert client.exchange(get("/", host=host)).body == b"ok"


@pytest.mark.parametrize("port", [80, 443])
def test_plain_http_inside_a_tunnel_is_http(proxy, origin, authlib, port):
    with TunnelClient(proxy.address, f"{HOST}:{port}") as client:
        assert client.confirmation.status == 200
        for number in range(2):
            assert client.exchange(get(f"/{number}", host=f"{HOST}:{port}")).body == b"ok"
        # In either form, as from clients that talk to a server.
        assert client.exchange(get(f"http://{HOST}:{port}/abs")).body == b"ok"
    assert [request.target for request in origin.requests] == [b"/0", b"/1", b"/abs"]
    assert origin.requests[0].value("authorization") == b"Bearer " + authlib.tokens[0].encode()


def test_the_first_request_may_come_with_connect_itself(proxy):
    client = proxy.connect().send(get(f"{HOST}:80", method="CONNECT", host=HOST) + get("/early", host=HOST))
    assert client.head().status == 200
    assert client.answer().body == b"ok"


@pytest.mark.parametrize(("request_bytes", "detail"), [
    (get("/", host="other.internal"), "CONNECT named api.internal:443, but the request inside names other.internal."),
    (get("/", host=f"{HOST}:8443"), "CONNECT named api.internal:443, but the request inside names api.internal:8443."),
    (get("https://other.internal/", host=HOST), "CONNECT named api.internal:443, but the request inside names other.internal."),
    (get(f"http://{HOST}/"), "The scheme of the request's target is not the one that is used inside the tunnel to api.internal:443."),
])
def test_a_request_for_another_host_than_the_tunnels_is_misdirected(proxy, connect, origin, request_bytes, detail):
    client = connect(proxy)
    answer = client.exchange(request_bytes)
    assert answer.status == 421 and answer.value("content-type") == b"application/problem+json"
    assert json.loads(answer.body)["detail"] == detail
    # The connection is as good as before.
    assert client.exchange(get("/")).status == 200
    assert [request.target for request in origin.requests] == [b"/"]
    assert proxy.requests_logged(2)[1]["error"] == "misdirected"


@pytest.mark.parametrize("request_bytes", [
    get("/", host="API.Internal:443"), get("/", host=f"{HOST}."), get(f"https://{HOST}/"), get(f"https://{HOST}:443/"),
    b"GET / HTTP/1.0\r\n\r\n",
])
def test_the_tunnels_host_may_be_written_in_any_way(proxy, connect, request_bytes):
    assert connect(proxy).exchange(request_bytes).body == b"ok"


def test_another_name_in_tls_than_in_connect_is_misdirected(start_proxy, interception, origin, connect):
    proxy = start_proxy({"match": [HOST, "other.internal"], "tunnel": "intercept", "forward_to": origin.url},
                        interception=interception.settings)
    # It is intercepted too: the client is shown a certificate with which it can read the answer.
    answer = connect(proxy, name="other.internal").exchange(get("/", host="other.internal"))
    assert answer.status == 421
    assert json.loads(answer.body)["detail"] == "CONNECT named api.internal:443, but TLS (SNI) named other.internal."
    # It is not.
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(proxy, name="third.internal")
    answer = connect(proxy, name="third.internal", context=unverified()).exchange(get("/"))
    assert answer.status == 421
    assert origin.requests == []


def test_no_tunnel_leads_out_of_a_tunnel(proxy, connect):
    answer = connect(proxy).exchange(get("x.example:443", host="x.example:443", method="CONNECT"), to="CONNECT")
    assert answer.status == 403
    assert "came inside the tunnel to api.internal:443" in json.loads(answer.body)["detail"]


def test_ports_are_those_that_are_named(start_proxy, interception, origin, connect):
    proxy = start_proxy({"match": [f"{HOST}", "x.internal:8443"], "tunnel": "intercept", "forward_to": origin.url},
                        interception=interception.settings)
    assert connect(proxy, "x.internal:8443", name="x.internal").exchange(get("/", host="x.internal:8443")).body == b"ok"
    for target in [f"{HOST}:8443", "x.internal:443"]:
        with TunnelClient(proxy.address, target) as client:
            assert client.confirmation.status == 403, client.confirmation
    refused = [line for line in proxy.requests_logged(4) if line.get("error") == "tunnel_port"]
    assert len(refused) == 2 and all("80, 443, 8443" in line["detail"] for line in refused)


def test_the_refusal_for_a_host_without_interception_shows_how_to_enable_it(start_proxy, interception, origin):
    proxy = start_proxy({"forward_to": origin.url})
    answer = proxy.connect().exchange(get(f"{HOST}:443", host=HOST, method="CONNECT"), to="CONNECT")
    assert answer.status == 403 and "tunnel: intercept" in json.loads(answer.body)["hint"]
    answer = proxy.connect().exchange(get("unknown.example:443", host=HOST, method="CONNECT"), to="CONNECT")
    assert answer.status == 403 and "tunnel: intercept" in json.loads(answer.body)["hint"]


def test_routes_by_path_count_inside_with_all_their_rules(start_proxy, interception, origin, connect):
    proxy = start_proxy(
        {"match": f"{HOST}/v1/", "tunnel": "intercept", "forward_to": origin.url, "methods": ["GET"]},
        {"name": "two", "match": f"{HOST}/v2/", "mount": None, "forward_to": origin.url, "allow": ["10.0.0.0/8"]},
        interception=interception.settings)
    client = connect(proxy)
    assert client.exchange(get("/v1/x")).status == 200
    assert client.exchange(get("/v1/x", method="DELETE")).status == 405
    assert client.exchange(get("/v2/x")).status == 403
    answer = client.exchange(get("/v3/x"))
    assert (answer.status, json.loads(answer.body)["title"]) == (403, "No route")


def test_a_client_that_does_not_trust_the_authority_is_logged_with_the_remedy(proxy):
    result = curl(proxy, f"https://{HOST}/")
    assert result.returncode == 60, result.stderr
    line = proxy.requests_logged(1)[0]
    assert (line["method"], line["error"]) == ("CONNECT", "tls_distrusted")
    assert "unknown_ca" in line["detail"] and "m2m-proxy ca trust" in line["detail"]


def test_a_client_that_leaves_without_a_request_is_logged_too(proxy, connect):
    connect(proxy, context=unverified()).close()
    line = proxy.log.wait_for("event=tunnel")
    assert f"host={HOST}:443" in line and "m2m-proxy ca trust" in line


@pytest.mark.parametrize("resets", [False, True])
def test_a_client_that_leaves_in_the_handshake_may_not_trust_the_authority(proxy, resets):
    with TunnelClient(proxy.address, f"{HOST}:443") as client:
        hello = ssl.MemoryBIO()
        session = unverified().wrap_bio(ssl.MemoryBIO(), hello, server_hostname=HOST)
        with pytest.raises(ssl.SSLWantReadError):
            session.do_handshake()
        client.send(hello.read())
        # Closing with something unread is a reset.
        assert client.socket.recv(1 << 16, socket.MSG_PEEK if resets else 0)
    line = proxy.requests_logged(1)[0]
    assert line["error"] == "tls_closed" and "m2m-proxy ca trust" in line["detail"]


def test_a_tunnel_without_tls_ends_with_a_line_that_says_so(proxy):
    for sent, errors in [(b"\x16\x03\x01\x00\x05hello", {"tls_broken", "tls_expected"}), (b"\x16\x03", {"tls_closed"})]:
        before = len([line for line in proxy.log.lines if "event=request" in line])
        with TunnelClient(proxy.address, f"{HOST}:443") as client:
            client.send(sent)
            client.socket.shutdown(1)
            while client.socket.recv(1000):
                pass
        assert proxy.requests_logged(before + 1)[before]["error"] in errors
    with TunnelClient(proxy.address, f"{HOST}:443") as client:
        assert client.exchange(b"SSH-2.0-OpenSSH_9\r\n\r\n").status == 400


def test_a_client_of_http2_only_gets_an_alert_and_a_line_in_the_log(proxy):
    with TunnelClient(proxy.address, f"{HOST}:443") as client:
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            client.start_tls(unverified(["h2"]), HOST)
    assert proxy.requests_logged(1)[0]["error"] == "tls_incompatible"


def test_handshakes_have_a_time(start_proxy, interception, origin):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=interception.settings,
                        timeouts={"handshake": "300ms"})
    for sent in [b"", b"\x16\x03\x01"]:
        with TunnelClient(proxy.address, f"{HOST}:443") as client:
            client.send(sent)
            assert client.reader.at_end()
    assert [line["error"] for line in proxy.requests_logged(2)] == ["tls_timeout", "tls_timeout"]


def test_large_responses_of_a_tls_upstream_arrive_whole(start_proxy, interception, nginx, authority, tmp_path):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": nginx.url("tls")}, interception=interception.settings,
                        tls={"ca_file": str(authority.file)})
    result = curl(proxy, "--cacert", interception.file, f"https://{HOST}/1048576.bin", "-o", tmp_path / "got")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "got").read_bytes() == (nginx.www / "1048576.bin").read_bytes()


def test_large_content_is_uploaded_whole_in_any_framing(proxy, origin, interception, tmp_path):
    content = hashlib.shake_256(b"content").digest(5 << 20)
    (tmp_path / "content").write_bytes(content)
    for fields in [[], ["-H", "Transfer-Encoding: chunked"]]:
        result = curl(proxy, "--cacert", interception.file, *fields, "-H", "Expect:", "-T", tmp_path / "content",
                      f"https://{HOST}/upload")
        assert (result.returncode, result.stdout) == (0, "ok"), result.stderr
    assert [request.body == content for request in origin.requests] == [True, True]


def test_an_error_of_the_proxy_is_read_inside_the_tunnel(start_proxy, interception, connect, refusing_port):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": f"http://127.0.0.1:{refusing_port}"},
                        interception=interception.settings)
    client = connect(proxy)
    for _ in range(2):
        answer = client.exchange(get("/"))
        assert answer.status == 502 and json.loads(answer.body)["route"] == "api"


def test_a_tunnel_that_has_been_idle_for_long_is_served_and_drained(start_proxy, interception, origin, connect):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=interception.settings,
                        timeouts={"head": "300ms"})
    client, late = connect(proxy), connect(proxy)
    for _ in range(2):
        assert client.exchange(get("/")).status == 200
        # What is waited for is that another one's time is over.
        assert late.send(b"GET").answer().status == 408
        late = connect(proxy)
    proxy.signal(signal.SIGTERM)
    client.expect_end()
    late.expect_end()
    assert proxy.wait() == 0


def test_idle_tunnels_end_when_the_proxy_drains(proxy, connect):
    client = connect(proxy)
    assert client.exchange(get("/")).status == 200
    proxy.signal(signal.SIGTERM)
    client.expect_end()
    assert proxy.wait() == 0


def test_requests_of_web_pages_are_refused_inside_as_well(proxy, connect, origin):
    client = connect(proxy)
    assert client.exchange(get("/", "Origin: https://evil.example")).status == 403
    assert client.exchange(get("/", f"Origin: http://{HOST}")).status == 403
    assert client.exchange(get("/", f"Origin: https://{HOST}")).status == 200


def test_a_connections_limit_of_requests_counts_those_inside(start_proxy, interception, origin, connect):
    proxy = start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=interception.settings,
                        limits={"requests_per_connection": 2})
    client = connect(proxy)
    assert client.exchange(get("/")).value("connection") is None
    assert client.exchange(get("/")).value("connection") == b"close"
    client.expect_end()
