"""A server that refuses TLS says why in an alert: the proxy names it, and says what to set."""

import json
import shutil
import subprocess

import pytest

from harness.certificates import CertificateAuthority
from harness.client import get
from harness.waiting import PATIENCE, poll

URL = "http://api.internal/"

# The alerts of RFC 8446 section 6, and what the hint is about.
ALERTS = {
    "handshake_failure": (40, "cipher suites"), "bad_certificate": (42, "client_certificate"),
    "unsupported_certificate": (43, "client_certificate"), "certificate_revoked": (44, "client_certificate"),
    "certificate_expired": (45, "client_certificate"), "certificate_unknown": (46, "client_certificate"),
    "unknown_ca": (48, "client_certificate"), "access_denied": (49, "client_certificate"),
    "decrypt_error": (51, "client_certificate"), "protocol_version": (70, "TLS 1.2 or later is required"),
    "insufficient_security": (71, "cipher suites"), "internal_error": (80, "The server's log"),
    "unrecognized_name": (112, "(SNI)"), "certificate_required": (116, "set client_certificate of the route api"),
    "no_application_protocol": (120, "ALPN"),
}


def refusal(proxy) -> dict:
    answer = proxy.connect().exchange(get(URL))
    assert answer.status == 502 and b"error=tls_alert_received" in answer.value("proxy-status")
    assert proxy.requests_logged(1)[0]["error"] == "upstream_tls"
    return json.loads(answer.body)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_in_place_of_a_handshake_is_named_with_a_hint(start_proxy, origin, name):
    number, about = ALERTS[name]

    def refuse(connection):
        assert not connection.at_end()  # The ClientHello.
        connection.send(bytes([0x15, 3, 3, 0, 2, 2, number]))
        connection.expect_close()

    origin.otherwise = refuse
    problem = refusal(start_proxy({"forward_to": origin.url.replace("http:", "https:")}))
    assert f"the alert {name} ({number})" in problem["detail"] and about in problem["hint"]
    if name != "protocol_version":
        assert "TLS 1.2" not in problem["hint"]


@pytest.fixture
def serve(authority, tmp_path, free_port):
    """Starts openssl's server on 127.0.0.1 with more options."""
    servers = []
    certificate = authority.issue("alerts", "127.0.0.1")

    def serve(*options: str) -> str:
        openssl = shutil.which("openssl")
        assert openssl, "Debian's package openssl is needed"
        with open(tmp_path / "server", "wb") as output:
            servers.append(subprocess.Popen(
                [openssl, "s_server", "-accept", f"127.0.0.1:{free_port}", "-cert", certificate.certificate, "-key",
                 certificate.key, "-www", *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output))
        poll(lambda: b"ACCEPT" in (tmp_path / "server").read_bytes(), "the server")
        return f"https://127.0.0.1:{free_port}"

    yield serve
    for server in servers:
        server.terminate()
        server.wait(PATIENCE)


@pytest.mark.parametrize("version, alert", [("-tls1_3", "certificate_required (116)"), ("-tls1_2", "handshake_failure (40)")])
def test_a_server_that_requires_a_client_certificate_is_reported(start_proxy, serve, authority, version, alert):
    """In TLS 1.3 the alert comes when the handshake is over to the client, and the request is on its way."""
    upstream = serve(version, "-Verify", "1")
    problem = refusal(start_proxy({"forward_to": upstream}, tls={"ca_file": str(authority.file)}))
    assert alert in problem["detail"] and "set client_certificate of the route api" in problem["hint"]


@pytest.mark.parametrize("version", ["-tls1_3", "-tls1_2"])
def test_a_server_that_rejects_the_client_certificate_is_reported(start_proxy, serve, authority, tmp_path, version):
    directory = tmp_path / "stranger"
    directory.mkdir()
    certificate = CertificateAuthority(directory, "another CA").issue("stranger", "stranger")
    certificate.key.chmod(0o400)
    upstream = serve(version, "-Verify", "1", "-verify_return_error", "-CAfile", str(authority.file))
    proxy = start_proxy(
        {"forward_to": upstream, "client_certificate": {
            "certificate": str(certificate.certificate), "key": str(certificate.key)}},
        tls={"ca_file": str(authority.file)})
    problem = refusal(proxy)
    assert "unknown_ca (48)" in problem["detail"] and "does not accept the certificate of client_certificate" in problem["hint"]


def test_a_server_without_http_1_1_is_reported(start_proxy, serve, authority):
    upstream = serve("-alpn", "h2")
    problem = refusal(start_proxy({"forward_to": upstream}, tls={"ca_file": str(authority.file)}))
    assert "no_application_protocol (120)" in problem["detail"] and "HTTP/1.1 alone" in problem["hint"]


def test_a_token_endpoint_that_requires_a_client_certificate_is_reported(start_proxy, origin, serve, authority, authlib):
    endpoint = serve("-tls1_3", "-Verify", "1")
    credentials = {"idp": {"token_endpoint": f"{endpoint}/token", "client_id": "x", "client_secret": "${CLIENT_SECRET}"}}
    proxy = start_proxy({"forward_to": origin.url}, credentials=credentials, tls={"ca_file": str(authority.file)})
    answer = proxy.connect().exchange(get(URL))
    assert answer.status == 503 and b"certificate_required (116)" in answer.body and b"client_certificate" in answer.body


def test_a_server_that_wants_no_certificate_is_served_as_before(start_proxy, serve, authority):
    proxy = start_proxy({"forward_to": serve()}, tls={"ca_file": str(authority.file)})
    assert proxy.connect().exchange(get(URL)).status == 200
