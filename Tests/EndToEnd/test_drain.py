"""Stopping: what runs is finished, nothing new begins, and a second signal ends at once."""

import signal

import pytest

from harness.client import RawClient, get


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_request_is_finished_and_new_connections_are_refused(start_proxy, origin, held, number):
    # An address of its own: on that of the others, another program may get the port as soon as it is free.
    proxy = start_proxy({"forward_to": origin.url}, listen=["127.0.7.2:0"])
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    proxy.signal(number)
    proxy.messages.wait_for("draining")
    with pytest.raises(ConnectionError):
        refused = RawClient(proxy.address)
        # The kernel may have accepted it just before; then it must end without an answer.
        refused.send(get("http://api.internal/")).expect_end()
        raise ConnectionRefusedError
    held.set()
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b"finished")
    client.expect_end()
    assert proxy.wait() == 0
    assert proxy.requests_logged(1)[0]["status"] == "200"


def test_an_idle_connection_does_not_delay_the_end(proxy):
    client, unused = proxy.connect(), proxy.connect()
    assert client.exchange(get("http://api.internal/")).status == 200
    proxy.signal(signal.SIGTERM)
    client.expect_end()
    unused.expect_end()
    assert proxy.wait() == 0


def test_a_second_signal_ends_at_once(proxy, origin, held):
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("draining")
    proxy.signal(signal.SIGTERM)
    proxy.wait()
    assert client.reader.at_end()


def test_draining_is_bounded(start_proxy, origin, held):
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"drain": "300ms"})
    client = proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    assert client.reader.at_end() or client.answer().status >= 500


def test_a_request_that_waits_for_its_token_is_finished_too(proxy, origin, authlib):
    authlib.hold()
    client = proxy.connect().send(get("http://api.internal/"))
    authlib.wait_for_fetches(1)
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("draining")
    authlib.release()
    assert client.answer().status == 200
    assert proxy.wait() == 0


def test_the_last_line_shows_what_was_done(proxy):
    client = proxy.connect()
    for _ in range(3):
        assert client.exchange(get("http://api.internal/")).status == 200
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    assert "3 requests" in proxy.messages.text


def test_one_that_is_stopped_right_after_its_start_ends_in_peace(start_proxy, origin):
    for _ in range(10):
        start_proxy({"forward_to": origin.url}).stop()


