"""`minimum` of a listener's `tls` and of `interception`: which versions of TLS clients may speak, and what comes with old ones.

Clients are `openssl s_client`, Python's ssl, and Java, which still speaks as Java 6 does if it is told to."""

import re
import socket
import ssl
import subprocess
import warnings
from pathlib import Path

import pytest
from cryptography import x509

from harness.certificates import CertificateAuthority
from harness.client import get
from harness.intercepting import TunnelClient
from harness.java import compiled, proxy_options, trust_options
from harness.output import run
from harness.proxy import clean_environment
from harness.recipe import MadeAuthority
from harness.waiting import PATIENCE

HOST = "api.internal"
VERSIONS = {"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}
EVERYTHING = "ALL:eNULL:@SECLEVEL=0"
WITH_RSA_KEYS = ["ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "AES128-SHA", "AES256-SHA"]
PYTHON = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2,
          "1.3": ssl.TLSVersion.TLSv1_3}

# The ClientHello of OpenSSL 0.9.8 without extensions: the form of SSL 2.0, TLS 1.0, AES128-SHA and AES256-SHA.
OLD_HELLO = bytes.fromhex("802d 01 0301 0006 0000 001e 00002f 000035") + b"\x5a" * 30


@pytest.fixture(scope="session")
def rsa_authority(tmp_path_factory, binary):
    return MadeAuthority(binary, tmp_path_factory.mktemp("rsa-authority"), keys="rsa-3072")


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("old-clients", HOST, key_type="rsa")


@pytest.fixture
def served(start_proxy, origin, certificate, rsa_authority):
    """Starts a proxy with this minimum on its listener, or inside tunnels."""
    def start(place: str, minimum: str | None, tls: dict = {}, **environment: str):
        setting = {} if minimum is None else {"minimum": minimum}
        if place == "interception":
            return start_proxy({"forward_to": origin.url, "tunnel": "intercept"},
                               interception=rsa_authority.settings | setting, environment=environment)
        tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)} | tls | setting
        return start_proxy({"forward_to": origin.url}, listen=[{"address": "127.0.0.1:0", "tls": tls}],
                           environment=environment)
    return start


def agreed(proxy, place: str, *options: str) -> tuple[str, str] | None:
    """The version and the cipher that s_client agrees on; None when the handshake is refused."""
    there = "%s:%d" % proxy.address
    where = ["-proxy", there, "-connect", f"{HOST}:443"] if place == "interception" else ["-connect", there]
    done = run(["openssl", "s_client", *where, "-servername", HOST, *options], stdin=subprocess.DEVNULL,
               env=clean_environment())
    # The first names the oldest version that has the cipher, which is that of SSL for some. 1.3 has no "Protocol" there.
    cipher = re.search(r"^New, (?:TLSv1\.\d|SSLv3), Cipher is ((?!\(NONE\))\S+)$", done.stdout, re.M)
    if not cipher:
        assert re.search("alert handshake failure|alert protocol version", done.stderr), done
        return None
    version = re.search(r"^ +Protocol *: TLSv(\S+)$", done.stdout, re.M)
    return {None: "1.3", "1": "1.0"}.get(version and version[1], version and version[1]), cipher[1]


def python_context(file: Path, version: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(file))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    # Python warns of old versions, which this test is about.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = PYTHON[version]
        context.maximum_version = PYTHON[version]
    return context


@pytest.mark.parametrize("place", ["listener", "interception"])
@pytest.mark.parametrize("minimum", ["1.0", "1.1", None, "1.2", "1.3"])
def test_versions_from_the_minimum_on_are_served_and_no_older_ones(served, place, minimum):
    proxy = served(place, minimum)
    for version, option in VERSIONS.items():
        found = agreed(proxy, place, option, "-cipher", EVERYTHING)
        if version < (minimum or "1.2"):
            assert found is None, found
            line = proxy.log.wait_for(f"TLS {version} at most")
            assert "error=tls_version" in line and f"TLS {minimum or '1.2'} is the oldest" in line
            assert ("interception.minimum" if place == "interception" else "tls.minimum of the listener") in line
        else:
            assert found is not None and found[0] == version
    proxy.messages.wait_for("ready")
    warned = re.search(r"warning .*minimum is (1\.\d), so that weak ciphers", proxy.messages.text)
    assert (warned and warned[1]) == (minimum if minimum in ["1.0", "1.1"] else None)


@pytest.mark.parametrize("place", ["listener", "interception"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_requests_of_old_clients_get_their_token(served, place, version, authority, rsa_authority, authlib, origin):
    proxy = served(place, "1.0")
    if place == "interception":
        client = TunnelClient(proxy.address, f"{HOST}:443").start_tls(python_context(rsa_authority.root, version), HOST)
        tls = client.socket
    else:
        plain = socket.create_connection(proxy.address, timeout=PATIENCE)
        tls = python_context(authority.file, version).wrap_socket(plain, server_hostname=HOST)
    with tls:
        assert tls.version() == {"1.0": "TLSv1", "1.1": "TLSv1.1"}[version]
        tls.sendall(get("/api/orders", host=HOST))
        assert tls.recv(12) == b"HTTP/1.1 200"
    assert origin.wait_for_requests(1)[0].value("authorization") == f"Bearer {authlib.tokens[0]}".encode()


@pytest.mark.parametrize("minimum, encrypts", [("1.0", True), ("1.2", False)])
def test_certificates_for_hosts_are_for_rsa_key_exchange_only_where_it_is_served(served, rsa_authority, minimum, encrypts):
    """Java and Windows refuse RSA key exchange with others."""
    proxy = served("interception", minimum)
    context = ssl.create_default_context(cafile=str(rsa_authority.root))
    with TunnelClient(proxy.address, f"{HOST}:443").start_tls(context, HOST) as client:
        certificate = x509.load_der_x509_certificate(client.socket.getpeercert(True))
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.key_encipherment == encrypts


@pytest.mark.parametrize("place", ["listener", "interception"])
@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_the_ciphers_of_old_versions_are_these(served, place, option):
    proxy = served(place, "1.0")
    for name in WITH_RSA_KEYS:
        assert agreed(proxy, place, option, "-cipher", f"{name}:@SECLEVEL=0")[1] == name
    # The server's order: with forward secrecy if the client can.
    backwards = ":".join(reversed(WITH_RSA_KEYS))
    assert agreed(proxy, place, option, "-cipher", f"{backwards}:@SECLEVEL=0")[1] == WITH_RSA_KEYS[0]
    others = [name for name in run(["openssl", "ciphers", EVERYTHING]).stdout.strip().split(":")
              if not name.startswith("TLS_") and name not in WITH_RSA_KEYS]
    assert {"NULL-SHA", "ADH-AES128-SHA", "AECDH-AES128-SHA", "DHE-RSA-AES128-SHA"} <= set(others)
    assert agreed(proxy, place, option, "-cipher", ":".join(others) + ":@SECLEVEL=0") is None
    assert agreed(proxy, place, "-tls1_2", "-cipher", ":".join(name for name in others if "ECDHE-RSA" not in name)
                  + ":@SECLEVEL=0") is None


@pytest.mark.parametrize("names", ["eNULL", "aNULL", "CAMELLIA", "DHE"])
def test_null_and_anonymous_ciphers_and_others_are_never_served(served, names):
    """RC4, 3DES and export ciphers are not compiled into the OpenSSL of Debian, and not in the proxy's list either."""
    kind = [name for name in run(["openssl", "ciphers", f"{names}:@SECLEVEL=0"]).stdout.strip().split(":")
            if not name.startswith("TLS_")]
    assert kind
    proxy = served("listener", "1.0")
    for option in ["-tls1", "-tls1_2"]:
        assert agreed(proxy, "listener", option, "-cipher", ":".join(kind) + ":@SECLEVEL=0") is None


def test_the_old_ciphers_are_of_that_listener_alone(start_proxy, origin, certificate):
    tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    proxy = start_proxy({"forward_to": origin.url},
                        listen=[{"address": "127.0.0.1:0", "tls": tls | {"minimum": "1.0"}},
                                {"address": "127.0.0.1:0", "tls": tls}])
    proxy.messages.wait_for("ready")
    results = []
    for port in re.findall(r"https://127\.0\.0\.1:(\d+)", proxy.messages.text):
        done = run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"],
                   stdin=subprocess.DEVNULL, env=clean_environment())
        results.append("Cipher is AES128-SHA" in done.stdout)
    assert results == [True, False]


@pytest.mark.parametrize("place", ["listener", "interception"])
def test_upstreams_are_asked_for_tls_1_2_or_later(start_proxy, nginx, authority, certificate, rsa_authority, place):
    tls = {"certificate": str(certificate.certificate), "key": str(certificate.key), "minimum": "1.0"}
    settings = {"listener": {"listen": [{"address": "127.0.0.1:0", "tls": tls}]},
                "interception": {"interception": rsa_authority.settings | {"minimum": "1.0"}}}[place]
    route = {"forward_to": nginx.url("tls11")} | ({"tunnel": "intercept"} if place == "interception" else {})
    proxy = start_proxy(route, tls={"ca_file": str(authority.file)}, **settings)
    if place == "interception":
        tls = TunnelClient(proxy.address, f"{HOST}:443").start_tls(python_context(rsa_authority.root, "1.0"), HOST).socket
    else:
        plain = socket.create_connection(proxy.address, timeout=PATIENCE)
        tls = python_context(authority.file, "1.0").wrap_socket(plain, server_hostname=HOST)
    with tls:
        tls.sendall(get("/api/orders", host=HOST))
        assert tls.recv(12) == b"HTTP/1.1 502"
    assert "error=upstream_tls" in proxy.log.wait_for("status=502")


def test_a_client_that_supports_a_newer_version_is_not_downgraded(served):
    proxy = served("listener", "1.0")
    assert agreed(proxy, "listener", "-cipher", EVERYTHING)[0] == "1.3"
    # What a client says that tries again with less after a failure (RFC 7507).
    done = run(["openssl", "s_client", "-connect", "%s:%d" % proxy.address, "-tls1_1", "-fallback_scsv", "-cipher",
                EVERYTHING], stdin=subprocess.DEVNULL, env=clean_environment())
    assert "inappropriate fallback" in done.stderr


def test_a_client_of_rsa_keys_alone_is_refused_by_an_authority_on_a_curve_and_the_log_says_what_helps(
        start_proxy, made_authority, origin):
    proxy = start_proxy({"forward_to": origin.url, "tunnel": "intercept"},
                        interception=made_authority.settings | {"minimum": "1.0"})
    assert agreed(proxy, "interception", "-tls1", "-cipher", "AES128-SHA:AES256-SHA:@SECLEVEL=0") is None
    assert "ca init --key rsa-3072" in proxy.log.wait_for("error=tls_incompatible")


def test_client_certificates_are_judged_as_on_other_listeners(served, tmp_path):
    strong = CertificateAuthority(tmp_path, "clients")
    good = strong.issue("good", "erp.internal", key_type="rsa")
    weak_key = tmp_path / "weak.key"
    weak = tmp_path / "weak.pem"
    done = run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", str(weak_key), "-out", str(weak),
                "-subj", "/CN=weak", "-days", "2", "-addext", "keyUsage=digitalSignature,keyCertSign"])
    assert done.returncode == 0, done.stderr
    both = tmp_path / "both.pem"
    both.write_bytes(strong.file.read_bytes() + weak.read_bytes())
    proxy = served("listener", "1.0", {"client_ca": str(both)})

    def status(certificate, key) -> bytes:
        done = run(["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", "%s:%d" % proxy.address, "-tls1", "-cipher",
                    EVERYTHING, "-cert", str(certificate), "-key", str(key)], input="", env=clean_environment())
        return done.stderr

    assert "alert" not in status(good.certificate, good.key)
    assert "alert" in status(weak, weak_key)
    line = proxy.log.wait_for("error=tls_client_certificate")
    assert "too weak" in line


def read_record(client: socket.socket) -> bytes:
    received = b""
    while len(received) < 5 or len(received) < 5 + int.from_bytes(received[3:5]):
        more = client.recv(4096)
        assert more, received
        received += more
    return received


@pytest.mark.parametrize("place", ["listener", "interception"])
def test_the_hello_in_the_form_of_ssl_2_is_served(served, place):
    proxy = served(place, "1.0")
    client = TunnelClient(proxy.address, f"{HOST}:443").socket if place == "interception" else \
        socket.create_connection(proxy.address, timeout=PATIENCE)
    with client:
        # In two parts.
        client.sendall(OLD_HELLO[:3])
        client.sendall(OLD_HELLO[3:])
        record = read_record(client)
    # A ServerHello of TLS 1.0 with the first of the ciphers.
    assert record[:3] == b"\x16\x03\x01" and record[5] == 2 and record[9:11] == b"\x03\x01"
    session = record[43]
    assert record[44 + session:46 + session] == b"\x00\x2f"


@pytest.mark.parametrize("place", ["listener", "interception"])
def test_the_hello_in_the_form_of_ssl_2_is_refused_by_default_and_the_log_says_why(served, place):
    proxy = served(place, None)
    client = TunnelClient(proxy.address, f"{HOST}:443").socket if place == "interception" else \
        socket.create_connection(proxy.address, timeout=PATIENCE)
    with client:
        client.sendall(OLD_HELLO)
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            pass
    line = proxy.log.wait_for("error=tls_version")
    assert ("interception.minimum" if place == "interception" else "tls.minimum of the listener") in line
    assert "Java 6" in line


@pytest.fixture(scope="session")
def java_program(tmp_path_factory) -> str:
    return compiled("Fetch", tmp_path_factory.mktemp("java"))


def java(proxy, authority, program, tmp_path, protocols: str) -> subprocess.CompletedProcess:
    """Java's HttpsURLConnection through the proxy, with the protocols and the one cipher of Java 6."""
    security = tmp_path / "java.security"
    security.write_text("jdk.tls.disabledAlgorithms=\njdk.tls.legacyAlgorithms=\n")
    return run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", f"-Djava.security.properties={security}",
                *proxy_options(proxy, "https"), *trust_options(tmp_path / "truststore.p12", authority.root),
                f"-Dhttps.protocols={protocols}", f"-Djdk.tls.client.protocols={protocols.split(',')[-1]}",
                "-Dhttps.cipherSuites=TLS_RSA_WITH_AES_128_CBC_SHA", "-cp", program, "Fetch", "text",
                f"https://{HOST}/orders"], env=clean_environment())


@pytest.mark.parametrize("protocols", ["SSLv2Hello,TLSv1", "TLSv1", "TLSv1.1"])
def test_java_as_java_6_and_7_speak_it(served, rsa_authority, java_program, tmp_path, protocols):
    result = java(served("interception", "1.0"), rsa_authority, java_program, tmp_path, protocols)
    assert result.stdout.splitlines()[:3] == ["GET 200 ok", "POST 200 ok", "POST in chunks 200 ok"], result.stderr


def test_java_as_java_6_speaks_it_is_refused_by_default(served, rsa_authority, java_program, tmp_path):
    proxy = served("interception", None)
    assert java(proxy, rsa_authority, java_program, tmp_path, "TLSv1").returncode != 0
    assert "interception.minimum" in proxy.log.wait_for("error=tls_version")
