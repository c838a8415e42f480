"""docs/metrics.md and docs/operations.md list every metric, event and log field, and nothing that does not exist.

The harness checks that everything that a proxy exposes and logs is listed. This test makes proxies expose and log everything
that is listed."""

import signal
import socket
import ssl
import threading
from urllib.parse import urlencode

import pytest

from harness import documented
from harness.callers import basic, with_password
from harness.client import get, post
from harness.intercepting import TunnelClient
from harness.terminal import Terminal
from harness.upgrading import upgrade
from harness.waiting import poll

WEBSOCKET = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
             "Sec-WebSocket-Version: 13"]
URL = "http://api.internal/"


class Seen:
    """What the proxies of a test have exposed and logged."""

    def __init__(self):
        self.metrics: set[str] = set()
        self.fields: dict[str, set[str]] = {}

    def add(self, proxy) -> None:
        self.metrics |= documented.exposed(proxy.metrics()).keys()
        self.add_log(proxy.log.text)

    def add_log(self, text: str) -> None:
        for event, fields in documented.logged(text):
            self.fields.setdefault(event, set()).update(fields)


def see_refusals(start_proxy, origin, seen: Seen) -> None:
    """One connection a client, a load balancer without a header, a signal, and commands."""
    proxy = start_proxy({"forward_to": origin.url}, limits={"connections_per_client": 1}, control="control.sock")
    client = proxy.connect()
    assert client.exchange(get(f"{URL}#top")).status == 200
    assert client.exchange(get("http://nowhere.internal/")).status == 403
    proxy.connect()
    proxy.log.wait_for("event=refused")
    for level, status in [("info", 200), ("loud", 400)]:
        command = proxy.connect(proxy.directory / "control.sock")
        assert command.exchange(b"POST /log-level?level=%s HTTP/1.1\r\nHost: a\r\n\r\n" % level.encode()).status == status
    proxy.log.wait_for("event=control", 2)
    seen.add(proxy)

    def lacks_scope(connection):
        connection.request()
        connection.answer(
            b"", "403 Forbidden", 'WWW-Authenticate: Bearer error="insufficient_scope", error_description="read:x"',
            "Connection: close")

    def refuses(connection):
        while not connection.at_end():
            connection.request()
            connection.answer(b"", "401 Unauthorized")

    usual = origin.otherwise
    for script, status in [(lacks_scope, 403), (refuses, 401)]:
        origin.otherwise = script
        proxy = start_proxy({"forward_to": origin.url})
        assert proxy.connect().exchange(get(URL)).status == status
        proxy.requests_logged(1)
        seen.add(proxy)
    origin.otherwise = usual
    proxy = start_proxy({"forward_to": origin.url},
                        listen=[{"address": "127.0.0.1:0", "proxy_protocol": ["127.0.0.0/8"]}])
    proxy.connect().send(b"\x16\x03\x01\x02\0\x01")
    proxy.log.wait_for("event=proxy_protocol")
    seen.add(proxy)


def see_turns(start_proxy, origin, seen: Seen) -> None:
    """A request that waits for its turn, and one that the API throttles."""
    gate = threading.Event()
    throttled = []

    def script(connection):
        while not connection.at_end():
            target = connection.request().target
            if target == b"/hold":
                connection.hold(gate)
            if target == b"/throttled" and not throttled:
                throttled.append(True)
                connection.answer(b"slower!", "429 Too Many Requests", "Retry-After: 1")
            else:
                connection.answer()

    origin.otherwise = script
    proxy = start_proxy({"forward_to": origin.url, "concurrency": 1, "throttled": {"wait": "5s", "attempts": 1}})
    first = proxy.connect().send(get(f"{URL}hold"))
    poll(lambda: proxy.sample("m2m_proxy_concurrency_in_flight") == 1, "a request under way")
    second = proxy.connect().send(get(URL))
    poll(lambda: proxy.sample("m2m_proxy_concurrency_waiting") == 1, "a request that waits for its turn")
    gate.set()
    assert [client.answer().status for client in (first, second)] == [200, 200]
    assert proxy.connect().exchange(get(f"{URL}throttled")).status == 200
    proxy.requests_logged(3)
    seen.add(proxy)


def see_callers(start_proxy, origin, seen: Seen, transcript) -> None:
    password = transcript.keep_secret("billing-päss:word-1")
    proxy = start_proxy({"forward_to": origin.url, "callers": ["billing"]}, callers={"billing": with_password(password)})
    assert proxy.connect().exchange(get(URL, basic("billing", password))).status == 200
    assert proxy.connect().exchange(get(URL, basic("billing", "wrong"))).status == 407
    proxy.log.wait_for("event=caller")
    proxy.requests_logged(2)
    seen.add(proxy)


def see_upgrades(start_proxy, origin, seen: Seen) -> None:
    def switch(connection):
        connection.switch("websocket", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        connection.expect_close()

    origin.otherwise = switch
    proxy = start_proxy({"forward_to": origin.url})
    client = proxy.connect().send(get(URL, *WEBSOCKET))
    client.switched()
    client.close()
    proxy.requests_logged(1)
    seen.add(proxy)


def see_local_tokens(start_proxy, origin, seen: Seen) -> None:
    origin.otherwise = lambda connection: (connection.request(), connection.answer(), connection.expect_close())
    proxy = start_proxy({"forward_to": origin.url, "token_endpoint": ["/api/oauth2/token"]})
    form = urlencode({"grant_type": "client_credentials", "client_id": "app", "client_secret": "of-the-application"})
    request = post("/api/oauth2/token", form.encode(), "Content-Type: application/x-www-form-urlencoded", host="127.0.0.1")
    assert proxy.connect().exchange(request).status == 200
    proxy.requests_logged(1)
    seen.add(proxy)


def see_interception(start_proxy, origin, seen: Seen, interception) -> None:
    """An application that closes its tunnel without a request."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    proxy = start_proxy({"forward_to": origin.url, "tunnel": "intercept"}, interception=interception.settings)
    with TunnelClient(proxy.address, "api.internal:443") as client:
        client.start_tls(context, "api.internal")
    proxy.log.wait_for("event=tunnel")
    seen.add(proxy)


def see_listeners(start_proxy, origin, seen: Seen, authority, tmp_path) -> None:
    """A client that speaks plain HTTP to a TLS listener, whose files are then replaced."""
    certificate = authority.issue("documented", "localhost")
    files = {"certificate": tmp_path / "listener.pem", "key": tmp_path / "listener.key"}
    for name, path in files.items():
        path.touch(mode=0o600)
        path.write_bytes(getattr(certificate, name).read_bytes())
    listen = [{"address": "127.0.0.1:0", "tls": {name: str(path) for name, path in files.items()}}]
    proxy = start_proxy({"forward_to": origin.url}, listen=listen)
    assert proxy.connect().exchange(get("/api/x")).status == 400
    proxy.log.wait_for("event=tls")
    files["certificate"].write_text("no certificate")

    def kept() -> bool:
        with socket.create_connection(proxy.address) as plain:
            try:
                ssl.create_default_context(cafile=str(authority.file)).wrap_socket(plain, server_hostname="localhost").close()
            except ssl.SSLError as failure:
                pytest.fail(f"the old certificate is not used: {failure}")
        return "certificate=kept" in proxy.log.text

    poll(kept, "a warning about the certificate")
    seen.add(proxy)


def see_trust(start_proxy, tls_origin, seen: Seen, authority, tmp_path) -> None:
    """The file of authorities is replaced by one that cannot be used, while there is an idle connection."""
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.file.read_bytes())
    proxy = start_proxy({"forward_to": tls_origin.url}, tls={"ca_file": str(file)})
    assert proxy.connect().exchange(get(URL)).status == 200
    file.write_text("no certificate")
    proxy.log.wait_for("ca_file=")
    proxy.requests_logged(1)
    seen.add(proxy)


def see_dead_address(start_proxy, refusing_port, seen: Seen) -> None:
    """An upstream that refuses connections."""
    proxy = start_proxy({"forward_to": f"http://127.0.0.1:{refusing_port}"})
    assert proxy.connect().exchange(get(URL)).status == 502
    proxy.requests_logged(1)
    seen.add(proxy)


def see_tokens(start_proxy, origin, seen: Seen, authlib, tmp_path) -> None:
    """A token with everything, by the previous secret, which spends the budget; one from the store; a damaged store; none."""
    secrets = {}
    for name, value in [("current", authlib.transcript.keep_secret("not-known-to-the-server")),
                        ("previous", authlib.client.secret)]:
        secrets[name] = tmp_path / name
        secrets[name].write_text(value)
        secrets[name].chmod(0o400)
    credential = authlib.credential(
        client_secret={"file": str(secrets["current"])}, client_secret_previous={"file": str(secrets["previous"])},
        budget={"tokens": 1, "per": "month"})
    directory = tmp_path / "tokens"
    settings = {"credentials": {"kinde": credential}, "token_store": {"directory": str(directory)}}
    route = {"forward_to": origin.url, "scopes": ["read:orders"], "resource": "https://api.example/"}

    def served(**more):
        proxy = start_proxy(route | more, **settings)
        assert proxy.connect().exchange(get(URL)).status == 200
        proxy.log.wait_for(r"event=token\b")
        proxy.requests_logged(1)
        return proxy

    first = served()
    first.log.wait_for("event=secret")
    first.log.wait_for("event=token_budget")
    path = poll(lambda: next(iter(directory.glob("*.token")), None), "a token in the store")
    seen.add(first)
    first.stop()
    second = served()
    second.log.wait_for("source=store")
    seen.add(second)
    second.stop()
    path.write_bytes(b"")
    authlib.answer(500, "broken")
    third = served(without_token="forward")
    third.log.wait_for("event=token_store")
    seen.add(third)


def see_reloads(start_proxy, origin, seen: Seen) -> None:
    """One that is applied but for what needs a restart, one of a bad file, and one that comes too late."""
    proxy = start_proxy({"forward_to": origin.url}, loops=1)
    conf = proxy.directory / "proxy.conf"
    text = conf.read_text()
    conf.write_text(text.replace("loops: 1", "loops: 2"))
    proxy.signal(signal.SIGHUP)
    proxy.log.wait_for("event=reload .*result=ok")
    conf.write_text("bad: 1")
    proxy.signal(signal.SIGHUP)
    proxy.log.wait_for("event=reload .*result=failed")
    seen.add(proxy)


def see_successor(start_proxy, origin, seen: Seen) -> None:
    """An upgrade that fails, and one that does not; and a terminal that hangs up."""
    proxy = start_proxy({"forward_to": origin.url})
    assert upgrade(proxy, "--binary", str(proxy.directory)).returncode == 71
    assert upgrade(proxy).returncode == 0
    seen.add(proxy)
    terminal = Terminal()
    proxy = start_proxy({"forward_to": origin.url}, launcher=terminal.launcher())
    terminal.hang_up()
    proxy.wait()
    seen.add_log(proxy.log.text)
    terminal.close()


def see_log(start_proxy, origin, seen: Seen, tmp_path) -> None:
    """A file that cannot be opened again, lines that are not read, and the end."""
    directory = tmp_path / "documented-log"
    directory.mkdir()
    route = {"forward_to": origin.url, "credentials": "none", "audience": None}
    proxy = start_proxy(route, log={"file": str(directory / "m.log")})
    rotated = (directory / "m.log").rename(directory / "m.log.1")
    (directory / "m.log").mkdir()
    proxy.signal(signal.SIGUSR1)
    poll(lambda: "error=cannot_reopen" in rotated.read_text(), "the warning")
    seen.add_log(rotated.read_text())
    (directory / "m.log").rmdir()
    proxy = start_proxy(route)
    proxy.log.wait_for("event=ready")
    proxy.log.stop_reading()
    client = proxy.connect()

    def is_dropped():
        assert client.exchange(get(f"{URL}{'x' * 3000}")).status == 200
        return proxy.sample("m2m_proxy_log_lines_dropped_total") > 0

    poll(lambda: any(is_dropped() for _ in range(3)), "lost lines", 120)
    proxy.log.read_on()
    proxy.log.wait_for("event=log", patience=60)
    proxy.stop()
    seen.add_log(proxy.log.text)


def test_every_listed_metric_event_and_field_exists(
        start_proxy, origin, tls_origin, authlib, transcript, authority, interception, refusing_port, tmp_path):
    seen = Seen()
    # It takes long, and the origin does not wait so long for requests on the connections of the others.
    see_log(start_proxy, origin, seen, tmp_path)
    usual = origin.otherwise
    see_refusals(start_proxy, origin, seen)
    see_turns(start_proxy, origin, seen)
    see_upgrades(start_proxy, origin, seen)
    see_local_tokens(start_proxy, origin, seen)
    origin.otherwise = usual
    see_callers(start_proxy, origin, seen, transcript)
    see_interception(start_proxy, origin, seen, interception)
    see_listeners(start_proxy, origin, seen, authority, tmp_path)
    see_trust(start_proxy, tls_origin, seen, authority, tmp_path)
    see_dead_address(start_proxy, refusing_port, seen)
    see_tokens(start_proxy, origin, seen, authlib, tmp_path)
    see_reloads(start_proxy, origin, seen)
    see_successor(start_proxy, origin, seen)
    assert documented.metrics().keys() - seen.metrics == set()
    missing = {event: fields - seen.fields.get(event, set()) for event, fields in documented.events().items()}
    # This test does not cause a shortage of descriptors, nor one of memory while a password is checked.
    assert {event: fields for event, fields in missing.items() if fields} == {
        "accept": {"client", "error", "hint"}, "caller": {"detail"}}
