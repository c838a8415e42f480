"""timeouts.total: the time for a whole exchange, whichever side is slow."""

import json

import pytest

from harness.client import get
from harness.wire import Incomplete


def test_an_upstream_that_does_not_respond_within_the_total_time_is_a_504(start_proxy, origin):
    origin.otherwise = lambda connection: (connection.request(), connection.expect_close())
    proxy = start_proxy({"forward_to": origin.url, "timeouts": {"total": "300ms"}})
    answer = proxy.connect().exchange(get("http://api.internal/x"))
    assert (answer.status, json.loads(answer.body)["hop"]) == (504, "internal")
    assert "timeouts.total" in json.loads(answer.body)["hint"]
    assert proxy.requests_logged(1)[0]["error"] == "out_of_time"
    origin.wait_for_finished(1)


def test_a_transfer_that_never_pauses_ends_with_the_total_time(start_proxy, origin):
    """Every piece sets a new deadline for the next one; the total stays what it is."""
    def stream(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                connection.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        except OSError:
            return

    origin.script(stream)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"total": "300ms"})
    with pytest.raises(Incomplete):
        proxy.connect().exchange(get("http://api.internal/x"))
    assert proxy.requests_logged(1)[0]["error"] == "out_of_time"
    origin.wait_for_finished(1)


def test_a_client_that_does_not_finish_its_content_is_bound_by_it(start_proxy, origin):
    origin.script(lambda connection: (connection.head(), connection.expect_close()))
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"total": "300ms"})
    client = proxy.connect().send(get("http://api.internal/x", "Content-Length: 10", method="PUT") + b"hello")
    assert client.answer("PUT").status == 504
    client.expect_end()
    origin.wait_for_finished(1)


def test_the_next_request_has_all_of_its_own_time(start_proxy, origin):
    """The first one's end is not the second one's: idle time in between does not count."""
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"total": "500ms", "idle": "10s"})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/x")).status == 200
    client.socket.settimeout(0.7)
    with pytest.raises(TimeoutError):  # Not closed, since idle connections have their own time.
        client.socket.recv(1)
    client.socket.settimeout(10)
    assert client.exchange(get("http://api.internal/x")).status == 200
