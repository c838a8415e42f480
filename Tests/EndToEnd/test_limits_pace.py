"""Slow clients: short pauses, and yet too little. The bounds are short, and what is waited for are bytes and ends."""

import contextlib
import socket
import subprocess

from harness.client import RawClient, get

from test_limits_connections import reached


def trickle(client, piece: bytes, most: int) -> None:
    """Sends a piece whenever nothing has come for a twentieth of a second, until something comes or sending fails."""
    client.socket.settimeout(0.05)
    try:
        for _ in range(most):
            client.send(piece)
            try:
                client.reader._more()
                return
            except TimeoutError:
                continue
        raise AssertionError("a client may trickle for ever")
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        client.socket.settimeout(10)


def test_content_that_trickles_is_a_408_though_no_pause_is_too_long(start_proxy, origin):
    origin.script(lambda connection: (connection.head(), connection.expect_close()))
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "500ms"}, limits={"min_rate": "1KB"})
    client = proxy.connect().send(get("http://api.internal/x", "Content-Length: 100000", method="PUT"))
    trickle(client, b"x", 200)
    assert client.answer("PUT").status == 408
    client.expect_end()
    origin.wait_for_finished(1)
    assert proxy.requests_logged(1)[0]["error"] == "client_too_slow" and reached(proxy, "min_rate") == 1


def test_chunks_that_trickle_are_measured_by_their_content(start_proxy, origin):
    """However large the framing around a byte is."""
    origin.script(lambda connection: (connection.head(), connection.expect_close()))
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "500ms"}, limits={"min_rate": "1KB"})
    client = proxy.connect().send(get("http://api.internal/x", "Transfer-Encoding: chunked", method="PUT"))
    trickle(client, b"000000001;a=bcdefgh\r\nx\r\n", 200)
    assert client.answer("PUT").status == 408
    origin.wait_for_finished(1)


def test_content_that_comes_steadily_is_not_cut(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "500ms"}, limits={"min_rate": "1KB"})
    client = proxy.connect().send(get("http://api.internal/x", f"Content-Length: {30 * 400}", method="PUT"))
    client.socket.settimeout(0.05)
    for _ in range(30):  # Three times the bound, at about 8 KB a second.
        client.send(b"x" * 400)
        with contextlib.suppress(TimeoutError):
            client.reader._more()
    client.socket.settimeout(10)
    assert client.answer("PUT").status == 200


def test_waiting_for_the_upstream_is_not_held_against_the_client(start_proxy, origin):
    """An upstream that takes its time, longer than a client may, with an answer in pieces."""
    def slow(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n")
        for _ in range(30):
            connection.send(b"x")
            connection._socket.settimeout(0.05)
            try:
                assert connection._socket.recv(1) == b"", "nothing is sent meanwhile"
                return
            except TimeoutError:
                continue
        connection._socket.settimeout(10)
        connection.expect_close()

    origin.script(slow)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "500ms"}, limits={"min_rate": "1KB"})
    assert proxy.connect().exchange(get("http://api.internal/x")).body == b"x" * 30


def narrow_client(address) -> RawClient:
    """A client whose kernel takes little in advance."""
    client = RawClient.__new__(RawClient)
    client.socket = socket.socket()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.socket.settimeout(10)
    client.socket.connect(address)
    return client


def endless(connection):
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    try:
        while True:
            connection.send(b"x" * 65536)
    except OSError:
        return


def test_a_response_that_is_read_too_slowly_is_reset(start_proxy, origin):
    origin.script(endless)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "500ms"}, limits={"min_rate": "1MB"})
    client = narrow_client(proxy.address)
    client.socket.sendall(get("http://api.internal/x"))
    try:
        while "event=request" not in proxy.log.text:
            assert client.socket.recv(200)
            with contextlib.suppress(subprocess.TimeoutExpired):
                proxy.process.wait(0.02)  # The pace: nothing is expected to happen.
    except ConnectionResetError:
        pass
    assert proxy.requests_logged(1)[0]["error"] == "client_too_slow"
    origin.wait_for_finished(1)
    client.socket.close()


def test_a_response_that_is_not_read_at_all_ends(start_proxy, origin):
    origin.script(endless)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "300ms"})
    client = narrow_client(proxy.address)
    client.socket.sendall(get("http://api.internal/x"))
    assert proxy.requests_logged(1)[0]["error"] == "client_gone"
    origin.wait_for_finished(1)
    client.socket.close()


def test_a_response_that_is_read_slowly_but_steadily_is_not_cut(start_proxy, origin):
    """The kernel says for seconds that there is no room, while the client takes what is in its buffer."""
    origin.script(endless)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "400ms"}, limits={"min_rate": "1KB"})
    client = narrow_client(proxy.address)
    client.socket.sendall(get("http://api.internal/x"))
    for _ in range(40):  # Five times what a pause may be.
        assert client.socket.recv(4096)
        with contextlib.suppress(subprocess.TimeoutExpired):
            proxy.process.wait(0.05)  # The pace, as above.
    assert "event=request" not in proxy.log.text
    client.reset()
