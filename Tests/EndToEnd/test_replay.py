"""A request that the API answers with 401 is sent once more with a new token, if all of it is still there."""

import pytest

from harness.client import get, post
from harness.origin import OriginConnection
from harness.waiting import poll

REFUSAL = b"the token was revoked"
REPLAYED = "m2m_proxy_requests_replayed_total"
PASSED_ON = "m2m_proxy_refusals_passed_on_total"


def refuse(connection: OriginConnection, body: bytes = REFUSAL, *fields: str) -> None:
    connection.answer(body, "401 Unauthorized", 'WWW-Authenticate: Bearer error="invalid_token"', *fields)


def forbid_one_path(connection: OriginConnection) -> None:
    """Accepts every token, but not at `/forbidden`."""
    while not connection.at_end():
        if connection.request().target == b"/forbidden":
            refuse(connection)
        else:
            connection.answer(b"fine")


class Api:
    """An origin that accepts every token but those in `refused`; None refuses all of them."""

    def __init__(self, origin, authlib):
        self.authlib = authlib
        self.refused: set[str] | None = set()
        origin.otherwise = self.serve

    def accepts(self, request) -> bool:
        scheme, token = request.value("authorization").decode().split(" ")
        return self.refused is not None and token not in self.refused

    def serve(self, connection: OriginConnection) -> None:
        while not connection.at_end():
            request = connection.request()
            if self.accepts(request):
                connection.answer(request.body or b"fine")
            else:
                refuse(connection)

    def revoke(self) -> None:
        """No token that was issued so far is accepted any more."""
        self.refused = set(self.authlib.tokens)


@pytest.fixture
def api(origin, authlib) -> Api:
    return Api(origin, authlib)


@pytest.fixture
def warm(proxy, api):
    """A client of a proxy whose token was good once and has been revoked."""
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/")).status == 200
    api.revoke()
    return client


def tokens(origin) -> list[bytes]:
    return [request.value("authorization") for request in origin.requests]


def test_a_refused_token_is_replaced_and_the_request_sent_again(warm, proxy, origin, authlib):
    answer = warm.exchange(get("http://api.internal/orders"))
    assert (answer.status, answer.body, answer.values("www-authenticate")) == (200, b"fine", [])
    assert [request.target for request in origin.requests] == [b"/", b"/orders", b"/orders"]
    assert tokens(origin) == [f"Bearer {token}".encode() for token in [authlib.tokens[0]] * 2 + [authlib.tokens[1]]]
    # The refused answer was read to its end, so its connection served the next attempt.
    assert len(origin.connections) == 1
    assert proxy.sample(REPLAYED, route="api", cause="401") == 1
    first, second = proxy.requests_logged(2)
    assert "replayed" not in first and (second["replayed"], second["status"]) == ("401", "200")
    proxy.log.wait_for(r"event=token .*reason=unauthorized")


def test_a_second_401_goes_to_the_client_as_it_is(warm, proxy, api, origin, authlib):
    api.refused = None
    answer = warm.exchange(get("http://api.internal/orders"))
    assert (answer.status, answer.body) == (401, REFUSAL)
    assert answer.value("www-authenticate") == b'Bearer error="invalid_token"'
    assert answer.values("proxy-status") == []
    assert len(origin.requests) == 3 and len(authlib.fetches) == 2
    assert proxy.requests_logged(2)[1]["replayed"] == "401"


@pytest.mark.parametrize("size", [1, 20_000, 65_536])
def test_content_that_was_kept_is_sent_again(warm, origin, size):
    body = bytes(index % 251 for index in range(size))
    answer = warm.exchange(post("http://api.internal/orders", body))
    assert (answer.status, answer.body) == (200, body)
    assert [request.body for request in origin.requests[1:]] == [body, body]
    # Nothing of it is left in the way of the next request.
    assert warm.exchange(get("http://api.internal/")).status == 200


def test_chunked_content_is_sent_again_with_its_trailers(warm, origin):
    request = get("http://api.internal/orders", "Transfer-Encoding: chunked", "Trailer: X-Sum", method="POST")
    answer = warm.exchange(request + b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"hello world")
    for request in origin.requests[1:]:
        assert (request.body, request.trailers) == (b"hello world", [(b"X-Sum", b"11")])


def test_what_follows_the_content_is_the_next_request(warm, origin):
    warm.send(post("http://api.internal/one", b"1" * 1000) + post("http://api.internal/two", b"2" * 1000))
    assert [warm.answer().body, warm.answer().body] == [b"1" * 1000, b"2" * 1000]
    assert [request.target for request in origin.requests] == [b"/", b"/one", b"/one", b"/two"]


@pytest.mark.parametrize("chunked", [False, True])
def test_content_larger_than_the_buffer_is_not_sent_again(start_proxy, origin, api, authlib, chunked):
    proxy = start_proxy({"forward_to": origin.url}, limits={"replay_buffer": "1KB"})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/")).status == 200
    api.revoke()
    body = b"x" * 1025
    if chunked:
        request = get("http://api.internal/", "Transfer-Encoding: chunked", method="POST")
        request += b"401\r\n" + body + b"\r\n0\r\n\r\n"
    else:
        request = post("http://api.internal/", body)
    answer = client.exchange(request)
    assert (answer.status, answer.body) == (401, REFUSAL)
    assert len(origin.requests) == 2 and proxy.sample(REPLAYED) == 0
    # The framing counts, too: a chunked request of 1 KB is larger than that.
    assert client.exchange(post("http://api.internal/", b"x" * 1024)).status == 200


def test_without_a_buffer_a_request_without_a_body_is_still_retried(start_proxy, origin, api):
    proxy = start_proxy({"forward_to": origin.url, "replay_buffer": 0})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/")).status == 200
    api.revoke()
    assert client.exchange(get("http://api.internal/")).status == 200
    assert proxy.sample(REPLAYED) == 1


def test_a_route_can_do_without(start_proxy, origin, api, authlib):
    proxy = start_proxy({"forward_to": origin.url, "replay_unauthorized": False})
    api.refused = None
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert (answer.status, answer.body) == (401, REFUSAL)
    assert len(origin.requests) == 1 and len(authlib.fetches) == 1


def test_without_a_token_a_401_means_nothing_to_the_proxy(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url, "credentials": "none", "audience": None})
    origin.script(lambda connection: (connection.request(), refuse(connection), connection.at_end()))
    assert proxy.connect().exchange(get("http://api.internal/")).status == 401
    assert len(origin.requests) == 1


def test_the_response_to_head_is_replayed_without_a_body(warm, origin):
    origin.requests.clear()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 21\r\n\r\n")
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        assert connection.at_end()

    # The idle connection is the one that is used; this ends it.
    origin.connections[0].end()
    origin.script(script)
    answer = warm.exchange(get("http://api.internal/", method="HEAD"), to="HEAD")
    assert (answer.status, answer.value("content-length")) == (200, b"4")


def test_an_expectation_that_is_refused_is_sent_again_before_the_content(proxy, origin):
    # Its content was never sent, so the refused connection cannot be used again.
    origin.script(
        lambda connection: (connection.head(), refuse(connection), connection.expect_close()),
        lambda connection: answer_after_continue(connection))
    client = proxy.connect()
    client.send(get("http://api.internal/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
    origin.wait_for_requests(2)
    client.send(b"hello")
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b"hello")
    assert [interim.status for interim in answer.interim] == [100]


def answer_after_continue(connection: OriginConnection) -> None:
    request = connection.head()
    assert request.value("expect") == b"100-continue"
    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.answer(connection.body(request).body)
    assert connection.at_end()


def test_an_expectation_that_was_met_is_not_sent_again_with_the_content(proxy, origin):
    def script(connection):
        request = connection.head()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.body(request).body == b"hello"
        refuse(connection)
        request = connection.request()
        assert request.values("expect") == []
        connection.answer(request.body)
        assert connection.at_end()

    origin.script(script)
    client = proxy.connect()
    client.send(get("http://api.internal/", "Expect: 100-continue", "Content-Length: 5", method="POST"))
    origin.wait_for_requests(1)
    client.send(b"hello")
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b"hello")
    assert [interim.status for interim in answer.interim] == [100]


def test_interim_responses_before_the_401_and_after_it_reach_the_client(proxy, origin):
    def hinted(connection, answer):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        answer()

    origin.script(lambda connection: (
        hinted(connection, lambda: refuse(connection)), hinted(connection, lambda: connection.answer(b"fine")),
        connection.at_end()))
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert (answer.status, answer.body) == (200, b"fine")
    assert [interim.status for interim in answer.interim] == [103, 103]


@pytest.mark.parametrize("rest", [
    b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, b"Content-Length: 5\r\n\r\n12", b"\r\nuntil the end",
    b"Connection: close\r\nContent-Length: 0\r\n\r\n", b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
], ids=["large", "unfinished", "until-close", "close", "more"])
def test_a_connection_on_which_something_of_the_401_is_left_is_not_used_again(proxy, origin, rest):
    def script(connection):
        connection.request()
        try:
            connection.send(b"HTTP/1.1 401 Unauthorized\r\n" + rest)
        except OSError:
            return  # The proxy has seen enough.
        connection.expect_close()

    origin.script(script)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert (answer.status, answer.body) == (200, b"ok")
    assert len(origin.connections) == 2


def test_content_that_is_still_on_its_way_follows_what_was_kept(proxy, origin, api):
    """The 401 came after the head and half of the content; the other half comes after the replay has begun."""

    def script(connection):
        connection.head()
        assert connection.reader.line() == b"first"
        refuse(connection)
        connection.expect_close()

    origin.script(script)
    client = proxy.connect()
    client.send(get("http://api.internal/", "Content-Length: 15", method="POST") + b"first\r\n")
    origin.wait_for_requests(1)
    poll(lambda: len(origin.connections) == 2, "the connection of the second attempt")
    client.send(b"and more")
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b"first\r\nand more")


def test_if_there_is_no_new_token_the_client_gets_the_401_itself(warm, authlib, origin):
    authlib.answer(500, "broken")
    answer = warm.exchange(get("http://api.internal/orders"))
    assert (answer.status, answer.body) == (401, REFUSAL)
    assert answer.values("proxy-status") == []
    # Nothing is wrong with either connection.
    assert len(origin.requests) == 2
    assert warm.exchange(get("http://nowhere.internal/")).status == 403


@pytest.mark.parametrize("name", ["token", "total"])
def test_if_the_new_token_takes_too_long_the_client_gets_the_401_itself(start_proxy, origin, api, authlib, name):
    proxy = start_proxy(
        {"forward_to": origin.url, "timeouts": {name: "1s"}},
        {"name": "other", "match": "other.internal", "mount": None, "forward_to": origin.url})
    client = proxy.connect()
    assert client.exchange(get("http://other.internal/")).status == 200
    api.revoke()
    authlib.hold()
    answer = client.exchange(get("http://api.internal/orders"))
    assert (answer.status, answer.body) == (401, REFUSAL)
    assert len(authlib.wait_for_fetches(2)) == 2


def test_many_that_are_refused_at_once_share_one_fetch(proxy, origin, api, authlib):
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    api.revoke()
    authlib.hold()
    clients = [proxy.connect().send(get(f"http://api.internal/{number}")) for number in range(50)]
    poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 50, "50 requests that wait for a token")
    authlib.release()
    assert [client.answer().status for client in clients] == [200] * 50
    assert len(authlib.fetches) == 2
    assert proxy.sample(REPLAYED, route="api", cause="401") == len(origin.requests) - 51


def test_a_token_that_came_meanwhile_is_used_without_a_fetch(start_proxy, origin, authlib):
    """The 401 is about a token that has been replaced while the API made up its mind."""
    held = []

    def script(connection):
        connection.request()
        held.append(connection)
        assert poll(lambda: len(authlib.fetches) == 2, "a fetch for another request")
        poll(lambda: origin.requests[-1].target == b"/done", "the other request's end")
        refuse(connection)
        connection.request()
        connection.answer()
        assert connection.at_end()

    def other(connection):
        connection.request()
        refuse(connection)
        connection.request()
        connection.answer()
        connection.request()
        connection.answer()
        assert connection.at_end()

    proxy = start_proxy({"forward_to": origin.url})
    origin.script(script, other)
    slow = proxy.connect().send(get("http://api.internal/slow"))
    poll(lambda: held, "the slow request at the origin")
    quick = proxy.connect()
    assert quick.exchange(get("http://api.internal/quick")).status == 200
    assert quick.exchange(get("http://api.internal/done")).status == 200
    assert slow.answer().status == 200
    assert len(authlib.fetches) == 2


def test_a_client_that_leaves_while_the_token_is_fetched_is_forgotten(warm, proxy, origin, authlib):
    authlib.hold()
    warm.send(get("http://api.internal/orders"))
    poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 1, "a request that waits for a token")
    warm.close()
    poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 0, "no waiting request")
    assert proxy.requests_logged(2)[1]["error"] == "client_gone"
    authlib.release()
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert len(origin.requests) == 3 and len(authlib.fetches) == 2


def test_a_401_while_no_token_is_available_does_not_stop_other_requests(start_proxy, origin, authlib):
    """A place may refuse a token for a reason of its own; the others need that token until there is another."""
    origin.otherwise = forbid_one_path
    proxy = start_proxy({"forward_to": origin.url})
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/orders")).status == 200
    authlib.answer(500, "broken")
    for _ in range(20):
        assert client.exchange(get("http://api.internal/forbidden")).status == 401
        assert client.exchange(get("http://api.internal/orders")).status == 200
        assert client.exchange(get("http://api.internal/never/seen")).status == 200
    assert {origin_token for origin_token in tokens(origin)} == {b"Bearer " + authlib.tokens[0].encode()}


def test_requests_that_wait_for_another_token_use_the_old_one_if_there_is_none(start_proxy, origin, authlib):
    origin.otherwise = forbid_one_path
    proxy = start_proxy({"forward_to": origin.url})
    assert proxy.connect().exchange(get("http://api.internal/orders")).status == 200
    authlib.hold()
    authlib.answer(500, "broken")
    refused = proxy.connect().send(get("http://api.internal/forbidden"))
    authlib.wait_for_fetches(2)
    others = [proxy.connect().send(get(f"http://api.internal/{number}")) for number in range(5)]
    poll(lambda: proxy.sample("m2m_proxy_token_waiting", route="api") == 6, "6 requests that wait for a token")
    authlib.release()
    assert refused.answer().status == 401
    assert [client.answer().status for client in others] == [200] * 5


def test_a_refused_token_is_replaced_also_when_the_request_cannot_be_sent_again(start_proxy, origin, authlib, api):
    client = start_proxy({"forward_to": origin.url, "replay_buffer": 0}).connect()
    assert client.exchange(post("http://api.internal/", b"content"), "POST").status == 200
    api.revoke()
    assert client.exchange(post("http://api.internal/", b"content"), "POST").status == 401
    assert client.exchange(post("http://api.internal/", b"content"), "POST").status == 200
    assert len(authlib.fetches) == 2


def test_with_replay_off_a_401_does_not_concern_the_token(start_proxy, origin, authlib, api):
    client = start_proxy({"forward_to": origin.url, "replay_unauthorized": "off"}).connect()
    assert client.exchange(get("http://api.internal/")).status == 200
    api.revoke()
    assert [client.exchange(get("http://api.internal/")).status for _ in range(3)] == [401] * 3
    assert len(authlib.fetches) == 1


def test_refusals_that_are_forwarded_without_a_fetch_are_counted_by_their_cause(start_proxy, origin, authlib):
    def forbid_some_paths(connection: OriginConnection) -> None:
        while not connection.at_end():
            if connection.request().target.startswith(b"/forbidden"):
                refuse(connection)
            else:
                connection.answer(b"fine")

    origin.otherwise = forbid_some_paths
    proxy = start_proxy({"forward_to": origin.url})
    client = proxy.connect()

    def refused(path: str) -> tuple[int, int, int]:
        assert client.exchange(get(f"http://api.internal/forbidden/{path}")).status == 401
        counts = (proxy.sample(PASSED_ON, route="api", cause=cause) for cause in ("place_refuses", "replacements_spent"))
        return *map(int, counts), len(authlib.fetches)

    assert client.exchange(get("http://api.internal/orders")).status == 200
    # The place that refuses a token and its replacement is passed on from then on; then another one has the second replacement.
    assert [refused("one"), refused("one"), refused("two")] == [(1, 0, 2), (2, 0, 2), (3, 0, 3)]
    # Two of the four are kept for places that have accepted a token.
    assert [refused("three"), refused("three")] == [(3, 1, 3), (3, 2, 3)]
    assert client.exchange(get("http://api.internal/orders")).status == 200
    assert proxy.sample(REPLAYED, route="api", cause="401") == 2
