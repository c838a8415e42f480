"""How the proxy proves to the token endpoint who it is, and what else its requests for tokens carry."""

import base64
import datetime
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Response, request

from harness.client import get

KEYS = {"rsa": lambda: rsa.generate_private_key(65537, 2048), "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()), "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate}


def pem(key, encryption=serialization.NoEncryption()) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def public_pem(key) -> str:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def key_file(tmp_path):
    """Writes a private key, in one step and unreadable for other users."""
    def write(key, encryption=serialization.NoEncryption()):
        new, path = tmp_path / "client.key.new", tmp_path / "client.key"
        new.write_text(pem(key, encryption))
        new.chmod(0o400)
        new.rename(path)
        return path

    return write


def credential(authlib, path, **more) -> dict:
    authlib.client.methods = {"private_key_jwt"}
    return {"token_endpoint": authlib.token_endpoint, "client_id": authlib.client.identifier,
            "authentication": "private_key_jwt", "private_key": {"file": str(path)}, **more}


@pytest.mark.parametrize("kind, algorithm, sent", [
    ("rsa", None, "RS256"), ("rsa", "RS384", "RS384"), ("rsa", "RS512", "RS512"), ("rsa", "PS256", "PS256"),
    ("rsa", "PS384", "PS384"), ("rsa", "PS512", "PS512"), ("p256", None, "ES256"), ("p256", "ES256", "ES256"),
    ("p384", None, "ES384"), ("p521", None, "ES512"), ("ed25519", None, "EdDSA"),
])
def test_assertions_are_accepted_by_authlib_and_verified_by_pyjwt(
        start_proxy, origin, authlib, key_file, kind, algorithm, sent):
    key = KEYS[kind]()
    authlib.client.public_key = public_pem(key)
    settings = credential(authlib, key_file(key), key_id="key 1\"", signing_algorithm=algorithm)
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": settings})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    fetch = authlib.fetches[0]
    assert set(fetch.form) == {"grant_type", "client_id", "audience", "client_assertion_type", "client_assertion"}
    assert fetch.form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assertion = fetch.form["client_assertion"][0]
    authlib.transcript.keep_token_secret(assertion)
    assert jwt.get_unverified_header(assertion) == {"alg": sent, "typ": "JWT", "kid": "key 1\""}
    claims = jwt.decode(assertion, public_pem(key), algorithms=[sent], audience=authlib.token_endpoint)
    assert claims["iss"] == claims["sub"] == authlib.client.identifier
    assert claims["exp"] - claims["iat"] == 70 and abs(claims["iat"] + 10 - time.time()) < 30
    assert len(claims["jti"]) >= 22  # 128 bits.


def test_each_attempt_has_an_assertion_of_its_own(start_proxy, origin, authlib, key_file):
    key = KEYS["p256"]()
    authlib.client.public_key = public_pem(key)
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": credential(authlib, key_file(key))})
    authlib.answer(503, "later")
    assert proxy.connect().exchange(get("http://api.internal/")).status == 503
    fetches = authlib.wait_for_fetches(2)
    identifiers = [jwt.decode(fetch.form["client_assertion"][0], options={"verify_signature": False})["jti"]
                   for fetch in fetches]
    assert len(set(identifiers)) == len(identifiers)


def test_the_audience_of_assertions_can_be_another_than_the_token_endpoint(start_proxy, origin, authlib, key_file):
    key = KEYS["p256"]()
    authlib.client.public_key = public_pem(key)
    authlib.assertion_audience = "https://id.example"
    settings = credential(authlib, key_file(key), assertion_audience="https://id.example")
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": settings})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200


def test_the_lifetime_of_assertions_can_be_chosen(start_proxy, origin, authlib, key_file):
    key = KEYS["p256"]()
    authlib.client.public_key = public_pem(key)
    settings = credential(authlib, key_file(key), assertion_lifetime="10m")
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": settings})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    claims = jwt.decode(authlib.fetches[0].form["client_assertion"][0], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 610


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_a_server_whose_clock_differs_gets_assertions_by_its_own(start_proxy, origin, authlib, key_file, ahead):
    key = KEYS["p256"]()
    authlib.client.public_key = public_pem(key)
    authlib.clock_ahead = ahead
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": credential(authlib, key_file(key))})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    # The first was refused, with the Date that the second was made by.
    assert len(authlib.fetches) == 2


def certificate(key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256()))


def test_assertions_name_the_certificate_of_the_key(start_proxy, origin, authlib, key_file, tmp_path):
    key = KEYS["rsa"]()
    authlib.client.public_key = public_pem(key)
    shown = certificate(key)
    path = tmp_path / "client.pem"
    path.write_bytes(shown.public_bytes(serialization.Encoding.PEM))
    settings = credential(authlib, key_file(key), certificate={"file": str(path)})
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": settings})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    header = jwt.get_unverified_header(authlib.fetches[0].form["client_assertion"][0])
    for name, digest in [("x5t", hashes.SHA1()), ("x5t#S256", hashes.SHA256())]:
        assert base64.urlsafe_b64decode(header[name] + "==") == shown.fingerprint(digest)


def test_a_key_that_is_replaced_is_used_with_the_next_fetch(start_proxy, origin, authlib, key_file):
    old, new = KEYS["p256"](), KEYS["p256"]()
    authlib.client.public_key = public_pem(old)
    proxy = start_proxy(
        {"forward_to": origin.url},
        {"name": "b", "match": "b.internal", "mount": "/b", "forward_to": origin.url, "audience": "https://b.example"},
        credentials={"idp": credential(authlib, key_file(old))})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    key_file(new)
    authlib.client.public_key = public_pem(new)
    assert proxy.connect().exchange(get("http://b.internal/")).status == 200


def test_a_key_that_is_not_registered_gets_a_hint_that_speaks_of_keys(start_proxy, origin, authlib, key_file):
    authlib.client.public_key = public_pem(KEYS["p256"]())
    proxy = start_proxy(
        {"forward_to": origin.url}, credentials={"idp": credential(authlib, key_file(KEYS["p256"]()))})
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502
    assert b"credentials.idp.private_key, key_id" in answer.body and b"client_secret" not in answer.body


def test_a_missing_key_is_reported(start_proxy, origin, authlib, key_file):
    path = key_file(KEYS["p256"]())
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": credential(authlib, path)})
    path.unlink()
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 503 and str(path).encode() in answer.body
    assert authlib.fetches == []


@pytest.mark.parametrize("change, complaint", [
    ({"private_key": None}, "private_key is missing"),
    ({"client_secret": "${CLIENT_SECRET}"}, "client_secret is not sent with authentication: private_key_jwt"),
    ({"signing_algorithm": "ES256"}, "signing_algorithm is ES256, but the key is RSA with 2048 bits"),
    ({"signing_algorithm": "HS256"}, 'signing_algorithm must be RS256, RS384, RS512, PS256, PS384, PS512, ES256, '),
    ({"assertion_lifetime": "29s"}, 'assertion_lifetime must be a duration from 30s to 10m, not "29s"'),
    ({"assertion_lifetime": "11m"}, 'assertion_lifetime must be a duration from 30s to 10m, not "11m"'),
    ({"certificate": {"file": "nothing.key"}}, "holds no certificate in PEM form"),
    ({"certificate": {"file": "other.pem"}}, "which holds a certificate of another key than private_key"),
    ({"authentication": "client_secret_post", "private_key": None, "certificate": {"file": "other.pem"}},
     "certificate is for authentication: private_key_jwt"),
    ({"authentication": "client_secret_post"}, "private_key is for authentication: private_key_jwt"),
    ({"private_key": {"file": "encrypted.key"}}, "holds an encrypted key; decrypt it"),
    ({"private_key": {"file": "nothing.key"}}, "holds no private key in PEM form"),
    ({"private_key": {"file": "short.key"}}, "RSA with 1024 bits) that cannot sign assertions"),
    ({"private_key": {"file": "secp256k1.key"}}, "EC on secp256k1) that cannot sign assertions"),
    ({"authentication": "client_secret_basic_raw", "private_key": None, "client_secret": "${CLIENT_SECRET}",
      "client_id": "a:b"}, 'client_id has a ":" in it, which ends the id in Basic credentials'),
    ({"headers": {"Authorization": "x"}}, '"Authorization" is made by authentication: client_secret_basic'),
    ({"headers": {"Content-Type": "x"}}, '"Content-Type" is set by the proxy itself'),
    ({"headers": {"Host": "x"}}, '"Host" is set by the proxy itself'),
    ({"headers": {"X A": "x"}}, '"X A" is no name of a header field'),
    ({"parameters": {"scope": "x"}}, '"scope" is a setting of the route: scopes'),
    ({"parameters": {"resource": "x"}}, '"resource" is a setting of its own: resource'),
    ({"parameters": {"client_assertion_type": "x"}}, '"client_assertion_type" is made by authentication'),
    ({"resource": "https://api.example/#part"}, "leave out the fragment"),
    ({"resource": "orders"}, "resource must be an absolute URI"),
])
def test_what_does_not_belong_is_refused_before_anything_starts(
        check, tmp_path, authlib, key_file, change, complaint):
    path = key_file(KEYS["rsa"]())
    for name, key, encryption in [
            ("short", rsa.generate_private_key(65537, 1024), serialization.NoEncryption()),
            ("secp256k1", ec.generate_private_key(ec.SECP256K1()), serialization.NoEncryption()),
            ("encrypted", KEYS["p256"](), serialization.BestAvailableEncryption(b"password"))]:
        (tmp_path / f"{name}.key").write_text(pem(key, encryption))
    (tmp_path / "nothing.key").write_text("nothing")
    (tmp_path / "other.pem").write_bytes(certificate(KEYS["p256"]()).public_bytes(serialization.Encoding.PEM))
    if change.get("authentication") == "client_secret_post" and "private_key" in change:
        change = change | {"client_secret": "${CLIENT_SECRET}"}
    conf = {"credentials": {"idp": credential(authlib, path) | change},
            "routes": [{"name": "api", "match": "api.internal", "audience": "https://api.example"}]}
    result = check(conf, CLIENT_SECRET="s3cr3t-value")
    assert result.returncode == 64 and complaint in result.stderr
    assert "s3cr3t-value" not in result.stderr


def test_a_server_that_does_not_decode_basic_credentials_gets_them_as_they_are(start_proxy, origin, authlib):
    authlib.client.secret = authlib.transcript.keep_secret("s3cr3t+/%25 with:everything")

    def token():
        given = request.authorization
        assert given.type == "basic"
        if (given.username, given.password) != (authlib.client.identifier, authlib.client.secret):
            return Response('{"error": "invalid_client"}', 401, content_type="application/json")
        return Response('{"access_token": "t", "expires_in": 3600}', content_type="application/json")

    authlib.fault = token
    for method, status in [("client_secret_basic", 502), ("client_secret_basic_raw", 200)]:
        proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": authlib.credential(authentication=method)})
        assert proxy.connect().exchange(get("http://api.internal/")).status == status
    assert "client_id" not in authlib.fetches[1].form


def test_resources_parameters_and_headers_are_sent_with_the_request(start_proxy, origin, authlib, tmp_path):
    secret = tmp_path / "api.key"
    secret.write_text(authlib.transcript.keep_secret("k3y-of-the-gateway") + "\n")
    secret.chmod(0o400)
    settings = authlib.credential(
        resource=["https://b.example/", "https://a.example/"], parameters={"organization": "org 1"},
        headers={"X-Tenant": "acme", "X-Api-Key": {"file": str(secret)}, "X-Stage": {"env": "STAGE"}})
    proxy = start_proxy(
        {"forward_to": origin.url, "audience": None},
        {"name": "own", "match": "own.internal", "mount": "/own", "forward_to": origin.url, "audience": None,
         "resource": "urn:own"},
        credentials={"idp": settings}, environment={"STAGE": authlib.transcript.keep_secret("stage-of-secrets")})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert proxy.connect().exchange(get("http://own.internal/")).status == 200
    first, second = authlib.fetches
    assert first.form["resource"] == ["https://a.example/", "https://b.example/"]
    assert second.form["resource"] == ["urn:own"]
    for fetch in authlib.fetches:
        assert fetch.form["organization"] == ["org 1"]
        fields = {name.lower(): value for name, value in fetch.fields.items()}
        assert (fields["x-tenant"], fields["x-api-key"], fields["x-stage"]) == (
            "acme", "k3y-of-the-gateway", "stage-of-secrets")
    assert len({request.value("authorization") for request in origin.requests}) == 2


def test_what_tells_two_requests_apart_tells_their_tokens_apart(start_proxy, origin, authlib):
    variants = {"a": {}, "b": {"resource": "urn:x"}, "c": {"parameters": {"organization": "1"}},
                "d": {"parameters": {"organization": "2"}}, "e": {"headers": {"x-tenant": "1"}},
                "f": {"headers": {"x-tenant": "2"}}, "g": {"headers": {"X-Tenant": "2"}}}
    routes = [{"name": name, "match": f"{name}.internal", "mount": f"/{name}", "forward_to": origin.url,
               "credentials": name} for name in variants]
    proxy = start_proxy(*routes, credentials={name: authlib.credential(**more) for name, more in variants.items()})
    for name in variants:
        assert proxy.connect().exchange(get(f"http://{name}.internal/{name}")).status == 200
    tokens = {request.target.decode()[1]: request.value("authorization") for request in origin.requests}
    assert tokens["f"] == tokens["g"] and len(set(tokens.values())) == 6
