"""TLS connections that end without close_notify: what has no length may have been cut off, by anyone on the way."""

import socket
import ssl

import pytest

from conftest import server_context
from harness.client import get
from harness.waiting import PATIENCE
from harness.wire import Incomplete, read_answer_head
from test_tls_listeners import TLSClient, certificate, tls_proxy  # noqa: F401
from test_tunnel import connect, is_reset
from test_upgrade import handshake

HEAD = b"HTTP/1.1 200 OK\r\n"
NO_NOTIFY = "the TLS connection ended without close_notify"


def end(connection, how: str) -> None:
    """Ends as TLS wants it, or with TCP alone, which is what an attacker can do as well."""
    if how == "close_notify":
        connection.end_tls()
    connection.close()


def without_length(how: str, earlier: int = 0, content: bytes = b"hello"):
    """An origin whose last response has no length, with `earlier` ones before it on the same connection."""
    def script(connection):
        for _ in range(earlier):
            connection.request()
            connection.answer(b"earlier")
        connection.request()
        connection.send(HEAD + b"\r\n" + content)
        end(connection, how)
    return script


@pytest.fixture
def start(start_proxy, tls_origin, authority):
    """Starts a proxy to the TLS origin; its listener speaks TLS with `listener`, a certificate."""
    def start(listener=None, **more):
        listen = {"address": "127.0.0.1:0"}
        if listener:
            listen["tls"] = {"certificate": str(listener.certificate), "key": str(listener.key)}
        route = {"forward_to": tls_origin.url} | more
        return start_proxy(route, loops=1, listen=[listen], tls={"ca_file": str(authority.file)})
    return start


def client_after(proxy, earlier: int, version: str = "1.1"):
    """A client whose next request goes out on a connection that has served `earlier` ones."""
    for _ in range(earlier):
        assert proxy.connect().exchange(get("http://api.internal/earlier")).body == b"earlier"
    return proxy.connect().send(get("http://api.internal/", version=version))


# The first response of a connection is read in another way than those after it (docs/decisions/0010-tls-upstream.md).
@pytest.mark.parametrize("earlier", [0, 1, 2])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_response_without_a_length_that_is_cut_off_is_incomplete(start, tls_origin, earlier, version):
    tls_origin.script(without_length("cut", earlier))
    proxy = start()
    client = client_after(proxy, earlier, version)
    with pytest.raises(Incomplete):
        client.answer()
    line = proxy.requests_logged(earlier + 1)[-1]
    assert (line["status"], line["error"], line["sent"]) == ("200", "incomplete_response", "5")
    assert line["upstream"] == ("reused" if earlier else "new")
    assert NO_NOTIFY in line["detail"] and "tls_truncation" in line["detail"]
    assert proxy.sample("m2m_proxy_errors_total", kind="incomplete_response") == 1
    # An HTTP/1.0 client would take any other end for that of the response.
    assert version == "1.1" or client.reader.was_reset


@pytest.mark.parametrize("earlier", [0, 1, 2])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 300_000], ids=["nothing", "little", "much"])
def test_one_that_ends_with_close_notify_is_complete(start, tls_origin, earlier, version, content):
    tls_origin.script(without_length("close_notify", earlier, content))
    proxy = start()
    answer = client_after(proxy, earlier, version).answer()
    assert (answer.status, answer.body) == (200, content)
    assert "error" not in proxy.requests_logged(earlier + 1)[-1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("how", ["cut", "close_notify"])
def test_both_versions_of_tls_tell_it(start, tls_origin, authority, version, how):
    context = server_context(authority.issue(f"truncation-{version.name}", "127.0.0.1"))
    context.minimum_version = context.maximum_version = version
    tls_origin._context = context
    tls_origin.script(without_length(how))
    client = start().connect().send(get("http://api.internal/"))
    if how == "close_notify":
        assert client.answer().body == b"hello"
    else:
        with pytest.raises(Incomplete):
            client.answer()


def test_a_large_one_that_is_cut_off_arrives_as_far_as_it_came(start, tls_origin):
    tls_origin.script(without_length("cut", content=b"x" * 1_000_000))
    proxy = start()
    client = proxy.connect().send(get("http://api.internal/"))
    with pytest.raises(Incomplete):
        client.answer()
    assert proxy.requests_logged(1)[0]["sent"] == "1000000"


@pytest.mark.parametrize("earlier", [0, 1])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_route_may_accept_it(start, tls_origin, earlier, version):
    tls_origin.script(without_length("cut", earlier))
    proxy = start(tls_truncation="accept")
    assert client_after(proxy, earlier, version).answer().body == b"hello"
    assert "error" not in proxy.requests_logged(earlier + 1)[-1]
    warning = next(line for line in proxy.messages.lines if "tls_truncation" in line)
    assert warning.startswith("warning  proxy.conf:") and "is accept" in warning


def test_check_warns_of_it_too(check):
    result = check({"routes": [
        {"name": "old", "match": "old.internal", "credentials": "none", "tls_truncation": "accept"}]})
    assert result.returncode == 0, result.stderr
    assert "routes[0].tls_truncation is accept" in result.stdout


def test_routes_to_one_server_each_have_their_own_result(start_proxy, tls_origin, authority):
    tls_origin.otherwise = without_length("cut")
    proxy = start_proxy(
        {"forward_to": tls_origin.url},
        {"name": "old", "match": "old.internal", "mount": None, "forward_to": tls_origin.url, "tls_truncation": "accept"},
        loops=1, tls={"ca_file": str(authority.file)})
    for _ in range(2):
        assert proxy.connect().exchange(get("http://old.internal/")).body == b"hello"
        with pytest.raises(Incomplete):
            proxy.connect().exchange(get("http://api.internal/"))


WHOLE = {
    "a length": b"Content-Length: 5\r\n\r\nhello",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "nothing": b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("earlier", [0, 1])
@pytest.mark.parametrize("case", WHOLE)
def test_a_response_that_says_where_it_ends_is_complete_however_the_connection_ends(start, tls_origin, case, earlier):
    def script(connection):
        for _ in range(earlier):
            connection.request()
            connection.answer(b"earlier")
        connection.request()
        connection.send(HEAD + WHOLE[case])
        connection.close()

    tls_origin.script(script)
    proxy = start()
    client = client_after(proxy, earlier)
    assert client.answer().body == (b"" if case == "nothing" else b"hello")
    # On another connection, and without an error for anyone.
    assert client.exchange(get("http://api.internal/")).body == b"ok"
    assert all("error" not in line for line in proxy.requests_logged(earlier + 2))


CUT = {
    "a length": (b"Content-Length: 10\r\n\r\nhello", "it ended in the middle of the body"),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "it ended in the middle of the body"),
}


@pytest.mark.parametrize("setting", ["reject", "accept"])
@pytest.mark.parametrize("how", ["cut", "close_notify"])
@pytest.mark.parametrize("case", CUT)
def test_one_that_falls_short_is_incomplete_whatever_the_route_accepts(start, tls_origin, case, how, setting):
    def script(connection):
        connection.request()
        connection.send(HEAD + CUT[case][0])
        end(connection, how)

    tls_origin.script(script)
    proxy = start(tls_truncation=setting)
    with pytest.raises(Incomplete):
        proxy.connect().exchange(get("http://api.internal/"))
    line = proxy.requests_logged(1)[0]
    assert (line["error"], line["detail"]) == ("incomplete_response", CUT[case][1])


@pytest.mark.parametrize("setting", ["reject", "accept"])
@pytest.mark.parametrize("how", ["cut", "close_notify"])
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["nothing", "half a head"])
def test_a_head_that_is_cut_off_is_a_502(start, tls_origin, sent, how, setting):
    def script(connection):
        connection.request()
        if sent:
            connection.send(sent)
        end(connection, how)

    tls_origin.otherwise = script
    proxy = start(tls_truncation=setting)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 502
    assert proxy.requests_logged(1)[0]["error"] == "upstream_broken"


# After a 101.


def switching(how: str):
    def script(connection):
        connection.switch(behind=b"hello")
        end(connection, how)
    return script


@pytest.mark.parametrize("how", ["cut", "close_notify"])
def test_the_end_after_a_101_is_a_reset_for_a_plain_client_without_close_notify(start, tls_origin, how):
    tls_origin.script(switching(how))
    proxy = start()
    client = proxy.connect().send(handshake())
    client.switched()
    if how == "cut":
        assert is_reset(client)
        line = proxy.requests_logged(1)[0]
        assert (line["status"], line["error"], line["detail"]) == ("101", "tunnel_broken", NO_NOTIFY)
    else:
        assert client.reader.exactly(5) == b"hello"
        client.expect_end()
        client.close()
        assert "error" not in proxy.requests_logged(1)[0]


def test_a_route_may_accept_it_there_too(start, tls_origin):
    tls_origin.script(switching("cut"))
    proxy = start(tls_truncation="accept")
    client = proxy.connect().send(handshake())
    client.switched()
    assert client.reader.exactly(5) == b"hello"
    client.expect_end()
    client.close()
    assert "error" not in proxy.requests_logged(1)[0]


@pytest.mark.parametrize("how", ["cut", "close_notify"])
def test_a_tls_client_gets_close_notify_only_if_the_upstream_has_sent_it(
        start, tls_origin, certificate, authority, how):  # noqa: F811
    tls_origin.script(switching(how))
    proxy = start(listener=certificate)
    client = TLSClient(proxy, authority)
    client.socket.suppress_ragged_eofs = False
    client.socket.sendall(handshake())
    assert read_answer_head(client.reader, may_switch=True).status == 101
    if how == "cut":
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            while client.socket.recv(100):
                pass
        assert proxy.requests_logged(1)[0]["error"] == "tunnel_broken"
    else:
        assert client.reader.exactly(5) == b"hello"
        assert client.socket.recv(1) == b""
        client.close()
        # It has been told that nothing more comes, and need not say anything itself.
        assert "error" not in proxy.requests_logged(1)[0]


@pytest.mark.parametrize("how", ["cut", "close_notify"])
def test_a_client_that_ends_a_tunnel_without_close_notify_has_not_ended_it(tls_proxy, origin, authority, how):  # noqa: F811
    ends = []

    def script(connection):
        assert connection.reader.exactly(5) == b"hello"
        ends.append(connection.at_end() and connection.reader.was_reset)

    origin.script(script)
    proxy = tls_proxy({"match": origin.authority, "mount": None, "audience": None, "forward_to": None, "tunnel": "blind"})
    client = TLSClient(proxy, authority)
    client.socket.sendall(connect(origin.authority))
    assert read_answer_head(client.reader).status == 200
    client.socket.sendall(b"hello")
    if how == "cut":
        client.socket.shutdown(socket.SHUT_WR)
    else:
        client.socket.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            client.socket.unwrap()
    origin.wait_for_finished(1)
    assert ends == [how == "cut"]
    assert proxy.requests_logged(1)[0].get("error") == ("client_gone" if how == "cut" else None)
