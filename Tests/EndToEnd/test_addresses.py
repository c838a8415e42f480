"""Upstreams with several addresses, some of them dead; names that move; origins that restart."""

import contextlib
import socket
import struct
import threading

import pytest

from conftest import server_context
from harness.client import get
from harness.origin import RawOrigin
from harness.own_network import own_network
from harness.parent import ScriptedParent
from harness.waiting import PATIENCE, poll

GOOD = "127.0.0.1"
SILENT, REFUSING, RESETTING = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@pytest.fixture(scope="module", autouse=True)
def network(tmp_path_factory):
    """There are no sockets of other programs here, so that a port is free on all addresses or on none."""
    with own_network(tmp_path_factory.mktemp("own-network") / "hosts") as network:
        yield network


@contextlib.contextmanager
def silent(port: int, address: str = SILENT):
    """Nothing at all comes back from the address: its listener accepts nothing, and its queue is full."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        full = False
        while not full:
            filler = stack.enter_context(socket.socket(family))
            filler.settimeout(0.3)
            try:
                filler.connect((address, port))
            except TimeoutError:
                full = True
        yield


@contextlib.contextmanager
def resetting(port: int):
    """127.0.0.4 accepts connections, and resets them."""
    with socket.create_server((RESETTING, port)) as listener:
        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


@contextlib.contextmanager
def dead(port: int):
    with silent(port), resetting(port):
        yield


@pytest.fixture
def secure(authority):
    server = RawOrigin(server_context(authority.issue("addresses", "several.example")))
    yield server
    server.stop()


def failures(proxy, **labels: str) -> float:
    return proxy.sample("m2m_proxy_upstream_connect_failures_total", **labels)


def close_after_each(connection) -> None:
    connection.request()
    connection.answer(b"ok", "200 OK", "Connection: close")
    connection.close()


@pytest.mark.parametrize("first, cause", [(SILENT, "overtaken"), (REFUSING, "refused")])
def test_a_dead_address_is_passed_over_and_then_tried_last(start_with_names, origin, first, cause):
    origin.otherwise = close_after_each
    with dead(origin.port):
        proxy = start_with_names({"forward_to": f"http://several.example:{origin.port}", "credentials": "none", "audience": None},
                                 lead={"several_example": [first, GOOD]})
        for _ in range(5):
            assert proxy.connect().exchange(get("/api/x")).status == 200
        for line in proxy.requests_logged(5):
            assert line["upstream_address"] == f"{GOOD}:{origin.port}"
            # It did not have to wait for the end of the attempt.
            assert float(line["connect"].removesuffix("ms")) < 5000
        # One of them found out.
        assert failures(proxy, address=f"{first}:{origin.port}", cause=cause,
                        upstream=f"http://several.example:{origin.port}") == 1
        assert failures(proxy) == 1


@pytest.mark.parametrize("first, cause", [(SILENT, "overtaken"), (REFUSING, "refused"), (RESETTING, "reset")])
def test_the_same_holds_for_tls(secure, start_with_names, authority, first, cause):
    with dead(secure.port):
        proxy = start_with_names({"forward_to": f"https://several.example:{secure.port}", "credentials": "none", "audience": None},
                                 lead={"several_example": [first, GOOD]}, tls={"ca_file": str(authority.file)})
        assert proxy.connect().exchange(get("/api/x")).status == 200
        assert failures(proxy, address=f"{first}:{secure.port}", cause=cause) == 1


def test_no_other_address_is_tried_after_a_certificate_that_is_not_trusted(secure, start_with_names):
    proxy = start_with_names({"forward_to": f"https://several.example:{secure.port}", "credentials": "none", "audience": None},
                             lead={"several_example": [GOOD, REFUSING]})
    assert proxy.connect().exchange(get("/api/x")).status == 502
    assert proxy.requests_logged(1)[0]["error"] == "upstream_certificate"
    secure.wait_for_finished(1)
    assert failures(proxy) == 0


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_token_endpoint_with_a_dead_address_is_asked_once(start_proxy, origin, authlib, is_silent):
    """localhost is ::1, where nothing listens, before 127.0.0.1."""
    endpoint = authlib.token_endpoint.replace("127.0.0.1", "localhost")
    port = int(authlib.authority.rpartition(":")[2])
    with silent(port, "::1") if is_silent else contextlib.nullcontext():
        proxy = start_proxy({"forward_to": origin.url},
                            credentials={"kinde": authlib.credential(token_endpoint=endpoint)})
        assert proxy.connect().exchange(get("/api/x")).status == 200
        assert len(authlib.fetches) == 1
        assert failures(proxy, address=f"[::1]:{port}", upstream=f"http://localhost:{port}") == 1


@pytest.mark.parametrize("first", [SILENT, REFUSING])
def test_a_tunnel_to_a_host_with_a_dead_address(start_with_names, origin, first):
    with dead(origin.port):
        proxy = start_with_names(
            {"match": f"*.wild.example:{origin.port}", "mount": None, "audience": None, "tunnel": "blind", "allow_private": "true"},
            lead={"several_wild_example": [first, GOOD]})
        client, target = proxy.connect(), f"several.wild.example:{origin.port}"
        assert client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()).head().status == 200
        assert client.exchange(get("/x")).status == 200
        client.close()
        # Clients name such hosts, and do not get a series for each of them.
        assert failures(proxy, upstream="*", address="other") == 1
        assert proxy.requests_logged(1)[0]["upstream_address"] == f"{GOOD}:{origin.port}"


@pytest.mark.parametrize("first", [SILENT, REFUSING])
def test_a_parent_proxy_with_a_dead_address(start_with_names, origin, first):
    parent = ScriptedParent()
    try:
        with dead(parent.port):
            proxy = start_with_names(
                {"forward_to": origin.url, "parent_proxy": f"http://parent.example:{parent.port}", "credentials": "none",
                 "audience": None},
                lead={"parent_example": [first, GOOD]})
            assert proxy.connect().exchange(get("/api/x")).status == 200
            assert failures(proxy, address=f"{first}:{parent.port}") == 1
            assert proxy.requests_logged(1)[0]["upstream_address"] == f"{GOOD}:{parent.port}"
    finally:
        parent.stop()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_origin_that_restarts_costs_no_request(start_proxy, origin, method):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    origin.refuse()
    client = proxy.connect()
    body = b"once" if method == "POST" else b""
    client.send(f"{method} /api/x HTTP/1.1\r\nHost: api.internal\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    poll(lambda: failures(proxy, cause="refused"), "the first attempt")
    origin.listen_again()
    assert client.answer().status == 200
    assert len(origin.requests) == 1


def test_an_upstream_that_stays_away_is_an_error_soon(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    origin.refuse()
    assert proxy.connect().exchange(get("/api/x")).status == 502
    line = proxy.requests_logged(1)[0]
    assert line["error"] == "upstream_connect" and "upstream_address" not in line
    # Far less than the 10 s that connecting may take; it was tried six times.
    assert 1000 <= float(line["connect"].removesuffix("ms")) < 8000
    assert failures(proxy, address=f"127.0.0.1:{origin.port}", cause="refused") == 6
    origin.listen_again()


def test_one_attempt_is_one(start_with_names, origin):
    proxy = start_with_names({"forward_to": f"http://several.example:{origin.port}", "credentials": "none", "audience": None},
                             lead={"several_example": [REFUSING, GOOD]}, upstream={"connect_attempts": 1})
    assert proxy.connect().exchange(get("/api/x")).status == 502
    assert failures(proxy) == 1
    # What is known of the address helps the next request.
    assert proxy.connect().exchange(get("/api/x")).status == 200


def test_a_name_with_new_addresses_closes_connections_to_the_old_ones(start_with_names, names):
    """Idle connections are closed, and one in use serves its request to the end, and no other."""
    old, new, release = RawOrigin(), None, threading.Event()

    def hold(connection):
        connection.request()
        connection.hold(release)
        connection.answer(b"old")
        connection.expect_close()

    old.script(hold)
    try:
        proxy = start_with_names({"forward_to": f"http://moving.example:{old.port}", "credentials": "none", "audience": None},
                                 lead={"moving_example": [GOOD]}, upstream={"dns_refresh": "1s"}, loops=1)
        new = RawOrigin(address="127.0.0.5", port=old.port)
        busy, idle = proxy.connect(), proxy.connect()
        busy.send(get("/api/busy"))
        old.wait_for_requests(1)
        assert idle.exchange(get("/api/idle")).status == 200
        names.lead(moving_example=["127.0.0.5"])
        # The idle connection is closed by the proxy, without any request.
        old.wait_for_finished(1)
        release.set()
        assert busy.answer().body == b"old"
        old.wait_for_finished(2)
        for client in [busy, idle]:
            assert client.exchange(get("/api/x")).status == 200
        assert len(new.requests) == 2 and len(old.requests) == 2
        assert {line["upstream_address"] for line in proxy.requests_logged(4)[2:]} == {f"127.0.0.5:{old.port}"}
    finally:
        release.set()
        proxy.stop()
        old.stop()
        if new:
            new.stop()


def test_while_dns_fails_the_known_addresses_remain_in_use(start_with_names, names, origin):
    origin.otherwise = close_after_each
    proxy = start_with_names({"forward_to": f"http://several.example:{origin.port}", "credentials": "none", "audience": None},
                             lead={"several_example": [GOOD]}, upstream={"dns_refresh": "1s"})
    assert proxy.connect().exchange(get("/api/x")).status == 200
    names.lead(several_example=["!again"])
    before = names.questions
    poll(lambda: proxy.connect().exchange(get("/api/x")).status == 200 and names.questions > before + 1, "looks at DNS that fail")
    assert proxy.connect().exchange(get("/api/x")).status == 200


def test_dns_that_hangs_is_an_error_of_dns_and_blocks_nothing_else(start_with_names, names, origin):
    slow = {"forward_to": f"http://hanging.example:{origin.port}", "credentials": "none", "audience": None,
            "timeouts": {"connect": "1s"}}
    proxy = start_with_names(slow, {"name": "other", "match": "other.internal", "mount": "/other", "forward_to": origin.url,
                                    "credentials": "none", "audience": None},
                             lead={"hanging_example": ["!hang"]}, loops=1)
    clients = [proxy.connect() for _ in range(20)]
    for client in clients:
        client.send(get("/api/x"))
    assert proxy.connect().exchange(get("/other/x")).status == 200
    assert [client.answer().status for client in clients] == [502] * 20
    # All of them waited for one lookup.
    assert names.questions == 1
    errors = [line for line in proxy.requests_logged(21) if line["route"] == "api"]
    assert {line["error"] for line in errors} == {"upstream_dns"}
    assert all("was not resolved within 1000 ms" in line["detail"] for line in errors)
