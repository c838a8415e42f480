"""Upgrade: a request for another protocol is forwarded with its token, and after a 101 the connection is a tunnel."""

import contextlib
import json
import signal
import socket
import ssl
import threading

import pytest

from harness.client import get, post
from harness.intercepting import TunnelClient
from harness.parent import ScriptedParent
from harness.waiting import PATIENCE, poll
from harness.wire import read_answer_head
from test_memory import Peak
from test_tunnel import is_reset, open_tunnels

MB = 1 << 20
PIECE = b"x" * 16_384
WEBSOCKET = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
             "Sec-WebSocket-Version: 13"]
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def handshake(target: str = "http://api.internal/chat?room=1", *fields: str, **more) -> bytes:
    return get(target, *WEBSOCKET, *fields, **more)


def echo(connection) -> None:
    """Switches, and sends back whatever comes."""
    connection.switch("websocket", ACCEPT)
    while not connection.at_end():
        connection.send(connection.reader.take_buffered())


def hold_open(connection) -> None:
    connection.switch("websocket", ACCEPT)
    connection.expect_close()


def opened(proxy, request: bytes | None = None):
    """A client whose connection has changed its protocol."""
    client = proxy.connect().send(request or handshake())
    client.switched()
    return client


@pytest.fixture
def start(start_proxy, origin):
    def start(**more):
        settings = {key: more.pop(key) for key in ["limits", "loops", "timeouts", "listen"] if key in more}
        return start_proxy({"forward_to": origin.url} | more, **settings)
    return start


# What is switched


@pytest.mark.parametrize("target, sent", [("http://api.internal/chat?room=1", b"/chat?room=1"), ("/api/chat", b"/chat")])
def test_the_handshake_carries_the_token_and_then_bytes_go_both_ways(proxy, origin, authlib, target, sent):
    origin.script(lambda connection: (
        connection.switch("websocket", ACCEPT, "Connection: X-Hop", "X-Hop: 1", behind=b"\x81\x05first"),
        connection.send(connection.reader.exactly(6)[::-1]),
        connection.finish_sending(), connection.expect_close()))
    client = proxy.connect().send(handshake(target, "Authorization: Bearer mine", "Origin: http://api.internal")
                                  if target.startswith("http:") else handshake(target))
    answer = client.switched()
    assert (answer.value("upgrade"), answer.value("sec-websocket-accept")) == (b"websocket", ACCEPT[22:].encode())
    assert answer.values("connection") == [b"Upgrade"] and not answer.values("x-hop")
    assert b" m2m-proxy" in answer.values("via")[-1]
    assert client.reader.exactly(7) == b"\x81\x05first"
    client.send(b"\0\r\n\r\n\xff")
    assert client.reader.exactly(6) == b"\xff\n\r\n\r\0"
    client.expect_end()
    client.close()
    request = origin.wait_for_requests(1)[0]
    assert (request.target, request.value("authorization")) == (sent, f"Bearer {authlib.tokens[0]}".encode())
    assert (request.value("upgrade"), request.value("connection")) == (b"websocket", b"Upgrade")
    assert request.value("sec-websocket-key") == b"dGhlIHNhbXBsZSBub25jZQ=="
    line = proxy.requests_logged(1)[0]
    assert (line["method"], line["status"], line["upgrade"], line["route"]) == ("GET", "101", "websocket", "api")
    assert line["path"] == ("/chat" if target.startswith("http") else "/api/chat") and "?" not in line["path"]
    assert (line["received"], line["sent"]) == ("6", "13") and "error" not in line
    assert open_tunnels(proxy) == 0
    assert proxy.sample("m2m_proxy_requests_total", route="api", status="1xx") == 1


def test_interim_responses_come_before_the_switch(proxy, origin):
    def script(connection):
        request = connection.request()
        assert request.value("upgrade") == b"x/1, Y"
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2
                        + b"HTTP/1.1 101 All yours\r\nconnection: x, UPGRADE\r\nupgrade: X/1\r\nX: 1\r\n\r\nbytes")
        connection.expect_close()

    origin.script(script)
    client = proxy.connect().send(get("/api/x", "Upgrade: x/1", "Upgrade: Y", "Connection: close-not", "connection: upgrade"))
    answer = client.switched()
    assert [interim.status for interim in answer.interim] == [103, 103]
    assert (answer.reason, answer.value("upgrade"), answer.values("x")) == (b"All yours", b"X/1", [])
    assert client.reader.exactly(5) == b"bytes"


@pytest.mark.parametrize("through_tls", [False, True], ids=["plain", "TLS"])
def test_each_side_may_end_what_it_sends(start_proxy, origin, tls_origin, authority, through_tls):
    upstream = tls_origin if through_tls else origin

    def client_ends(connection):
        connection.switch()
        assert connection.reader.exactly(8) == b"question" and connection.at_end()
        connection.send(b"x" * MB)
        if through_tls:
            connection.end_tls()

    upstream.script(client_ends)
    proxy = start_proxy({"forward_to": upstream.url}, tls={"ca_file": str(authority.file)})
    client = opened(proxy).send(b"question")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.body_byte_count(MB) == MB
    client.expect_end()
    upstream.wait_for_finished(1)
    line = proxy.requests_logged(1)[0]
    assert (line["received"], line["sent"]) == ("8", str(MB)) and "error" not in line


def test_a_tls_upstream_gets_close_notify(start_proxy, tls_origin, authority):
    ends = []

    def script(connection):
        # An end that TLS does not announce is an error now.
        connection._socket.suppress_ragged_eofs = False
        connection.switch()
        ends.append(connection._socket.recv(1))
        connection.send(b"bye")
        connection.end_tls()

    tls_origin.script(script)
    client = opened(start_proxy({"forward_to": tls_origin.url}, tls={"ca_file": str(authority.file)}))
    client.socket.shutdown(socket.SHUT_WR)
    assert client.reader.exactly(3) == b"bye"
    client.expect_end()
    tls_origin.wait_for_finished(1)
    assert ends == [b""]


def test_a_tls_upstream_never_takes_a_clients_reset_for_an_end(start_proxy, tls_origin, authority):
    ends = []

    def script(connection):
        connection._socket.suppress_ragged_eofs = False
        connection.switch()
        try:
            ends.append(connection._socket.recv(1))
        except OSError as error:
            ends.append(type(error))

    tls_origin.script(script)
    proxy = start_proxy({"forward_to": tls_origin.url}, tls={"ca_file": str(authority.file)})
    opened(proxy).reset()
    tls_origin.wait_for_finished(1)
    assert ends != [b""]
    assert proxy.requests_logged(1)[0]["error"] == "client_gone"


@pytest.mark.parametrize("through_tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("from_client", [True, False])
def test_a_side_that_takes_nothing_stops_the_other_one(start_proxy, origin, tls_origin, authority, from_client, through_tls):
    upstream = tls_origin if through_tls else origin
    done, full, moved = threading.Event(), threading.Event(), []

    def script(connection):
        connection.switch()
        if from_client:
            connection.hold(done)
            while not connection.at_end():
                moved.append(len(connection.reader.take_buffered()))
        else:
            moved.append(fill(connection._socket))
            full.set()
            if through_tls:
                # TLS has begun with the piece that did not go out.
                moved.append(connection._socket.send(PIECE))
                # An end without it is a truncation, and the proxy resets the client, which may not have read all then.
                while True:
                    with contextlib.suppress(ssl.SSLWantWriteError):
                        connection.end_tls()
                        break
                    connection._socket.settimeout(PATIENCE)
                connection.expect_close()

    upstream.keep_bytes = False
    upstream.script(script)
    proxy = start_proxy({"forward_to": upstream.url}, tls={"ca_file": str(authority.file)}, loops=1)
    client = opened(proxy)
    peak = Peak(proxy.pid)
    if from_client:
        sent = fill(client.socket)
        client.socket.shutdown(socket.SHUT_WR)
        done.set()
        upstream.wait_for_finished(1)
    else:
        assert full.wait(10)
        sent = client.body_byte_count(moved[0] + (len(PIECE) if through_tls else 0))
        client.expect_end()
        client.close()
    assert sum(moved) == sent > MB and peak.growth < 4 * MB, f"{peak.growth} bytes more after {sent}"


def fill(source: socket.socket) -> int:
    """Sends until there is no more room, and none is made either; how much that was."""
    looks = sent = 0
    source.setblocking(False)

    def is_full():
        nonlocal sent, looks
        try:
            while True:
                sent += source.send(PIECE)
                looks = 0
        except (BlockingIOError, ssl.SSLWantWriteError):
            looks += 1
        return looks > 20

    poll(is_full, "the end of all buffers")
    source.settimeout(PATIENCE)
    return sent


# How it goes on without a switch


def test_an_ordinary_response_is_forwarded_and_the_connection_goes_on(proxy, origin):
    def script(connection):
        connection.request()
        connection.answer(b"not here", "426 Upgrade Required", "Upgrade: websocket", "Connection: Upgrade")
        connection.request()
        connection.answer(b"next")
        connection.request()
        connection.answer(b"no")

    origin.script(script)
    client = proxy.connect()
    answer = client.exchange(handshake())
    assert (answer.status, answer.body) == (426, b"not here") and not answer.values("connection")
    assert client.exchange(get("/api/next")).body == b"next"
    assert client.exchange(handshake()).body == b"no"
    origin.wait_for_requests(3)
    assert len(origin.connections) == 1


def test_a_handshake_whose_token_is_refused_is_sent_once_more_with_another(proxy, origin, authlib):
    def script(connection):
        connection.request()
        connection.answer(b"expired", "401 Unauthorized")
        echo(connection)

    origin.script(script)
    client = opened(proxy)
    client.send(b"hello")
    assert client.reader.exactly(5) == b"hello"
    client.close()
    refused, accepted = origin.wait_for_requests(2)
    assert refused.value("authorization") != accepted.value("authorization")
    assert accepted.value("upgrade") == b"websocket" and authlib.tokens[1].encode() in accepted.value("authorization")
    line = proxy.requests_logged(1)[0]
    assert (line["status"], line["replayed"]) == ("101", "401")


def test_a_handshake_that_is_throttled_waits(start, origin):
    def script(connection):
        connection.request()
        connection.answer(b"", "429 Too Many Requests", "Retry-After: 0")
        echo(connection)

    origin.script(script)
    assert opened(start(throttled={"wait": "1s"})).send(b"x").reader.exactly(1) == b"x"


@pytest.mark.parametrize("name, request_bytes, connection_goes_on", [
    ("Connection does not name it", get("/api/x", "Upgrade: websocket"), True),
    ("nothing is named", get("/api/x", "Connection: upgrade"), True),
    ("an empty name", get("/api/x", "Connection: upgrade", "Upgrade:"), True),
    ("HTTP/1.0", handshake("/api/x", version="1.0"), False),
    ("h2c", get("/api/x", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), True),
    ("HTTP/2.0", get("/api/x", "Connection: Upgrade", "Upgrade: HTTP/2.0"), True),
    ("TLS", get("/api/x", "Connection: Upgrade", "Upgrade: TLS/1.0, http/3, H2C"), True),
    ("a malformed list", get("/api/x", "Connection: Upgrade", "Upgrade: websocket, a b"), True),
    ("a malformed version", get("/api/x", "Connection: Upgrade", "Upgrade: websocket/"), True),
    ("two versions", get("/api/x", "Connection: Upgrade", "Upgrade: websocket/1/2"), True),
    ("too many names", get("/api/x", "Connection: Upgrade", "Upgrade: " + ",".join("x" * 17)), True),
    ("content", post("/api/x", b"abc", *WEBSOCKET), True),
    ("content in chunks", get("/api/x", "Transfer-Encoding: chunked", *WEBSOCKET, method="POST") + b"0\r\n\r\n", True),
    ("the end of the connection", get("/api/x", *WEBSOCKET, "Connection: close"), False),
])
def test_what_is_no_offer_goes_on_as_an_ordinary_request(proxy, origin, name, request_bytes, connection_goes_on):
    client = proxy.connect()
    assert client.exchange(request_bytes).body == b"ok"
    request = origin.wait_for_requests(1)[0]
    for field in ["upgrade", "connection", "http2-settings"]:
        assert request.values(field) == [], request.lines
    if connection_goes_on:
        assert client.exchange(get("/api/y")).status == 200
    else:
        client.expect_end()


def test_an_empty_content_is_none(proxy, origin):
    origin.script(echo)
    client = proxy.connect().send(get("/api/exec", "Connection: Upgrade", "Upgrade: tcp, websocket", "Content-Length: 0",
                                      "TE: trailers", method="POST"))
    client.switched()
    request = origin.wait_for_requests(1)[0]
    assert (request.method, request.value("upgrade"), request.value("connection")) == (b"POST", b"tcp, websocket", b"TE, Upgrade")


@pytest.mark.parametrize("setting, offered", [
    (None, b"websocket, Foo/1, bar"), ("any", b"websocket, Foo/1, bar"), ("off", None), ("websocket", b"websocket"),
    (["bar", "foo/1"], b"Foo/1, bar"), (["foo"], b"Foo/1"), (["foo/2"], None), (["websock"], None),
])
def test_a_route_says_which_protocols_there_may_be(start, origin, setting, offered):
    client = start(upgrade=setting).connect()
    client.exchange(get("/api/x", "Connection: Upgrade", "Upgrade: h2c, websocket, Foo/1", "Upgrade: TLS/1.2, bar"))
    assert origin.wait_for_requests(1)[0].value("upgrade") == offered


# What is sent ahead


EVIL = get("/api/evil", "X: y")


def test_what_the_client_sends_ahead_of_the_switch_belongs_to_the_new_protocol(proxy, origin):
    received = []

    def script(connection):
        connection.switch()
        received.append(connection.reader.exactly(len(EVIL) + 4))
        connection.send(b"got it")
        connection.expect_close()

    origin.script(script)
    client = proxy.connect().send(handshake() + EVIL)
    client.switched()
    client.send(b"more")
    assert client.reader.exactly(6) == b"got it"
    assert received == [EVIL + b"more"] and len(origin.requests) == 1


def test_what_follows_an_empty_content_belongs_to_the_new_protocol(proxy, origin):
    origin.script(echo)
    client = proxy.connect().send(handshake("/api/x", "Content-Length: 0", method="POST") + b"early")
    client.switched()
    assert client.reader.exactly(5) == b"early"
    client.close()
    assert proxy.connect().exchange(get("/api/y")).status == 200


@pytest.mark.parametrize("fields", [
    WEBSOCKET, ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
    ["Connection: Upgrade", "Upgrade: a b"],
], ids=["offered", "h2c", "malformed"])
@pytest.mark.parametrize("content", [None, b"abc"])
def test_what_the_client_sends_ahead_of_another_response_is_never_a_request(proxy, origin, fields, content):
    client = proxy.connect()
    request = get("/api/x", *fields) if content is None else post("/api/x", content, *fields)
    client.send(request + EVIL)
    answer = client.answer()
    assert (answer.status, answer.value("connection")) == (200, b"close")
    client.expect_end()
    proxy.requests_logged(1)
    assert [request.target for request in origin.requests] == [b"/x"]


def test_bytes_that_arrive_during_the_response_are_never_a_request_either(start, origin):
    asked, goes_on = threading.Event(), threading.Event()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        asked.set()
        connection.hold(goes_on)
        connection.send(b"lf")
        connection.expect_close()

    origin.script(script)
    proxy = start(loops=1)
    client = proxy.connect().send(handshake())
    assert client.head().status == 200 and client.reader.exactly(2) == b"ha" and asked.wait(10)
    client.send(EVIL)
    # Another client's request is served: by then the event loop has seen what came.
    assert proxy.connect().exchange(get("/api/other")).status == 200
    goes_on.set()
    assert client.reader.exactly(2) == b"lf"
    client.expect_end()
    assert b"/evil" not in [request.target for request in origin.requests]


@pytest.mark.parametrize("target, status", [("http://unknown.internal/", 403), ("/api/x", 405)])
def test_what_is_sent_ahead_of_a_refusal_is_never_a_request(start, origin, target, status):
    client = start(methods=["POST"]).connect()
    client.send(handshake(target) + EVIL)
    answer = client.answer()
    assert (answer.status, answer.value("connection")) == (status, b"close")
    client.expect_end()
    assert origin.requests == []


# Answers that must not be believed


@pytest.mark.parametrize("answer, detail", [
    (["Upgrade: other", "Connection: Upgrade"], "was not offered"),
    (["Upgrade: websocket, other", "Connection: Upgrade"], "was not offered"),
    (["Upgrade: websocket/14", "Connection: Upgrade"], "was not offered"),
    (["Upgrade: h2c", "Connection: Upgrade"], "was not offered"),
    (["Upgrade: websocket"], "was not offered"),
    (["Connection: Upgrade"], "was not offered"),
    (["Upgrade:", "Connection: Upgrade"], "was not offered"),
    (["Upgrade: a b", "Connection: Upgrade"], "was not offered"),
    (["Upgrade: websocket", "Connection: Upgrade", "Content-Length: 5"], "announces a body"),
    (["Upgrade: websocket", "Connection: Upgrade", "Transfer-Encoding: chunked"], "announces a body"),
])
def test_a_switch_to_what_was_not_offered_is_a_502(proxy, origin, answer, detail):
    def script(connection):
        connection.request()
        connection.send("".join(line + "\r\n" for line in ["HTTP/1.1 101 Switching", *answer, ""]).encode() + EVIL)
        connection.expect_close()

    origin.script(script)
    client = proxy.connect()
    problem = client.exchange(handshake())
    assert problem.status == 502 and detail in json.loads(problem.body)["detail"], problem.body
    origin.wait_for_finished(1)
    # The client's connection is good for other requests.
    assert client.exchange(get("/api/next")).status == 200
    assert proxy.requests_logged(1)[0]["error"] == "malformed_response"


def test_a_length_of_nothing_in_a_101_is_left_out(proxy, origin):
    origin.script(lambda connection: (connection.switch("websocket", "Content-Length: 0", behind=b"x"),
                                      connection.expect_close()))
    assert opened(proxy).reader.exactly(1) == b"x"


def test_a_switch_by_http_1_0_is_a_502(proxy, origin):
    origin.script(lambda connection: (
        connection.request(),
        connection.send(b"HTTP/1.0 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        connection.expect_close()))
    assert proxy.connect().exchange(handshake()).status == 502


# What holds for tunnels


def test_one_in_which_nothing_moves_is_ended(start, origin):
    origin.script(hold_open)
    proxy = start(timeouts={"body": "24h", "tunnel": "200ms"})
    client = opened(proxy).send(b"x")
    assert is_reset(client)
    origin.wait_for_finished(1)
    line = proxy.requests_logged(1)[0]
    assert (line["status"], line["error"], line["received"]) == ("101", "tunnel_idle", "1")
    assert open_tunnels(proxy) == 0


def test_a_route_may_be_more_patient_than_others(start_proxy, origin):
    origin.otherwise = echo
    proxy = start_proxy({"forward_to": origin.url, "timeouts": {"tunnel": "24h"}},
                        {"name": "hasty", "match": "hasty.internal", "mount": "/hasty", "forward_to": origin.url},
                        timeouts={"tunnel": "200ms"})
    patient = opened(proxy)
    assert is_reset(opened(proxy, handshake("/hasty/x")))
    assert patient.send(b"x").reader.exactly(1) == b"x"


def test_bytes_keep_it_and_total_ends_it_all_the_same(start, origin):
    def script(connection):
        connection.switch()
        try:
            while True:
                connection.send(b"tick")
        except OSError:
            pass  # Reset, at last.

    origin.script(script)
    proxy = start(timeouts={"tunnel": "300ms", "total": "900ms"})
    assert is_reset(opened(proxy))
    line = proxy.requests_logged(1)[0]
    assert line["error"] == "out_of_time" and float(line["total"].removesuffix("ms")) >= 900
    origin.wait_for_finished(1)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_client_that_goes_frees_the_upstream_at_once(start, origin, how):
    origin.script(hold_open)
    proxy = start(timeouts={"tunnel": "24h"})
    client = opened(proxy)
    poll(lambda: open_tunnels(proxy) == 1, "an open tunnel")
    getattr(client, how)()
    origin.wait_for_finished(1)
    assert proxy.requests_logged(1)[0].get("error") == ("client_gone" if how == "reset" else None)
    poll(lambda: open_tunnels(proxy) == 0, "no open tunnel")


def test_a_reset_of_the_server_reaches_the_client_as_one(proxy, origin):
    origin.script(lambda connection: (connection.switch(), connection.reader.exactly(4), connection.reset()))
    client = opened(proxy).send(b"bomb")
    assert is_reset(client)
    assert proxy.requests_logged(1)[0]["error"] == "tunnel_broken"


def test_a_client_that_closes_before_the_response_counts_as_gone(proxy, origin):
    origin.script(lambda connection: (connection.request(), connection.expect_close()))
    client = proxy.connect().send(handshake())
    origin.wait_for_requests(1)
    client.close()
    origin.wait_for_finished(1)
    assert proxy.requests_logged(1)[0]["error"] == "client_gone"


def test_open_ones_are_finished_when_the_proxy_stops(proxy, origin):
    origin.script(echo)
    client = opened(proxy)
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("draining: 1 request in flight")
    assert client.send(b"still here").reader.exactly(10) == b"still here"
    client.close()
    assert proxy.wait() == 0
    assert "error" not in proxy.requests_logged(1)[0]


def test_those_that_do_not_end_are_cut_off_when_draining_is_over(start, origin):
    origin.script(hold_open)
    proxy = start(timeouts={"drain": "300ms"})
    client = opened(proxy)
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    assert is_reset(client)
    assert proxy.requests_logged(1)[0]["error"] == "draining"


def test_its_connection_to_the_upstream_counts_and_serves_no_other_client(start, origin):
    origin.script(echo)
    proxy = start(loops=1, limits={"upstream_connections": 1, "queue": 1}, timeouts={"connect": "24h"})
    first = opened(proxy)
    second = proxy.connect().send(get("/api/x"))
    poll(lambda: proxy.sample("m2m_proxy_upstream_requests_waiting", upstream=origin.url) == 1, "one that waits")
    assert proxy.sample("m2m_proxy_upstream_connections", upstream=origin.url) == 1
    first.close()
    assert second.answer().status == 200
    assert len(origin.connections) == 2
    assert proxy.sample("m2m_proxy_upstream_connections", upstream=origin.url) == 1


def test_a_connection_that_carried_requests_may_be_switched(proxy, origin):
    origin.script(lambda connection: (connection.request(), connection.answer(), echo(connection)))
    client = proxy.connect()
    assert client.exchange(get("/api/x")).status == 200
    client.send(handshake())
    client.switched()
    assert client.send(b"abc").reader.exactly(3) == b"abc"
    client.close()
    assert [line["upstream"] for line in proxy.requests_logged(2)] == ["new", "reused"]


def test_it_does_not_count_for_concurrency(start, origin):
    origin.otherwise = echo
    proxy = start(concurrency=1)
    clients = [opened(proxy) for _ in range(3)]
    assert proxy.sample("m2m_proxy_concurrency_in_flight", route="api") == 0
    assert [client.send(b"x").reader.exactly(1) for client in clients] == [b"x"] * 3


def test_the_time_that_it_lasts_does_not_count_as_the_duration_of_a_response(start, origin):
    origin.script(hold_open)
    proxy = start(timeouts={"tunnel": "1200ms"})
    assert is_reset(opened(proxy))
    assert float(proxy.requests_logged(1)[0]["total"].removesuffix("ms")) >= 1200
    assert proxy.sample("m2m_proxy_request_duration_seconds_sum", route="api") < 1.2


# Rules, and ways


@pytest.mark.parametrize("rules, status", [({"methods": ["POST"]}, 405), ({"paths": ["/other"]}, 403),
                                           ({"allow": ["10.0.0.0/8"]}, 403)])
def test_the_rules_of_the_route_are_for_handshakes_too(start, origin, rules, status):
    assert start(**rules).connect().exchange(handshake()).status == status
    assert origin.requests == []


def test_a_web_page_cannot_open_one(proxy, origin):
    answer = proxy.connect().exchange(handshake("/api/chat", "Origin: http://evil.example"))
    assert answer.status == 403 and "browser_requests" in json.loads(answer.body)["hint"]
    assert origin.requests == []


def test_inside_an_intercepted_tunnel_nothing_is_different(start_proxy, origin, interception):
    def start():
        return start_proxy({"tunnel": "intercept", "forward_to": origin.url}, interception=interception.settings)

    def inside(proxy):
        return TunnelClient(proxy.address, "api.internal:443").start_tls(interception.context(), "api.internal")

    with inside(start()) as client:
        assert client.exchange(handshake("/chat")).status == 200
        assert client.exchange(get("/next")).status == 200
        answer = client.exchange(handshake("/chat") + get("/evil"))
        assert (answer.status, answer.value("connection")) == (200, b"close")
        client.expect_end()
    assert [request.target for request in origin.requests] == [b"/chat", b"/next", b"/chat"]
    # Of a proxy of its own, which has no connection to the origin as it was.
    origin.otherwise = echo
    proxy = start()
    with inside(proxy) as client:
        client.send(handshake("/chat") + b"early")
        assert read_answer_head(client.reader, may_switch=True).status == 101
        assert client.reader.exactly(5) == b"early"
        client.send(b"x" * MB)
        assert client.reader.exactly(MB) == b"x" * MB
    assert proxy.requests_logged(2)[-1]["received"] == str(MB + 5)


def test_a_parent_proxy_may_be_in_between(start_proxy, origin):
    origin.script(echo)
    parent = ScriptedParent({"far.example:80": ("127.0.0.1", origin.port)})
    proxy = start_proxy({"forward_to": "http://far.example", "parent_proxy": parent.url})
    client = opened(proxy).send(b"hello")
    assert client.reader.exactly(5) == b"hello"
    client.close()
    proxy.stop()
    parent.stop()
