"""Client certificates (RFC 8705), checked by a real nginx: at the token endpoint, and at the API."""


import pytest

from harness.certificates import CertificateAuthority
from harness.client import get
from harness.mutual_tls import MutualTLS


@pytest.fixture
def clients(tmp_path):
    directory = tmp_path / "clients"
    directory.mkdir()
    return CertificateAuthority(directory, "client CA")


@pytest.fixture
def mutual(tmp_path, authority, clients, authlib):
    directory = tmp_path / "mutual"
    directory.mkdir()
    server = MutualTLS(directory, authority, clients, authlib.authority)
    yield server
    server.stop()


def settings(certificate) -> dict:
    return {"certificate": str(certificate.certificate), "key": str(certificate.key)}


def issue(clients, name: str):
    certificate = clients.issue(name, name)
    certificate.key.chmod(0o400)
    return certificate


@pytest.fixture
def certificate(clients, authlib):
    return issue(clients, authlib.client.identifier)


@pytest.fixture
def tls(authority):
    return {"ca_file": str(authority.file)}


def credential(authlib, mutual, certificate, **more) -> dict:
    return {"token_endpoint": mutual.tokens + "/oauth2/token", "client_id": authlib.client.identifier,
            "authentication": "tls_client_auth", "client_certificate": settings(certificate), **more}


def test_the_certificate_alone_authenticates_the_client(start_proxy, origin, authlib, mutual, certificate, tls):
    authlib.client.methods = {"tls_client_auth"}
    proxy = start_proxy(
        {"forward_to": origin.url}, credentials={"idp": credential(authlib, mutual, certificate)}, tls=tls)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    fetch = authlib.fetches[0]
    assert set(fetch.form) == {"grant_type", "client_id", "audience"}
    assert fetch.fields["X-Verified-Subject"] == f"CN={authlib.client.identifier}"


def test_a_certificate_can_come_with_a_secret(start_proxy, origin, authlib, mutual, certificate, tls):
    settings = credential(authlib, mutual, certificate, authentication="client_secret_basic",
                          client_secret="${CLIENT_SECRET}")
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": settings}, tls=tls)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert authlib.fetches[0].authentication == "client_secret_basic"
    assert authlib.fetches[0].fields["X-Verified-Subject"] == f"CN={authlib.client.identifier}"


def test_a_certificate_of_another_client_is_refused_with_a_hint(
        start_proxy, origin, authlib, clients, mutual, tls):
    authlib.client.methods = {"tls_client_auth"}
    settings = credential(authlib, mutual, issue(clients, "somebody-else"))
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": settings}, tls=tls)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502 and b"the subject of credentials.idp.client_certificate" in answer.body


def test_the_api_gets_the_certificate_of_the_route_and_no_other_route_uses_its_connections(
        start_proxy, authlib, clients, mutual, tls):
    alice, bob = issue(clients, "alice"), issue(clients, "bob")
    proxy = start_proxy(
        {"name": "a", "match": "a.internal", "mount": "/a", "forward_to": mutual.api,
         "client_certificate": settings(alice)},
        {"name": "b", "match": "b.internal", "mount": "/b", "forward_to": mutual.api,
         "client_certificate": settings(bob)},
        {"name": "none", "match": "none.internal", "mount": "/none", "forward_to": mutual.api}, tls=tls)
    client = proxy.connect()
    for _ in range(3):
        for name, subject in [("a", b"CN=alice "), ("b", b"CN=bob ")]:
            answer = client.exchange(get(f"http://{name}.internal/"))
            assert answer.status == 200 and answer.body.startswith(subject)
            assert answer.body.endswith(b"Bearer " + authlib.tokens[0].encode())
        assert client.exchange(get("http://none.internal/")).status == 400  # nginx: no certificate was sent.


def test_a_certificate_that_is_renewed_is_used_for_the_next_connection(
        start_proxy, authlib, clients, mutual, tls):
    old = issue(clients, "old")
    files = settings(old)
    proxy = start_proxy(
        {"forward_to": mutual.api, "client_certificate": files}, tls=tls, timeouts={"upstream_idle": "1ms"})
    assert proxy.connect().exchange(get("http://api.internal/")).body.startswith(b"CN=old ")
    new = issue(clients, "new")
    new.certificate.rename(old.certificate)
    new.key.rename(old.key)
    # The connection that is still there belongs to the old one; it is idle, and ends.
    for _ in range(1000):
        answer = proxy.connect().exchange(get("http://api.internal/"))
        subject, _, reused, *_ = answer.body.split(b" ")
        assert reused == b".", "a TLS session of the old certificate was resumed"
        if subject == b"CN=new":
            break
    assert subject == b"CN=new"


def test_missing_files_are_reported(start_proxy, authlib, origin, clients, mutual, certificate, tls):
    authlib.client.methods = {"tls_client_auth"}
    other = issue(clients, "other")
    proxy = start_proxy(
        {"forward_to": origin.url},
        {"name": "b", "match": "b.internal", "mount": "/b", "forward_to": mutual.api, "credentials": "none",
         "audience": None, "client_certificate": settings(other)},
        credentials={"idp": credential(authlib, mutual, certificate)}, tls=tls)
    certificate.key.unlink()
    other.certificate.unlink()
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 503 and str(certificate.key).encode() in answer.body
    answer = proxy.connect().exchange(get("http://b.internal/"))
    assert answer.status == 502 and str(other.certificate).encode() in answer.body
    assert authlib.fetches == []


@pytest.mark.parametrize("change, complaint", [
    ({"client_certificate": None}, "client_certificate is missing"),
    ({"client_certificate": {"certificate": "own.pem"}}, "client_certificate.key is missing"),
    ({"client_certificate": {"certificate": "own.pem", "key": "other.key"}},
     "holds a key that does not belong to the certificate in"),
    ({"client_certificate": {"certificate": "own.key", "key": "own.key"}}, "which holds no certificate in PEM form"),
    ({"client_certificate": {"certificate": "no.pem", "key": "own.key"}}, "which cannot be read"),
    ({"client_secret": "x"}, "client_secret is not sent with authentication: tls_client_auth"),
    ({"token_endpoint": "http://127.0.0.1:9/token"}, "client_certificate is for TLS, and the token endpoint is http:"),
    ({"key_id": "x"}, "key_id is for authentication: private_key_jwt"),
])
def test_certificates_that_cannot_work_are_refused_before_anything_starts(
        check, tmp_path, clients, authlib, change, complaint):
    for name in ["own", "other"]:
        certificate = issue(clients, name)
        certificate.certificate.rename(tmp_path / f"{name}.pem")
        certificate.key.rename(tmp_path / f"{name}.key")
    idp = {"token_endpoint": "https://id.example/token", "client_id": "id", "authentication": "tls_client_auth",
           "client_certificate": {"certificate": "own.pem", "key": "own.key"}} | change
    result = check(
        {"credentials": {"idp": idp}, "routes": [{"name": "api", "match": "api.internal", "audience": "x"}]})
    assert result.returncode == 64 and complaint in result.stderr, result.stderr


def test_a_certificate_that_has_expired_is_a_warning(check, clients):
    certificate = clients.issue("expired", "expired", days=-1)
    certificate.key.chmod(0o400)
    result = check({"routes": [{"name": "api", "match": "api.internal", "credentials": "none",
                                "client_certificate": settings(certificate)}]})
    assert result.returncode == 0 and "client_certificate.certificate has expired" in result.stdout
