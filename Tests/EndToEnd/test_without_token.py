"""While there is no token a request is refused, or goes on without one where the route says so."""

from harness.client import get, post

WITHOUT = "m2m_proxy_requests_without_token_total"


def start(start_proxy, origin, **more):
    return start_proxy({"forward_to": origin.url, "without_token": "forward", **more})


def test_the_request_is_forwarded_without_any_authorization(start_proxy, origin, authlib):
    authlib.answer(500, "broken")
    proxy = start(start_proxy, origin)
    client = proxy.connect()
    # The second one finds the token endpoint backing off.
    for number in range(2):
        answer = client.exchange(post("http://api.internal/", b"x", "Authorization: Bearer forged"))
        assert (answer.status, answer.body) == (200, b"ok")
    assert [request.values("authorization") for request in origin.requests] == [[], []]
    assert proxy.sample(WITHOUT, route="api") == 2
    assert proxy.sample("m2m_proxy_errors_total", route="api") == 0
    for line in proxy.requests_logged(2):
        assert line["status"] == "200" and line["without_token"] and "error" not in line
    proxy.log.wait_for("event=token .*result=failed")


def test_a_token_that_takes_too_long_is_not_waited_for(start_proxy, origin, authlib):
    authlib.hold()
    proxy = start(start_proxy, origin, timeouts={"token": "200ms"})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert origin.requests[0].values("authorization") == []
    assert proxy.requests_logged(1)[0]["without_token"] == "token_wait"


def test_the_request_gets_a_token_when_there_is_one(start_proxy, origin, authlib):
    proxy = start(start_proxy, origin)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert origin.requests[0].value("authorization") == f"Bearer {authlib.tokens[0]}".encode()
    assert "without_token" not in proxy.requests_logged(1)[0]
    assert proxy.sample(WITHOUT) == 0


def test_a_401_without_a_token_goes_to_the_client_as_it_is(start_proxy, origin, authlib):
    def script(connection):
        connection.request()
        connection.answer(b"who?", "401 Unauthorized", "WWW-Authenticate: Bearer")
        assert connection.at_end()

    authlib.answer(500, "broken")
    origin.script(script)
    proxy = start(start_proxy, origin)
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert (answer.status, answer.body, answer.value("www-authenticate")) == (401, b"who?", b"Bearer")
    assert len(origin.requests) == 1


def test_the_clients_own_token_header_is_not_forwarded_either(start_proxy, origin, authlib):
    authlib.answer(500, "broken")
    proxy = start(start_proxy, origin, token={"header": "X-Api-Token"})
    assert proxy.connect().exchange(get("http://api.internal/", "X-Api-Token: forged")).status == 200
    assert b"forged" not in origin.requests[0].head


def test_otherwise_it_is_refused(start_proxy, origin, authlib):
    authlib.answer(500, "broken")
    proxy = start(start_proxy, origin, without_token="refuse")
    assert proxy.connect().exchange(get("http://api.internal/")).status == 503
    assert origin.requests == [] and proxy.sample(WITHOUT) == 0


def test_only_the_token_may_be_missing(start_proxy, origin, authlib):
    """A client that leaves, or a time that is over, is not a token that is missing."""
    authlib.hold()
    proxy = start(start_proxy, origin, timeouts={"total": "200ms"})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 504
    assert origin.requests == []
