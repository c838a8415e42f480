"""Assertions that another program writes into a file and renews: service-account tokens of Kubernetes, JWT-SVIDs of SPIFFE."""

import os
import time

import joserfc.jwk
import joserfc.jwt
import pytest

from harness.authlib_server import Issuer
from harness.client import get

SUBJECT = "system:serviceaccount:shop:m2m-proxy"


class Cluster:
    """Signs tokens of service accounts and mounts them as the kubelet does: through a link to the current directory."""

    def __init__(self, directory, transcript):
        self.key = joserfc.jwk.RSAKey.generate_key(2048, {"kid": "cluster-1"}, private=True)
        self.directory = directory
        self.path = directory / "token"
        self._transcript = transcript
        self._versions = 0
        directory.mkdir()
        self.path.symlink_to("..data/token")

    def token(self, key=None, **claims) -> str:
        now = int(time.time())
        claims = {"iss": "https://kubernetes.default.svc", "sub": SUBJECT, "aud": ["https://id.example"],
                  "iat": now, "nbf": now, "exp": now + 3600} | claims
        signed = joserfc.jwt.encode({"alg": "RS256", "kid": "cluster-1"}, claims, key or self.key)
        return self._transcript.keep_token_secret(signed)

    def mount(self, content: str) -> str:
        self._versions += 1
        version = self.directory / f"..version-{self._versions}"
        version.mkdir()
        file = version / "token"
        file.write_text(content)
        file.chmod(0o440)
        link = self.directory / "..data.new"
        link.symlink_to(version.name)
        link.rename(self.directory / "..data")
        return content


@pytest.fixture
def cluster(tmp_path, transcript, authlib):
    cluster = Cluster(tmp_path / "projected", transcript)
    keys = joserfc.jwk.KeySet.import_key_set({"keys": [cluster.key.as_dict(private=False)]})
    authlib.client.methods = {"client_assertion"}
    authlib.issuer = Issuer("https://kubernetes.default.svc", SUBJECT, "https://id.example", keys)
    return cluster


def credential(authlib, cluster, **more) -> dict:
    return {"token_endpoint": authlib.token_endpoint, "client_id": authlib.client.identifier,
            "authentication": "client_assertion", "client_assertion": {"file": str(cluster.path)}, **more}


def routes(origin) -> list[dict]:
    """Two, each of which needs a token of its own."""
    return [{"forward_to": origin.url},
            {"name": "b", "match": "b.internal", "mount": "/b", "forward_to": origin.url, "audience": "https://b.example"}]


def test_authlib_verifies_the_assertion_with_the_keys_of_its_issuer(start_proxy, origin, authlib, cluster):
    assertion = cluster.mount(cluster.token())
    proxy = start_proxy(*routes(origin), credentials={"idp": credential(authlib, cluster)})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    fetch = authlib.fetches[0]
    assert set(fetch.form) == {"grant_type", "client_id", "audience", "client_assertion_type", "client_assertion"}
    assert fetch.form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert fetch.form["client_assertion"] == [assertion]
    assert "Authorization" not in fetch.fields


def test_a_renewed_assertion_is_used_with_the_next_fetch(start_proxy, origin, authlib, cluster):
    cluster.mount(cluster.token())
    proxy = start_proxy(*routes(origin), credentials={"idp": credential(authlib, cluster)})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    renewed = cluster.mount(cluster.token(exp=int(time.time()) + 7200))
    assert proxy.connect().exchange(get("http://b.internal/")).status == 200
    assert authlib.fetches[1].form["client_assertion"] == [renewed]


def test_an_expired_assertion_is_named_before_it_is_sent(start_proxy, origin, authlib, cluster, transcript):
    start = len(transcript.texts)
    cluster.mount(cluster.token(exp=int(time.time()) - 125))
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": credential(authlib, cluster)})
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 503
    line = proxy.log.wait_for(r"event=token\b.*error=token_unusable_credentials")
    assert f"the assertion in file {cluster.path} expired 12" in line and "has not renewed it, or this machine's clock" in line
    assert b"expired 12" in answer.body
    assert authlib.fetches == []
    proxy.stop()
    transcript.add("the answer", (answer.head + answer.body).decode())
    assert transcript.leaks(start) == []


def test_an_assertion_of_another_issuer_is_refused_with_a_hint_that_names_the_file(
        start_proxy, origin, authlib, cluster):
    other = joserfc.jwk.RSAKey.generate_key(2048, {"kid": "cluster-1"}, private=True)
    cluster.mount(cluster.token(key=other))
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": credential(authlib, cluster)})
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502
    assert b"credentials.idp.client_assertion" in answer.body and b"client_secret" not in answer.body


def test_an_assertion_that_the_server_repeats_is_not_logged(start_proxy, origin, authlib, cluster, transcript):
    start = len(transcript.texts)
    assertion = cluster.mount(cluster.token())
    authlib.answer(401, '{"error": "invalid_client", "error_description": "not good: %s"}' % assertion,
                   Content_Type="application/json")
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": credential(authlib, cluster)})
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502 and len(authlib.fetches) == 1
    proxy.stop()
    transcript.add("the answer", (answer.head + answer.body).decode())
    assert transcript.leaks(start) == []


@pytest.mark.parametrize("change, complaint", [
    ({"client_assertion": None}, "client_assertion is missing; it must be { file: PATH } of a JSON Web Token"),
    ({"client_assertion": {"file": "/nowhere/token"}}, "file /nowhere/token, which cannot be read: No such file"),
    ({"client_assertion": {"file": "nothing"}}, "nothing, which holds no JSON Web Token"),
    ({"client_assertion": {"file": "empty"}}, "empty, which is empty"),
    ({"client_secret": "${CLIENT_SECRET}"}, "client_secret is not sent with authentication: client_assertion"),
    ({"private_key": {"file": "nothing"}}, "private_key is for authentication: private_key_jwt"),
    ({"authentication": "tls_client_auth"}, "client_assertion is for authentication: client_assertion"),
])
def test_what_cannot_be_an_assertion_is_a_problem_of_proxy_conf(check, tmp_path, authlib, cluster, change, complaint):
    secret = cluster.mount(cluster.token())
    for name, content in [("nothing", "nothing-of-the-kind"), ("empty", "")]:
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o400)
    conf = {"credentials": {"idp": credential(authlib, cluster) | change},
            "routes": [{"name": "api", "match": "api.internal", "audience": "https://api.example"}]}
    result = check(conf, CLIENT_SECRET="s3cr3t-value")
    assert result.returncode == 64 and complaint in result.stderr
    assert secret not in result.stderr and "nothing-of-the-kind" not in result.stderr


def test_a_service_account_token_of_another_user_is_read_as_its_group(start_proxy, origin, authlib, cluster):
    """With fsGroup, Kubernetes mounts it with mode 0440, or 0640."""
    cluster.mount(cluster.token())
    assert os.stat(cluster.path).st_mode & 0o777 == 0o440
    proxy = start_proxy({"forward_to": origin.url}, credentials={"idp": credential(authlib, cluster)})
    assert "warning" not in proxy.messages.text
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
