"""TLS to the upstream: always verified, and refused in words that say why."""

import json
import re

import pytest

from conftest import server_context
from harness import content
from harness.authlib_server import AuthlibServer
from harness.client import get
from harness.origin import RawOrigin
from harness.parent import ScriptedParent
from harness.waiting import poll
from harness.wire import Incomplete


def ask(proxy, target: str = "/small.txt"):
    answer = proxy.connect().exchange(get(f"http://api.internal{target}"))
    return answer, json.loads(answer.body) if answer.status >= 500 else None


@pytest.fixture
def trusting(start_proxy, authority):
    """A proxy to `url` that trusts the test authority."""
    return lambda url: start_proxy({"forward_to": url}, tls={"ca_file": str(authority.file)})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_of_a_trusted_authority_for_the_right_name_is_accepted(trusting, nginx, host, authlib):
    proxy = trusting(nginx.url("tls").replace("127.0.0.1", host))
    assert ask(proxy)[0].body == b"small\n"
    assert ask(proxy, "/echo/authorization")[0].body == f"Bearer {authlib.tokens[0]}".encode()
    assert ask(proxy, "/echo/host")[0].body == nginx.authority("tls").replace("127.0.0.1", host).encode()


def test_the_cheapest_cipher_is_offered_first_and_the_others_too(trusting, nginx):
    chosen, offered = ask(trusting(nginx.url("tls")), "/echo/cipher")[0].body.decode().split()
    assert chosen == "TLS_AES_128_GCM_SHA256"
    assert offered.split(":")[:3] == [chosen, "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]


def test_a_new_connection_resumes_the_session_of_an_earlier_one(start_proxy, authority, nginx):
    proxy = start_proxy({"forward_to": nginx.url("tls")}, tls={"ca_file": str(authority.file)},
                        timeouts={"upstream_idle": "1ms"})
    client = proxy.connect()

    def resumed() -> bytes:
        poll(lambda: proxy.sample("m2m_proxy_upstream_connections") == 0, "the end of the idle connection")
        return client.exchange(get("http://api.internal/echo/resumed")).body

    assert client.exchange(get("http://api.internal/echo/resumed")).body == b"TLSv1.3 ."
    assert resumed() == b"TLSv1.3 r"


def test_one_tls_connection_serves_many_requests(trusting, nginx):
    client = trusting(nginx.url("tls")).connect()
    answers = [client.exchange(get("http://api.internal/echo/connection")).body.split() for _ in range(20)]
    assert len({connection for connection, _ in answers}) == 1 and answers[-1][1] == b"20"


def test_large_bodies_pass_through_tls_unchanged(trusting, nginx):
    proxy = trusting(nginx.url("tls"))
    got = content.Digest()
    proxy.connect().send(get("http://api.internal/100000000.bin")).answer(sink=got)
    assert got == content.digest(100_000_000)
    client = proxy.connect()
    client.send(get("http://api.internal/upload/tls", f"Content-Length: {5 << 20}", method="PUT"))
    client.send_pieces(content.pieces(5 << 20))
    assert client.answer("PUT").status in (201, 204)
    assert (nginx.www / "upload/tls").read_bytes() == content.content(5 << 20)


def test_a_response_cut_inside_tls_is_incomplete_for_the_client(trusting, tls_origin):
    def cut(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        connection.close()

    tls_origin.script(cut)
    with pytest.raises(Incomplete):
        trusting(tls_origin.url).connect().exchange(get("http://api.internal/"))


REFUSED = {"wrong_host": "name|host|match", "self_signed": "self.signed|issuer|trust", "expired": "expired",
           "tls11": "TLS|protocol|version|handshake"}


@pytest.mark.parametrize("server", REFUSED)
def test_a_doubtful_upstream_is_refused_in_words_that_say_why(trusting, nginx, server):
    answer, problem = ask(trusting(nginx.url(server)))
    assert (answer.status, problem["hop"]) == (502, "upstream")
    assert re.search(REFUSED[server], problem["detail"] + problem["hint"], re.IGNORECASE), problem
    expected = b"error=tls_alert_received" if server == "tls11" else b"error=tls_certificate_error"
    assert expected in answer.value("proxy-status")


def test_an_unknown_authority_is_refused_naming_the_setting_that_would_trust_it(start_proxy, nginx):
    answer, problem = ask(start_proxy({"forward_to": nginx.url("tls")}))
    assert (answer.status, problem["hop"]) == (502, "upstream")
    assert b"error=tls_certificate_error" in answer.value("proxy-status")
    assert "ca_file" in problem["hint"]


def test_a_plain_server_behind_https_is_refused(trusting, nginx):
    answer, problem = ask(trusting(nginx.url().replace("http:", "https:")))
    assert (answer.status, problem["hop"]) == (502, "upstream")


def test_nothing_of_a_request_reaches_an_upstream_that_is_refused(start_proxy, tls_origin):
    answer, _ = ask(start_proxy({"forward_to": tls_origin.url}))
    assert answer.status == 502
    assert tls_origin.requests == [] and all(not each.received for each in tls_origin.connections)


def test_a_token_endpoint_is_verified_too(start_proxy, origin, transcript, tls_context, authority):
    server = AuthlibServer(transcript, tls_context)
    try:
        settings = {"credentials": {"kinde": server.credential()}}
        environment = {"CLIENT_SECRET": server.client.secret}
        trusted = start_proxy({"forward_to": origin.url}, tls={"ca_file": str(authority.file)},
                              environment=environment, **settings)
        assert ask(trusted)[0].status == 200
        answer, problem = ask(start_proxy({"forward_to": origin.url}, environment=environment, **settings))
        assert answer.status in (502, 503) and problem["hop"] == "token" and len(server.fetches) == 1
    finally:
        server.stop()


# The common name is not a host name (RFC 9525), although libcurl looks there when it finds nothing better.

WITHOUT_HOSTS = {
    "none": {}, "uri": {"hosts": ["uri:https://localhost/"]}, "email": {"hosts": ["email:api@localhost"]},
    "uri and email": {"hosts": ["uri:spiffe://localhost/", "email:api@127.0.0.1"]},
    "an empty list": {"alternative_names": b"\x30\x00"},
}


def certificate_without_hosts(authority, names: str, common_name: str):
    """A certificate whose common name is the host, and whose alternative names are no hosts."""
    options = dict(WITHOUT_HOSTS[names])
    label = f"common-name-{names.replace(' ', '-')}-{common_name}"
    return authority.issue(label, *options.pop("hosts", []), subject=f"CN={common_name}", **options)


@pytest.fixture
def start_origin():
    servers = []

    def start(certificate) -> RawOrigin:
        servers.append(RawOrigin(server_context(certificate)))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.mark.parametrize("names", WITHOUT_HOSTS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_common_name_is_no_host_name(start_origin, trusting, authority, host, names):
    server = start_origin(certificate_without_hosts(authority, names, host))
    answer, problem = ask(trusting(server.url.replace("127.0.0.1", host)))
    assert (answer.status, problem["hop"]) == (502, "upstream")
    assert b"error=tls_certificate_error" in answer.value("proxy-status")
    assert "subject alternative name (SAN), and its common name (CN) does not count" in problem["detail"]
    assert server.requests == [] and all(not each.received for each in server.connections)


@pytest.mark.parametrize("host, names", [("127.0.0.1", ["localhost"]), ("localhost", ["127.0.0.1"])])
def test_a_common_name_does_not_make_up_for_alternative_names_of_others(start_origin, trusting, authority, host, names):
    server = start_origin(authority.issue(f"other-names-{host}", *names, subject=f"CN={host}"))
    answer, problem = ask(trusting(server.url.replace("127.0.0.1", host)))
    assert answer.status == 502 and f"target host name '{host}'" in problem["detail"] and server.requests == []


def test_the_common_name_of_a_good_certificate_may_be_anything(start_origin, trusting, authority):
    server = start_origin(authority.issue("strange", "127.0.0.1", "uri:urn:x", subject="CN=other.example,O=Example"))
    assert ask(trusting(server.url))[0].status == 200


def test_a_common_name_is_no_host_name_behind_a_parent_proxy_either(start_origin, start_proxy, authority):
    server = start_origin(certificate_without_hosts(authority, "none", "127.0.0.1"))
    parent = ScriptedParent()
    try:
        proxy = start_proxy({"forward_to": server.url, "credentials": "none", "audience": None}, parent_proxy=parent.url,
                            tls={"ca_file": str(authority.file)})
        answer, problem = ask(proxy)
        assert answer.status == 502 and "common name (CN) does not count" in problem["detail"], problem
        assert server.requests == []
    finally:
        parent.stop()


def test_a_token_endpoint_s_common_name_is_no_host_name_and_gets_no_secret(start_proxy, origin, transcript, authority):
    server = AuthlibServer(transcript, server_context(certificate_without_hosts(authority, "none", "127.0.0.1")))
    try:
        proxy = start_proxy({"forward_to": origin.url}, credentials={"kinde": server.credential()},
                            environment={"CLIENT_SECRET": server.client.secret}, tls={"ca_file": str(authority.file)})
        answer, problem = ask(proxy)
        assert answer.status in (502, 503) and problem["hop"] == "token"
        assert "common name (CN) does not count" in problem["detail"] and server.fetches == [] and origin.requests == []
    finally:
        server.stop()
