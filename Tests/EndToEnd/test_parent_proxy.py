"""Parent proxies: CONNECT tunnels for upstreams and token endpoints, plain and TLS, with credentials and without."""

import socket
import ssl

import pytest

from harness.client import get
from harness.origin import RawOrigin
from harness.parent import ScriptedParent, Tinyproxy, basic
from harness.waiting import poll

PASSWORD = "p%41ss:w/ord@+ö"


@pytest.fixture
def parent():
    server = ScriptedParent()
    yield server
    server.stop()


@pytest.fixture
def tinyproxy(tmp_path):
    servers = []

    def start(**more) -> Tinyproxy:
        directory = tmp_path / f"tinyproxy-{len(servers)}"
        directory.mkdir()
        servers.append(Tinyproxy(directory, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_tinyproxy_tunnels_to_plain_and_tls_upstreams_and_to_the_token_endpoint(
        start_proxy, origin, tls_origin, authority, authlib, tinyproxy):
    through = tinyproxy()
    proxy = start_proxy(
        {"forward_to": origin.url},
        {"name": "tls", "match": "tls.internal", "mount": "/tls", "forward_to": tls_origin.url},
        parent_proxy=through.url, tls={"ca_file": str(authority.file)})
    client = proxy.connect()
    for _ in range(5):
        assert client.exchange(get("http://api.internal/")).status == 200
        assert client.exchange(get("http://tls.internal/")).status == 200
    # Tunnels are kept like any other connection.
    assert [through.tunnels(each) for each in (origin.authority, tls_origin.authority, authlib.authority)] == [1, 1, 1]
    assert all(request.value("proxy-connection") is None for request in origin.requests)


def test_only_tinyproxy_gets_the_credentials(start_proxy, origin, authlib, tinyproxy, tmp_path):
    password = authlib.transcript.keep_secret("long-enough-Passw0rd")
    secret = tmp_path / "password"
    secret.write_text(password + "\n")
    secret.chmod(0o400)
    through = tinyproxy(user="m2m", password=password)
    proxy = start_proxy(
        {"forward_to": origin.url},
        parent_proxy={"url": through.url, "user": "m2m", "password": {"file": str(secret)}})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert through.tunnels(origin.authority) == through.tunnels(authlib.authority) == 1
    assert "Proxy-Authorization" not in authlib.fetches[0].fields
    assert origin.requests[0].value("proxy-authorization") is None


def test_credentials_go_to_the_proxy_byte_by_byte_and_the_secrets_of_requests_do_not(
        start_proxy, origin, authlib, parent):
    authlib.transcript.keep_secret(PASSWORD)
    settings = {"url": parent.url, "user": "me", "password": {"env": "PROXY_PASSWORD"}}
    credential = authlib.credential(authentication="client_secret_basic", headers={"X-Api-Key": "k3y"})
    proxy = start_proxy({"forward_to": origin.url}, parent_proxy=settings, credentials={"idp": credential},
                        environment={"PROXY_PASSWORD": PASSWORD})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert len(parent.heads) == 2
    for head in parent.heads:
        lines = head.decode().split("\r\n")
        assert f"Proxy-Authorization: Basic {basic('me', PASSWORD)}" in lines
        assert "\nauthorization" not in head.decode().lower() and "k3y" not in head.decode()


@pytest.mark.parametrize("place", ["literal", "variable"])
def test_a_url_can_hold_user_and_password(start_proxy, origin, authlib, parent, place):
    url = parent.url.replace("http://", "http://me:a%2Fb%25-long-enough@")
    authlib.transcript.keep_secret("a/b%-long-enough")
    proxy = start_proxy({"forward_to": origin.url}, environment={"PARENT": url},
                        parent_proxy=url if place == "literal" else "${PARENT}")
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert f"Basic {basic('me', 'a/b%-long-enough')}".encode() in parent.heads[0]
    assert ("has a password written in proxy.conf" in proxy.messages.text) == (place == "literal")


def test_a_route_and_credentials_can_have_another_proxy_or_none(start_proxy, origin, authlib, parent, tinyproxy):
    other = tinyproxy()
    proxy = start_proxy(
        {"forward_to": origin.url},
        {"name": "other", "match": "other.internal", "mount": "/other", "forward_to": origin.url,
         "parent_proxy": other.url},
        {"name": "direct", "match": "direct.internal", "mount": "/direct", "forward_to": origin.url,
         "parent_proxy": "none"},
        parent_proxy=parent.url, credentials={"idp": authlib.credential(parent_proxy="none")}, loops=1)
    # One after the other on the same origin: connections of one way are not used for another.
    for _ in range(2):
        for name in ["api", "other", "direct"]:
            assert proxy.connect().exchange(get(f"http://{name}.internal/")).status == 200
    assert len(parent.heads) == 1 and parent.heads[0].startswith(f"CONNECT {origin.authority} ".encode())
    assert other.tunnels(origin.authority) == 1 and other.tunnels(authlib.authority) == 0
    assert len(origin.connections) == 3


def test_names_are_resolved_by_the_proxy(start_proxy, origin, authlib):
    parent = ScriptedParent({"orders.nowhere.test:80": ("127.0.0.1", origin.port)})
    proxy = start_proxy({"forward_to": "http://orders.nowhere.test", "parent_proxy": parent.url})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    proxy.stop()
    parent.stop()


def test_a_wildcard_goes_through_a_proxy_on_a_private_address(start_proxy, authority, authlib):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue("shop", "one.shops.test")
    context.load_cert_chain(certificate.certificate, certificate.key)
    shop = RawOrigin(context)
    parent = ScriptedParent({"one.shops.test:443": ("127.0.0.1", shop.port)})
    # Without allow_private: that is about the hosts, and the proxy was written out by the operator.
    proxy = start_proxy({"match": "*.shops.test", "mount": None, "parent_proxy": parent.url},
                        tls={"ca_file": str(authority.file)})
    assert proxy.connect().exchange(get("http://one.shops.test/")).status == 200
    assert shop.requests[0].value("host") == b"one.shops.test"
    proxy.stop()
    parent.stop()
    shop.stop()


def test_the_variables_of_the_environment_are_not_obeyed(start_proxy, origin, authlib, parent, refusing_port):
    dead = f"http://127.0.0.1:{refusing_port}"
    variables = {name: dead for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]}
    proxy = start_proxy({"forward_to": origin.url}, environment=variables)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    # Nor does no_proxy lead past a proxy that is configured.
    proxy = start_proxy({"forward_to": origin.url}, parent_proxy=parent.url,
                        environment={"no_proxy": "*", "NO_PROXY": "127.0.0.1"})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert len(parent.heads) == 2


@pytest.mark.parametrize("status, hint", [
    (b"407 Proxy Authentication Required", b"Check user and password of parent_proxy"),
    (b"403 Forbidden", b"rules of the parent proxy have to allow CONNECT"), (b"502 Bad Gateway", b"its log says why"),
    (b"302 Found", b"an HTTP proxy that supports CONNECT"),
])
def test_a_refusal_names_the_proxy_and_what_helps(start_proxy, origin, authlib, parent, status, hint):
    parent.answer = b"HTTP/1.1 " + status + b"\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
    proxy = start_proxy(
        {"forward_to": origin.url, "credentials": "none", "audience": None},
        {"name": "token", "match": "token.internal", "mount": "/token", "forward_to": origin.url,
         "parent_proxy": "none"},
        parent_proxy=parent.url)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502 and hint in answer.body
    said = f"the parent proxy {parent.authority} responded with {status[:3].decode()}".encode()
    assert said in answer.body
    poll(lambda: proxy.sample("m2m_proxy_errors_total", route="api", kind="parent_proxy_refused") == 1, "the count")
    answer = proxy.connect().exchange(get("http://token.internal/"))
    assert answer.status == 503 and said in answer.body and hint in answer.body
    assert origin.requests == [] and authlib.fetches == []


def test_tinyproxys_own_refusals_are_reported(start_proxy, origin, authlib, tinyproxy, free_port):
    guarded = tinyproxy(user="m2m", password="right-password")
    narrow = tinyproxy(allowed_ports=[free_port])

    def route(name: str, parent_proxy) -> dict:
        return {"name": name, "match": f"{name}.internal", "mount": f"/{name}", "forward_to": origin.url,
                "parent_proxy": parent_proxy, "credentials": "none", "audience": None}

    proxy = start_proxy(
        route("nobody", guarded.url), route("wrong", {"url": guarded.url, "user": "m2m", "password": {"env": "WRONG"}}),
        route("narrow", narrow.url), {"forward_to": origin.url},
        environment={"WRONG": authlib.transcript.keep_secret("wrong-password")})
    for name, words in [("nobody", b"Check user and password"), ("wrong", b"Check user and password"),
                        ("narrow", b"responded with 403")]:
        answer = proxy.connect().exchange(get(f"http://{name}.internal/"))
        assert answer.status == 502 and words in answer.body, name


def test_an_unreachable_parent_proxy_is_distinguished_from_the_upstream(
        start_proxy, origin, authlib, parent, refusing_port):
    def route(name: str, parent_proxy: str) -> dict:
        return {"name": name, "match": f"{name}.internal", "mount": f"/{name}", "forward_to": origin.url,
                "parent_proxy": parent_proxy, "credentials": "none", "audience": None}

    parent.answer = b""
    proxy = start_proxy(route("gone", f"http://127.0.0.1:{refusing_port}"), route("mute", parent.url),
                        route("unknown", "http://proxy.invalid:3128"), {"forward_to": origin.url})
    for name in ["gone", "mute", "unknown"]:
        answer = proxy.connect().exchange(get(f"http://{name}.internal/"))
        assert answer.status == 502 and b"The parent proxy cannot be reached" in answer.body, name
    poll(lambda: proxy.sample("m2m_proxy_errors_total", kind="parent_proxy") == 3, "the count")


def test_a_proxy_that_hangs_blocks_no_other_request_and_counts_as_connecting(start_proxy, origin, authlib, parent):
    parent.hold.clear()
    proxy = start_proxy(
        {"forward_to": origin.url, "parent_proxy": parent.url, "timeouts": {"connect": "1s"}},
        {"name": "direct", "match": "direct.internal", "mount": "/direct", "forward_to": origin.url}, loops=1)
    waiting = proxy.connect().send(get("http://api.internal/"))
    for _ in range(20):
        assert proxy.connect().exchange(get("http://direct.internal/")).status == 200
    answer = waiting.answer()
    assert answer.status == 504 and f"through the parent proxy {parent.authority}".encode() in answer.body


def test_the_destination_check_holds_for_the_address_of_the_proxy(start_proxy, origin, authlib):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    proxy = start_proxy(
        {"forward_to": origin.url, "parent_proxy": "http://169.254.169.254:3128", "credentials": "none",
         "audience": None},
        {"name": "self", "match": "self.internal", "mount": "/self", "forward_to": origin.url, "credentials": "none",
         "audience": None, "parent_proxy": f"http://127.0.0.1:{port}"},
        {"name": "token", "match": "token.internal", "mount": "/token", "forward_to": origin.url},
        listen=[f"127.0.0.1:{port}"])
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502 and b"metadata service" in answer.body
    answer = proxy.connect().exchange(get("http://self.internal/"))
    assert answer.status == 502 and b"The parent proxy cannot be reached" in answer.body
    assert origin.requests == []


def test_check_shows_the_parent_proxy_of_each_route(check):
    result = check({
        "parent_proxy": "${PARENT}",
        "routes": [{"name": "far", "match": "far.internal", "credentials": "none"},
                   {"name": "near", "match": "near.internal", "credentials": "none", "parent_proxy": "none"}]},
        PARENT="http://me:s3cr3t@proxy.example:3128/")
    lines = result.stdout.splitlines()
    assert lines[0].endswith("no token, through the proxy proxy.example:3128")
    assert lines[1].endswith("no token") and "s3cr3t" not in result.stdout + result.stderr


@pytest.mark.parametrize("value, complaint", [
    ("https://proxy.example:3128", "only http:// can be used"), ("proxy.example:3128", "it begins with http://"),
    ("http://proxy.example", "the port is missing"), ("http://me:s3cr3t@proxy.example:3128/x", "leave out the path"),
    ("http://s3cr3t@proxy.example:3128", "the part before the @ must be USER:PASSWORD"),
    ({"url": "http://proxy.example:3128", "user": "me"}, "has a user, but no password"),
    ({"url": "http://a:s3cr3t@proxy.example:3128", "user": "me", "password": {"env": "SECRET"}}, "one is enough"),
])
def test_what_is_no_proxy_is_refused_without_its_password_being_shown(check, value, complaint):
    result = check(
        {"parent_proxy": value, "routes": [{"name": "api", "match": "api.internal", "credentials": "none"}]},
        SECRET="s3cr3t")
    assert result.returncode == 64 and complaint in result.stderr and "s3cr3t" not in result.stderr, result.stderr
