"""Answers that come little by little, and late: server-sent events and long polls."""

import pytest

from harness.client import get
from harness.waiting import poll
from harness.wire import Incomplete

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("framing", [CHUNKED, b"Content-Length: 160\r\n", b"Connection: close\r\n"],
                         ids=["chunked", "length", "until the end"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("through_tls", [False, True], ids=["plain", "TLS"])
def test_each_event_arrives_before_the_next_is_sent(start_proxy, origin, tls_origin, authority, framing, version, through_tls):
    upstream = tls_origin if through_tls else origin
    events = [b"data: event %d\n\n" % number for number in range(10)]
    taken = []

    def script(connection):
        connection.request()
        connection.send(EVENTS + framing + b"\r\n")
        for number, event in enumerate(events):
            poll(lambda: len(taken) == number, "the event before this one")
            connection.send(b"%x\r\n%s\r\n" % (len(event), event) if framing == CHUNKED else event)
        if framing == CHUNKED:
            connection.send(b"0\r\n\r\n")
        if through_tls:
            connection.end_tls()

    upstream.script(script)
    proxy = start_proxy({"forward_to": upstream.url}, tls={"ca_file": str(authority.file)})
    client = proxy.connect().send(get("/api/events", "Accept: text/event-stream", version=version))
    answer = client.head()
    assert answer.value("content-type") == b"text/event-stream"
    is_chunked = answer.value("transfer-encoding") == b"chunked"
    for event in events:
        assert (chunk(client) if is_chunked else client.reader.exactly(len(event))) == event
        taken.append(event)
    if is_chunked:
        assert chunk(client) == b""
    upstream.wait_for_finished(1)


def chunk(client) -> bytes:
    """The next chunk's data."""
    data = client.reader.exactly(int(client.reader.line(), 16))
    assert client.reader.line() == b""
    return data


def quiet(fields: bytes):
    """Answers with half of something, and then says nothing more."""
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n" + fields + CHUNKED + b"\r\n5\r\nhello\r\n")
        connection.expect_close()
    return script


def begun(proxy, target: str = "/api/x"):
    client = proxy.connect().send(get(target))
    assert client.head().status == 200
    assert chunk(client) == b"hello"
    return client


@pytest.mark.parametrize("kind", [b"text/event-stream", b"Text/Event-Stream; charset=utf-8"])
def test_a_stream_of_events_may_be_quiet_for_longer_than_other_responses(start_proxy, origin, kind):
    goes_on = []

    def events(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n")
        poll(lambda: goes_on, "the end of the other answer")
        connection.send(b"5\r\nthere\r\n0\r\n\r\n")

    origin.script(events, quiet(b"Content-Type: text/plain\r\n"))
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "300ms", "tunnel": "24h"})
    stream = begun(proxy)
    other = begun(proxy)
    # It began later, and has been ended for its silence.
    with pytest.raises(Incomplete):
        other.reader.copy_chunked(sink=None)
    goes_on.append(True)
    assert [chunk(stream), chunk(stream)] == [b"there", b""]
    assert [line.get("error") for line in proxy.requests_logged(2)] == ["incomplete_response", None]


def test_a_stream_of_events_in_which_none_comes_is_ended_in_the_end(start_proxy, origin):
    origin.script(quiet(b"Content-Type: text/event-stream\r\n"))
    proxy = start_proxy({"forward_to": origin.url, "timeouts": {"tunnel": "400ms"}}, timeouts={"body": "200ms"})
    client = begun(proxy)
    with pytest.raises(Incomplete):
        client.reader.copy_chunked(sink=None)
    line = proxy.requests_logged(1)[0]
    assert line["error"] == "incomplete_response" and float(line["total"].removesuffix("ms")) >= 400


def test_a_longer_timeout_of_content_counts_for_events_too(start_proxy, origin):
    origin.script(quiet(b"Content-Type: text/event-stream\r\n"))
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "600ms", "tunnel": "100ms"})
    client = begun(proxy)
    with pytest.raises(Incomplete):
        client.reader.copy_chunked(sink=None)
    assert float(proxy.requests_logged(1)[0]["total"].removesuffix("ms")) >= 600


def test_a_client_that_takes_no_events_is_not_waited_for_any_longer(start_proxy, origin):
    def script(connection):
        connection.request()
        connection.send(EVENTS + b"\r\n")
        try:
            while True:
                connection.send(b"data: x\n\n" * 10_000)
        except OSError:
            pass  # The proxy has ended it.

    origin.keep_bytes = False
    origin.script(script)
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "300ms", "tunnel": "24h"}, limits={"min_rate": "off"})
    client = proxy.connect().send(get("/api/events"))
    assert client.head().status == 200
    origin.wait_for_finished(1)
    assert proxy.requests_logged(1)[0]["error"] == "client_gone"


def test_a_client_that_leaves_a_quiet_stream_frees_the_upstream_at_once(start_proxy, origin):
    origin.script(quiet(b"Content-Type: text/event-stream\r\n"))
    proxy = start_proxy({"forward_to": origin.url}, timeouts={"body": "24h", "tunnel": "24h"})
    begun(proxy).close()
    origin.wait_for_finished(1)
    assert proxy.requests_logged(1)[0]["error"] == "client_gone"


def test_a_long_poll_gets_its_response_when_the_upstream_sends_it(start_proxy, origin):
    polls = []

    def script(connection):
        connection.request()
        poll(lambda: polls, "the end of the hasty request")
        connection.answer(b"news")

    origin.script(script, lambda connection: (connection.request(), connection.expect_close()))
    proxy = start_proxy({"forward_to": origin.url, "timeouts": {"first_byte": "24h"}},
                        {"name": "hasty", "match": "hasty.internal", "mount": "/hasty", "forward_to": origin.url},
                        timeouts={"first_byte": "200ms"})
    patient = proxy.connect().send(get("/api/poll"))
    origin.wait_for_requests(1)
    assert proxy.connect().exchange(get("/hasty/poll")).status == 504
    polls.append(True)
    assert patient.answer().body == b"news"
