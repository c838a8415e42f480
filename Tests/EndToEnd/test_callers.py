"""Who is calling: user and password, by every client that people have, and what a route makes of it."""

import json
import os
import shutil
import socket
import ssl
from pathlib import Path

import pytest
import requests

from harness import wire
from harness.authlib_server import AuthlibServer
from harness.callers import basic, password_hash, with_password
from harness.certificates import CertificateAuthority
from harness.client import get
from harness.java import proxy_options, trust_options
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import PATIENCE

JAVA_PROGRAM = Path(__file__).parent / "programs/FetchAsUser.java"
URL = "http://api.internal/orders?id=7"


@pytest.fixture
def passwords(transcript) -> dict[str, str]:
    return {name: transcript.keep_secret(f"{name}-päss:word-1") for name in ["billing", "erp"]}


@pytest.fixture
def callers(passwords) -> dict:
    return {name: with_password(password) for name, password in passwords.items()} | {"cron": {"uid": 4_000_000}}


@pytest.fixture
def proxy(start_proxy, origin, callers):
    """The route is for billing alone."""
    return start_proxy({"forward_to": origin.url, "callers": ["billing"]}, callers=callers)


def problem(answer) -> dict:
    assert answer.value("content-type") == b"application/problem+json"
    return json.loads(answer.body)


def callers_logged(proxy, count: int) -> list[str]:
    """Who sent the requests, in no order: connections may be on several loops."""
    return sorted(line.get("caller", "none") for line in proxy.requests_logged(count))


def credentials_in(url: str, user: str, password: str) -> str:
    quoted = requests.utils.quote(password, safe="")
    return url.replace("http://", f"http://{user}:{quoted}@")


def curl(*arguments: str):
    return run(["curl", "--silent", "--show-error", "--max-time", "30", "--write-out", " %{http_code}", *arguments],
               env=clean_environment())


# The protocol.

def test_a_request_without_password_is_challenged_and_the_connection_serves_the_next_one(proxy, origin, passwords, authlib):
    client = proxy.connect()
    answer = client.exchange(get(URL))
    assert answer.status == 407
    assert answer.value("proxy-authenticate") == b'Basic realm="m2m-proxy", charset="UTF-8"'
    assert (problem(answer)["hop"], problem(answer)["route"]) == ("policy", "api")
    assert "USER:PASSWORD" in problem(answer)["hint"]
    assert answer.proxy_status == b'm2m-proxy; error=http_request_denied; details="caller"'
    assert client.exchange(get(URL, basic("billing", passwords["billing"]))).status == 200
    assert authlib.tokens and len(origin.requests) == 1
    refused, served = proxy.requests_logged(2)
    assert (refused["error"], refused.get("caller")) == ("password_needed", None)
    assert (served["status"], served["caller"]) == ("200", "billing")
    assert refused["client"] == served["client"]


def test_the_password_is_not_forwarded(proxy, origin, passwords):
    client = proxy.connect()
    line = basic("billing", passwords["billing"])
    assert client.exchange(get(URL, line, "Connection: proxy-authorization")).status == 200
    request = origin.requests[0]
    assert request.value("proxy-authorization") is None
    assert line.split()[-1] not in repr(request.fields)


@pytest.mark.parametrize("lines", [
    [basic("billing", "wrong")], [basic("nobody", "billing-päss:word-1")], [basic("erp", "billing-päss:word-1")],
    [basic("billing", "")], [basic("", "")], ["Proxy-Authorization: Basic"], ["Proxy-Authorization: Basic !!!"],
    ["Proxy-Authorization: Bearer abc"], ["Proxy-Authorization: Negotiate YII="], ["Proxy-Authorization:"],
    [basic("cron", "")], [basic("billing", "billing-päss:word-1")] * 2,
    ["Proxy-Authorization: Basic YmlsbGluZw=="],
])
def test_what_is_not_the_password_of_a_caller_is_challenged_again(proxy, origin, lines):
    client = proxy.connect()
    for _ in range(2):
        answer = client.exchange(get(URL, *lines))
        assert (answer.status, problem(answer)["title"]) == (407, "User or password is wrong")
        assert answer.value("proxy-authenticate").startswith(b"Basic ")
    assert origin.requests == []
    assert {line["error"] for line in proxy.requests_logged(2)} == {"password_wrong"}


def test_an_unknown_user_gets_the_response_for_a_wrong_password(proxy):
    answers = [proxy.connect().exchange(get(URL, basic(user, "some password"))) for user in ["billing", "nobody", "cron"]]
    assert len({answer.body_without_id for answer in answers}) == 1
    assert len({tuple((name, value) for name, value in answer.fields if name.lower() not in {b"date", b"proxy-status"})
                for answer in answers}) == 1
    assert len({answer.proxy_status for answer in answers}) == 1
    # All three were looked at: none of them was told from the others without that.
    assert proxy.sample("m2m_proxy_password_checks_total", result="wrong") == 3
    # The log says more than the answers, and nothing of what may be a password in the wrong place.
    proxy.log.wait_for("event=caller", 3)
    warnings = [line for line in proxy.log.lines if "event=caller" in line]
    assert ["caller=billing error=wrong_password" in line for line in warnings] == [True, False, False]
    assert not any("nobody" in line for line in warnings)


def test_a_password_is_looked_at_once(proxy, passwords):
    line = basic("billing", passwords["billing"])
    clients = [proxy.connect() for _ in range(5)]
    for client in clients * 3:
        assert client.exchange(get(URL, line)).status == 200
    assert proxy.sample("m2m_proxy_password_checks_total", result="right") == 1
    for _ in range(3):
        assert proxy.connect().exchange(get(URL, basic("billing", "wrong"))).status == 407
    assert proxy.sample("m2m_proxy_password_checks_total", result="wrong") == 1
    assert proxy.sample("m2m_proxy_caller_requests_total", caller="billing", route="api") == 15


def test_many_requests_at_once_wait_for_one_check(start_proxy, origin, passwords):
    # At a cost at which all are there before the first is done.
    callers = {"billing": {"password": password_hash(passwords["billing"], cost=14)}}
    proxy = start_proxy({"forward_to": origin.url, "callers": "billing"}, callers=callers)
    clients = [proxy.connect().send(get(URL, basic("billing", passwords["billing"]))) for _ in range(30)]
    assert [client.answer().status for client in clients] == [200] * 30
    assert proxy.sample("m2m_proxy_password_checks_total", result="right") == 1


def test_each_request_of_a_connection_is_identified_anew(start_proxy, origin, callers, passwords):
    proxy = start_proxy({"forward_to": origin.url, "callers": ["billing", "erp"]}, callers=callers)
    client = proxy.connect()
    for name in ["billing", "erp", None, "erp", "billing"]:
        lines = [basic(name, passwords[name])] if name else []
        assert client.exchange(get(URL, *lines)).status == (200 if name else 407)
    assert [line.get("caller") for line in proxy.requests_logged(5)] == ["billing", "erp", None, "erp", "billing"]


def test_a_caller_that_is_known_and_not_let_in_gets_403(proxy, origin, passwords):
    answer = proxy.connect().exchange(get(URL, basic("erp", passwords["erp"])))
    assert (answer.status, answer.value("proxy-authenticate")) == (403, None)
    assert "erp" in problem(answer)["detail"] and "callers" in problem(answer)["hint"]
    assert origin.requests == []
    line = proxy.requests_logged(1)[0]
    assert (line["error"], line["caller"]) == ("caller_not_admitted", "erp")


def test_a_base_url_client_is_not_challenged_but_gets_the_alternatives(proxy, origin, passwords):
    client = proxy.connect()
    answer = client.exchange(get("/api/orders"))
    assert (answer.status, answer.value("proxy-authenticate")) == (403, None)
    assert "http_proxy" in problem(answer)["hint"] and "certificate" in problem(answer)["hint"]
    # One that can be made to send the field is served.
    assert client.exchange(get("/api/orders", basic("billing", passwords["billing"]))).status == 200
    assert client.exchange(get("/api/orders", basic("billing", "wrong"))).status == 403
    assert len(origin.requests) == 1


def test_a_password_that_is_not_asked_for_changes_nothing(start_proxy, origin, callers, passwords):
    proxy = start_proxy({"forward_to": origin.url}, callers=callers)
    client = proxy.connect()
    for line in [basic("somebody", "of another proxy"), basic("erp", passwords["erp"]), "Proxy-Authorization: x"]:
        assert client.exchange(get(URL, line)).status == 200
    assert [line.get("caller") for line in proxy.requests_logged(3)] == [None, "erp", None]
    assert all(request.value("proxy-authorization") is None for request in origin.requests)


def test_a_listener_may_require_callers_for_everything(start_proxy, origin, callers, passwords):
    proxy = start_proxy({"forward_to": origin.url}, callers=callers,
                        listen=[{"address": "127.0.0.1:0", "callers": "required"}])
    client = proxy.connect()
    for target in [URL, "http://unknown.internal/"]:
        answer = client.exchange(get(target))
        assert (answer.status, "route" in problem(answer)) == (407, False)
        assert "127.0.0.1:%d" % proxy.address[1] in problem(answer)["detail"]
    assert client.exchange(get(URL, basic("erp", passwords["erp"]))).status == 200
    answer = client.exchange(get("http://unknown.internal/", basic("erp", passwords["erp"])))
    assert (answer.status, problem(answer)["title"]) == (403, "No route")


def test_a_listener_may_be_for_certain_callers(start_proxy, origin, callers, passwords):
    proxy = start_proxy({"forward_to": origin.url}, callers=callers,
                        listen=[{"address": "127.0.0.1:0", "callers": ["erp"]}])
    client = proxy.connect()
    assert client.exchange(get(URL, basic("erp", passwords["erp"]))).status == 200
    answer = client.exchange(get(URL, basic("billing", passwords["billing"])))
    assert answer.status == 403 and "billing" in problem(answer)["detail"]


def test_connect_is_challenged_too(start_proxy, origin, callers, passwords):
    tunnel = {"name": "tunnel", "match": f"127.0.0.1:{origin.port}", "mount": None, "audience": None,
              "tunnel": "blind", "callers": "billing"}
    proxy = start_proxy({"forward_to": origin.url}, tunnel, callers=callers)
    target = origin.authority
    client = proxy.connect()
    answer = client.exchange(get(target, method="CONNECT", host=target), "CONNECT")
    assert answer.status == 407 and answer.value("proxy-authenticate").startswith(b"Basic")
    result = curl("--proxy", credentials_in(proxy.url, "billing", passwords["billing"]), "--proxytunnel",
                  f"http://{target}/x")
    assert result.stdout == "ok 200", result.stderr
    result = curl("--proxy", credentials_in(proxy.url, "billing", passwords["billing"]), "--proxytunnel",
                  "--proxy-anyauth", f"http://{target}/x")
    assert result.stdout == "ok 200", result.stderr
    assert callers_logged(proxy, 4) == ["billing", "billing", "none", "none"]


# Credentials by caller.

@pytest.fixture
def second_authlib(transcript):
    server = AuthlibServer(transcript)
    yield server
    server.stop()


def by_caller(start_proxy, origin, callers, authlib, second_authlib, **choice):
    second = second_authlib.credential() | {"client_secret": "${SECOND_SECRET}"}
    return start_proxy({"forward_to": origin.url, "credentials": choice}, callers=callers,
                       credentials={"first": authlib.credential(), "second": second},
                       environment={"SECOND_SECRET": second_authlib.client.secret})


def bearer(origin) -> bytes:
    return origin.requests[-1].value("authorization")


def test_each_caller_has_its_own_tokens(start_proxy, origin, callers, passwords, authlib, second_authlib):
    proxy = by_caller(start_proxy, origin, callers, authlib, second_authlib, billing="first", erp="second")
    client = proxy.connect()
    for _ in range(2):
        assert client.exchange(get(URL, basic("billing", passwords["billing"]))).status == 200
        assert bearer(origin) == b"Bearer " + authlib.tokens[0].encode()
        assert client.exchange(get(URL, basic("erp", passwords["erp"]))).status == 200
        assert bearer(origin) == b"Bearer " + second_authlib.tokens[0].encode()
    # Without `default`, no other client is served.
    assert client.exchange(get(URL)).status == 407
    assert client.exchange(get("/api/x")).status == 403
    assert (len(authlib.tokens), len(second_authlib.tokens)) == (1, 1)


def test_others_have_the_tokens_of_the_default(start_proxy, origin, callers, passwords, authlib, second_authlib):
    proxy = by_caller(start_proxy, origin, callers, authlib, second_authlib, billing="first", default="second")
    client = proxy.connect()
    for lines in [[], [basic("erp", passwords["erp"])]]:
        assert client.exchange(get(URL, *lines)).status == 200
        assert bearer(origin) == b"Bearer " + second_authlib.tokens[0].encode()
    assert client.exchange(get(URL, basic("billing", passwords["billing"]))).status == 200
    assert bearer(origin) == b"Bearer " + authlib.tokens[0].encode()
    # A password that is wrong does not make its sender one of the others.
    assert client.exchange(get(URL, basic("billing", "wrong"))).status == 407


def test_a_token_that_is_refused_is_replaced_by_one_of_the_same_caller(
        start_proxy, origin, callers, passwords, authlib, second_authlib):
    refused = set()

    def refuse_some(connection):
        while not connection.at_end():
            is_refused = connection.request().value("authorization") in refused
            connection.answer(status="401 Unauthorized" if is_refused else "200 OK")

    origin.otherwise = refuse_some
    proxy = by_caller(start_proxy, origin, callers, authlib, second_authlib, billing="first", default="second")
    client = proxy.connect()
    assert client.exchange(get(URL)).status == 200
    assert client.exchange(get(URL, basic("billing", passwords["billing"]))).status == 200
    refused.add(bearer(origin))
    assert client.exchange(get(URL, basic("billing", passwords["billing"]))).status == 200
    assert bearer(origin) == b"Bearer " + authlib.tokens[1].encode()
    assert (len(authlib.tokens), len(second_authlib.tokens)) == (2, 1)


# Guessing.

def test_guessing_ends_after_some_wrong_passwords_and_affects_no_other_caller(proxy, passwords, origin):
    client = proxy.connect()
    right = basic("billing", passwords["billing"])
    assert client.exchange(get(URL, right)).status == 200
    statuses = [client.exchange(get(URL, basic("billing", f"guess {number}"))).status for number in range(25)]
    # One more may have been allowed meanwhile.
    assert statuses[:20] == [407] * 20 and statuses[-1] == 429, statuses
    answer = client.exchange(get(URL, basic("billing", "guess 25")))
    assert answer.status == 429 and 1 <= int(answer.value("retry-after")) <= 6
    assert answer.value("proxy-authenticate") is None
    # What is known is not a guess: the right one, and the same wrong one again.
    assert client.exchange(get(URL, right)).status == 200
    assert client.exchange(get(URL, basic("billing", "guess 0"))).status == 407
    assert proxy.sample("m2m_proxy_password_checks_total", result="limited") >= 4
    assert proxy.sample("m2m_proxy_errors_total", kind="too_many_guesses") >= 4
    proxy.log.wait_for("event=caller", 20)


# Real clients.

def test_curl_with_the_password_in_the_proxys_url(proxy, origin, passwords):
    result = curl("--proxy", credentials_in(proxy.url, "billing", passwords["billing"]), URL)
    assert result.stdout == "ok 200", result.stderr


def test_curl_with_proxy_user(proxy, origin, passwords):
    result = curl("--proxy", proxy.url, "--proxy-user", f"billing:{passwords['billing']}", URL, URL)
    assert result.stdout == "ok 200ok 200", result.stderr
    assert len({line["client"] for line in proxy.requests_logged(2)}) == 1


@pytest.mark.parametrize("data", [[], ["--data", "a=1"]])
def test_curl_that_asks_first(proxy, origin, passwords, data):
    result = curl("--proxy", proxy.url, "--proxy-user", f"billing:{passwords['billing']}", "--proxy-anyauth", *data, URL)
    assert result.stdout == "ok 200", result.stderr
    assert {line["status"] for line in proxy.requests_logged(2)} == {"407", "200"}
    assert origin.requests[0].body == (b"a=1" if data else b"")


def test_curl_with_a_wrong_password_shows_the_explanation(proxy):
    result = curl("--proxy", proxy.url, "--proxy-user", "billing:wrong", URL)
    assert result.stdout.endswith(" 407") and "User or password is wrong" in result.stdout


def test_wget_with_proxy_user(proxy, origin, passwords):
    result = run(["wget", "--quiet", "--no-config", "--tries=1", "-O", "-", "--proxy-user=billing",
                  f"--proxy-password={passwords['billing']}", URL], env=clean_environment(http_proxy=proxy.url))
    assert (result.returncode, result.stdout) == (0, "ok"), result.stderr


def test_wget_with_a_wrong_password_ends_with_an_authentication_error(proxy):
    result = run(["wget", "--no-config", "--tries=1", "-O", "-", "--proxy-user=billing", "--proxy-password=x", URL],
                 env=clean_environment(http_proxy=proxy.url))
    assert result.returncode != 0 and "407" in result.stderr


def test_requests_with_the_password_in_the_proxys_url(proxy, origin, passwords):
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": credentials_in(proxy.url, "billing", passwords["billing"])}
        assert [session.get(URL).text, session.post(URL, data=b"abc").text] == ["ok", "ok"]
        session.proxies = {"http": credentials_in(proxy.url, "billing", "wrong")}
        assert session.get(URL).status_code == 407


@pytest.mark.parametrize("is_right", [True, False])
def test_java_with_an_authenticator(proxy, origin, passwords, is_right):
    host, port = proxy.address
    password = passwords["billing"] if is_right else "wrong"
    result = run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", f"-Dhttp.proxyHost={host}",
                  f"-Dhttp.proxyPort={port}", str(JAVA_PROGRAM), URL, "billing", password],
                 env=clean_environment(LC_ALL="C.UTF-8"))
    if is_right:
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines() == ["asked by PROXY for m2m-proxy", "GET 200 ok", "GET 200 ok", "POST 200 ok"]
        assert origin.requests[-1].body == b"some content"
    else:
        assert "GET 407" in result.stdout.splitlines()
        # It asks its program again and again; the same wrong password is looked at once.
        assert proxy.sample("m2m_proxy_password_checks_total", result="wrong") == 1
        assert origin.requests == []


# Unix sockets.

def test_the_user_of_a_unix_socket_is_the_caller(start_proxy, origin, callers, passwords, tmp_path):
    callers["cron"] = {"uid": os.getuid()}
    proxy = start_proxy({"forward_to": origin.url, "callers": ["cron"]}, callers=callers,
                        listen=["127.0.0.1:0", {"address": f"unix:{tmp_path}/socket"}])
    client = proxy.connect(tmp_path / "socket")
    assert [client.exchange(get(target)).status for target in [URL, "/api/x"]] == [200, 200]
    # A password says more than the connection, as long as it is right.
    assert client.exchange(get(URL, basic("erp", passwords["erp"]))).status == 403
    assert client.exchange(get(URL, basic("erp", "wrong"))).status == 200
    assert proxy.connect().exchange(get(URL)).status == 403
    assert callers_logged(proxy, 5) == ["cron", "cron", "cron", "erp", "none"]


def test_other_users_of_a_unix_socket_are_refused(start_proxy, origin, callers, tmp_path):
    callers["cron"] = {"uid": os.getuid() + 1}
    proxy = start_proxy({"forward_to": origin.url}, callers=callers,
                        listen=["127.0.0.1:0", {"address": f"unix:{tmp_path}/socket", "callers": "cron"}])
    answer = proxy.connect(tmp_path / "socket").exchange(get("/api/x"))
    assert answer.status == 403 and problem(answer)["title"] == "This client is not known"
    assert proxy.connect().exchange(get("/api/x")).status == 200


def test_a_user_has_credentials_of_its_own(start_proxy, origin, callers, authlib, second_authlib, tmp_path):
    callers["cron"] = {"uid": os.getuid()}
    second = second_authlib.credential() | {"client_secret": "${SECOND_SECRET}"}
    proxy = start_proxy({"forward_to": origin.url, "credentials": {"cron": "second", "default": "first"}},
                        callers=callers, credentials={"first": authlib.credential(), "second": second},
                        environment={"SECOND_SECRET": second_authlib.client.secret},
                        listen=["127.0.0.1:0", {"address": f"unix:{tmp_path}/socket"}])
    assert proxy.connect(tmp_path / "socket").exchange(get("/api/x")).status == 200
    assert bearer(origin) == b"Bearer " + second_authlib.tokens[0].encode()
    assert proxy.connect().exchange(get("/api/x")).status == 200
    assert bearer(origin) == b"Bearer " + authlib.tokens[0].encode()


# Tunnels whose requests are served here.

SECURE_URL = URL.replace("http:", "https:")


@pytest.fixture
def intercepted(start_proxy, origin, callers, interception):
    return start_proxy({"forward_to": origin.url, "callers": ["billing"], "tunnel": "intercept"}, callers=callers,
                       interception=interception.settings)


@pytest.mark.parametrize("asks_first", [False, True])
def test_the_password_of_connect_holds_for_the_requests_inside(intercepted, origin, passwords, interception, asks_first):
    arguments = ["--proxy-anyauth"] if asks_first else []
    result = curl("--proxy", intercepted.url, "--proxy-user", f"billing:{passwords['billing']}", *arguments,
                  "--cacert", str(interception.file), SECURE_URL, SECURE_URL)
    assert result.stdout == "ok 200ok 200", result.stderr
    expected = ["billing"] * 3 + (["none"] if asks_first else [])
    assert callers_logged(intercepted, len(expected)) == expected
    assert all(request.value("proxy-authorization") is None for request in origin.requests)


def test_requests_with_an_https_url_sends_its_password_with_connect(intercepted, passwords, interception):
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(interception.file)
        session.proxies = {"https": credentials_in(intercepted.url, "billing", passwords["billing"])}
        assert session.get(SECURE_URL).text == "ok"
        session.proxies = {"https": credentials_in(intercepted.url, "billing", "wrong")}
        with pytest.raises(requests.exceptions.ProxyError, match="407"):
            session.get(SECURE_URL)


@pytest.mark.parametrize("line, status", [(None, 407), (basic("billing", "wrong"), 407),
                                          (basic("erp", "erp-päss:word-1"), 403)])
def test_connect_is_refused_where_nothing_inside_would_be_served(intercepted, line, status):
    target = "api.internal:443"
    client = intercepted.connect()
    lines = [line] if line else []
    answer = client.exchange(get(target, *lines, method="CONNECT", host=target), "CONNECT")
    assert (answer.status, problem(answer)["route"]) == (status, "api")
    client.expect_end()


def test_a_host_may_have_routes_for_callers_and_others(start_proxy, origin, callers, passwords, interception):
    free = {"name": "free", "match": "api.internal/free", "mount": None, "tunnel": "intercept", "forward_to": origin.url}
    proxy = start_proxy({"forward_to": origin.url, "callers": ["billing"], "tunnel": "intercept"}, free, callers=callers,
                        interception=interception.settings)
    result = curl("--proxy", proxy.url, "--cacert", str(interception.file), "https://api.internal/free/x", SECURE_URL)
    assert result.stdout.startswith("ok 200") and result.stdout.endswith(" 403"), result.stderr
    assert "are sent with CONNECT" in result.stdout
    result = curl("--proxy", proxy.url, "--proxy-user", f"billing:{passwords['billing']}", "--cacert",
                  str(interception.file), "https://api.internal/free/x", SECURE_URL)
    assert result.stdout == "ok 200ok 200", result.stderr
    # A password in a request inside is for the upstream.
    result = curl("--proxy", proxy.url, "--cacert", str(interception.file), "-H",
                  basic("billing", passwords["billing"]), SECURE_URL)
    assert result.stdout.endswith(" 403"), result.stderr


@pytest.mark.skipif(not shutil.which("keytool"), reason="there is no keytool")
@pytest.mark.parametrize("is_enabled", [True, False])
def test_java_gives_its_password_to_connect_only_where_that_is_turned_on(
        intercepted, origin, passwords, interception, tmp_path, is_enabled):
    enabled = ["-Djdk.http.auth.tunneling.disabledSchemes="] if is_enabled else []
    result = run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", *enabled,
                  *proxy_options(intercepted, "https"), *trust_options(tmp_path / "truststore.p12", interception.file), str(JAVA_PROGRAM),
                  SECURE_URL, "billing", passwords["billing"]], env=clean_environment(LC_ALL="C.UTF-8"))
    if is_enabled:
        assert result.stdout.splitlines()[1:] == ["GET 200 ok", "GET 200 ok", "POST 200 ok"], result.stderr
    else:
        assert "407" in result.stdout + result.stderr and origin.requests == []


# Client certificates.

@pytest.fixture
def certified(start_proxy, origin, callers, authority, tmp_path):
    """A proxy that speaks TLS and requests client certificates, and clients: `certified(**callers)` gives both."""
    clients = CertificateAuthority(tmp_path)
    own = authority.issue("listener-for-callers", "127.0.0.1")

    def start(required: bool = False, **more: dict):
        tls = {"certificate": str(own.certificate), "key": str(own.key), "client_ca": str(clients.file),
               "client_certificates": "required" if required else "optional"}
        proxy = start_proxy({"forward_to": origin.url, "callers": list(more) + ["billing"]}, callers=callers | more,
                            listen=[{"address": "127.0.0.1:0", "tls": tls}])
        return proxy, clients

    return start


def curl_with(proxy, authority, certificate, *arguments: str):
    own = ["--cert", str(certificate.certificate), "--key", str(certificate.key)] if certificate else []
    return curl("--cacert", str(authority.file), *own, *arguments, "https://127.0.0.1:%d/api/x" % proxy.address[1])


@pytest.mark.parametrize("name, subject, alternatives", [
    ("CN=erp,O=Example", "CN=erp,O=Example", []),
    ("CN=Müller\\, Söhne,OU=a+UID=b,C=DE", "CN=Müller\\, Söhne,OU=a+UID=b,C=DE", []),
    ("dns:erp.internal", None, ["other.internal", "ERP.internal"]),
    ("uri:spiffe://example/erp", None, ["erp.internal", "uri:spiffe://example/erp"]),
    ("email:erp@example.com", None, ["email:erp@example.com"]),
])
def test_a_certificate_identifies_the_caller(certified, authority, name, subject, alternatives):
    proxy, clients = certified(app={"certificate": name})
    right = clients.issue("right", *alternatives, subject=subject)
    wrong = clients.issue("wrong", "x.erp.internal", "uri:spiffe://example/erp/x", "email:x@example.com",
                          subject="O=Example,CN=erp")
    assert curl_with(proxy, authority, right).stdout == "ok 200"
    for certificate in [wrong, None]:
        result = curl_with(proxy, authority, certificate)
        assert result.stdout.endswith(" 403") and "This client is not known" in result.stdout, result.stderr
    assert callers_logged(proxy, 3) == ["app", "none", "none"]


def test_a_certificate_and_a_password_are_two_ways(certified, authority, passwords):
    proxy, clients = certified(app={"certificate": "CN=right"})
    right, other = clients.issue("right"), clients.issue("other")
    by_password = ["--proxy", "https://127.0.0.1:%d" % proxy.address[1], "--proxy-cacert", str(authority.file)]
    shown = ["--proxy-cert", str(other.certificate), "--proxy-key", str(other.key)]
    result = curl(*by_password, *shown, "--proxy-user", f"billing:{passwords['billing']}", URL)
    assert result.stdout == "ok 200", result.stderr
    assert curl(*by_password, *shown, URL).stdout.endswith(" 407")
    shown = ["--proxy-cert", str(right.certificate), "--proxy-key", str(right.key)]
    assert curl(*by_password, *shown, URL).stdout == "ok 200"
    assert callers_logged(proxy, 3) == ["app", "billing", "none"]


def test_a_resumed_session_has_its_certificate(certified, authority):
    proxy, clients = certified(app={"certificate": "CN=right"}, required=True)
    certificate = clients.issue("right")
    context = ssl.create_default_context(cafile=str(authority.file))
    context.load_cert_chain(certificate.certificate, certificate.key)
    session = None
    for is_resumed in [False, True]:
        plain = socket.create_connection(proxy.address, timeout=PATIENCE)
        with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as client:
            client.sendall(get("/api/x"))
            answer = wire.read_answer(wire.Reader(lambda: client.recv(1 << 16)), "GET", None)
            assert (answer.status, client.session_reused) == (200, is_resumed)
            session = client.session
    assert [line.get("caller") for line in proxy.requests_logged(2)] == ["app", "app"]
