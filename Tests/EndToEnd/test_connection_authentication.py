"""NTLM and its like: what an upstream authenticates is the connection, and so it serves the client that logged on, and no other."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.callers import basic, with_password
from harness.client import get, post
from harness.intercepting import TunnelClient
from harness.ntlm import ConnectionAuthentication, authenticate, field, log_on, negotiate
from harness.origin import answer_everything
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import poll
from test_upgrade import handshake
from test_wildcard_hosts import INTERNET, PUBLIC, wild, wild_context  # noqa: F401

URL = "http://api.internal/"
NONE = {"credentials": "none", "audience": None}
HEADER = {"token": {"header": "X-Api-Token"}}
ROUTES = {"credentials: none": NONE, "another token.header": HEADER}


@pytest.fixture
def start(start_proxy, origin, tls_origin, authority, interception):
    """Starts a proxy with one loop to an origin that authenticates connections."""
    origin.otherwise = tls_origin.otherwise = ConnectionAuthentication()

    def start(route=NONE, upstream=None, *more, **settings):
        route = {"forward_to": (upstream or origin).url} | route
        return start_proxy(route, *more, loops=1, tls={"ca_file": str(authority.file)}, **settings)
    return start


def pinned(proxy) -> float:
    return proxy.sample("m2m_proxy_upstream_connections_pinned")


def figures(proxy) -> tuple[float, float]:
    """Upstream connections open, and those that belong to a client."""
    return proxy.sample("m2m_proxy_upstream_connections"), pinned(proxy)


def assert_anonymous(client, target: str = URL, **more) -> None:
    """`client`, who has not logged on, gets no user's data."""
    answer = client.exchange(get(target, **more))
    assert (answer.status, answer.body) == (401, b"who?")


def connection_of(origin, request) -> int:
    """On which of the origin's connections `request` came."""
    found = [number for number, each in enumerate(origin.connections) if request.head in each.received]
    assert len(found) == 1, f"{request.head} on {found}"
    return found[0]


# What the client gets, and what others do not.


@pytest.mark.parametrize("through_tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "Kerberos", "ntlm", "GSS-Negotiate", "SPNEGO", "Passport"])
def test_a_client_that_logs_on_is_itself_and_others_are_not(start, origin, tls_origin, route, through_tls, scheme):
    upstream = tls_origin if through_tls else origin
    upstream.otherwise = ConnectionAuthentication(scheme)
    proxy = start(ROUTES[route], upstream)
    alice = proxy.connect()
    assert_anonymous(alice, f"{URL}offer")
    assert log_on(alice, "alice", f"{URL}login", scheme=scheme).body == b"alice /login"
    assert alice.exchange(get(f"{URL}mail")).body == b"alice /mail"
    assert pinned(proxy) == 1
    for number in range(3):
        mallory = proxy.connect()
        assert_anonymous(mallory, f"{URL}{number}")
        assert_anonymous(mallory, f"{URL}{number}/again")
        # She cannot have the connection by beginning to log on either.
        assert mallory.exchange(get(f"{URL}{number}/begin", field(negotiate(), scheme))).status == 401
        assert alice.exchange(get(f"{URL}mail/{number}")).body == f"alice /mail/{number}".encode()
    alices = {connection_of(upstream, each) for each in upstream.requests if each.target.startswith((b"/login", b"/mail"))}
    others = {connection_of(upstream, each) for each in upstream.requests if each.target[1:2].isdigit()}
    assert len(alices) == 1 and not alices & others
    lines = [line for line in proxy.requests_logged(16) if line["path"].startswith("/mail")]
    assert [line["upstream"] for line in lines] == ["pinned"] * 4


@pytest.mark.parametrize("through_tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("secure", [False, True], ids=["http inside", "https inside"])
@pytest.mark.parametrize("route", ROUTES)
def test_inside_an_intercepted_tunnel_nothing_is_different(
        start, origin, tls_origin, interception, route, secure, through_tls):
    upstream = tls_origin if through_tls else origin
    proxy = start(ROUTES[route] | {"tunnel": "intercept"}, upstream, interception=interception.settings)

    def inside():
        client = TunnelClient(proxy.address, "api.internal:443")
        return client.start_tls(interception.context(), "api.internal") if secure else client

    host = "api.internal:443"
    with inside() as alice, inside() as mallory:
        assert log_on(alice, "alice", "/login", host=host).body == b"alice /login"
        assert_anonymous(mallory, "/x", host=host)
        assert_anonymous(proxy.connect(), URL)
        assert alice.exchange(get("/mail", host=host)).body == b"alice /mail"
        assert pinned(proxy) == 1
    poll(lambda: pinned(proxy) == 0, "the end of the pin")


def test_curl_logs_on_through_the_proxy(start, origin):
    proxy = start()
    arguments = ["curl", "-sS", "--max-time", "30", "--proxy", proxy.url, "--ntlm", "-u", "alice:pw"]
    result = run([*arguments, f"{URL}one", f"{URL}two", "-w", " %{http_code} %{num_connects}\n"], env=clean_environment())
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "alice /one 200 1\nalice /two 200 0\n"
    assert len({connection_of(origin, each) for each in origin.requests if each.target != b"/x"}) == 1
    # It has gone, and so has its connection.
    poll(lambda: pinned(proxy) == 0, "the end of the pin")
    assert_anonymous(proxy.connect(), f"{URL}x")
    # With content, of which curl sends none before it has the server's challenge.
    result = run([*arguments, f"{URL}form", "-d", "some text"], env=clean_environment())
    assert result.stdout == "alice /form", result.stderr
    assert (origin.requests[-1].method, origin.requests[-1].body) == (b"POST", b"some text")


def test_curl_logs_on_through_an_intercepted_tunnel(start, tls_origin, interception):
    proxy = start(NONE | {"tunnel": "intercept"}, tls_origin, interception=interception.settings)
    result = run(["curl", "-sS", "--max-time", "30", "--proxy", proxy.url, "--ntlm", "-u", "alice:pw", "--cacert",
                  str(interception.file), "https://api.internal/one", "https://api.internal/two"], env=clean_environment())
    assert (result.returncode, result.stdout) == (0, "alice /onealice /two"), result.stderr


@pytest.mark.parametrize("more", [
    ["Authorization: Basic YTpi"], ["Authorization: Bearer abc"], ["Authorization: Digest username=\"a\", realm=\"ntlm\""],
    ["Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;date, Signature=c"], ["Authorization: Token a"], ["X-Authorization: NTLM x"], [],
], ids=str)
@pytest.mark.parametrize("route", ROUTES)
def test_credentials_of_single_requests_share_connections_as_ever(start, origin, route, more):
    origin.otherwise = answer_everything
    proxy = start(ROUTES[route])
    for _ in range(5):
        client = proxy.connect()
        for _ in range(2):
            assert client.exchange(get(URL, *more)).status == 200
    assert len(origin.connections) == 1 and pinned(proxy) == 0
    assert [line["upstream"] for line in proxy.requests_logged(10)] == ["new"] + ["reused"] * 9


@pytest.mark.parametrize("fields", [
    ["Authorization: Basic YTpi", field(authenticate("alice"))],
    [f"Authorization: Basic YTpi, {field(authenticate('alice')).removeprefix('Authorization: ')}"],
    ["authorization:\tNTLM"], ["Authorization: ntlmish x"], ["Authorization: \xa0NTLM x"], ["Authorization: \x85NTLM x"], ["Connection: authorization", field(negotiate())],
], ids=["two fields", "a list", "alone", "an unknown scheme", "a blank of ISO 8859-1", "a control of ISO 8859-1",
      "named by Connection"])
def test_however_it_is_written_it_is_recognised(start, origin, fields):
    origin.otherwise = answer_everything
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, *fields)).status == 200
    assert pinned(proxy) == 1
    assert proxy.connect().exchange(get(URL)).status == 200
    assert len(origin.connections) == 2


def test_a_handshake_in_another_field_is_recognised_by_the_response(start, origin):
    # Some gateways read credentials elsewhere. What the server says is what counts then.
    origin.otherwise = ConnectionAuthentication(field="x-credentials")
    proxy = start()
    alice = proxy.connect()
    assert log_on(alice, "alice", name="X-Credentials").body == b"alice /"
    assert_anonymous(proxy.connect())
    assert alice.exchange(get(URL)).body == b"alice /"


def test_where_the_proxy_sets_authorization_the_clients_own_is_not_forwarded_and_nothing_is_pinned(start, origin):
    proxy = start({})
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).status == 401
    assert pinned(proxy) == 0
    assert not any(b"NTLM" in request.head for request in origin.requests)


# How long it lasts.


@pytest.mark.parametrize("how", ["close", "reset"])
def test_it_ends_with_the_clients_connection(start, origin, how):
    proxy = start()
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    assert figures(proxy) == (1, 1)
    getattr(alice, how)()
    origin.wait_for_finished(1)
    poll(lambda: figures(proxy) == (0, 0), "no connection")
    assert_anonymous(proxy.connect())


def test_it_ends_when_the_client_has_been_idle_for_long(start, origin):
    proxy = start(timeouts={"idle": "300ms"})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    origin.wait_for_finished(1)
    alice.expect_end()
    poll(lambda: figures(proxy) == (0, 0), "no connection")


def test_it_is_not_idle_while_its_client_rests(start, origin):
    proxy = start(timeouts={"upstream_idle": "50ms"})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    # Another client's connection has come and gone: so would Alice's, if it were idle.
    for number in range(2):
        assert_anonymous(proxy.connect())
        origin.wait_for_finished(number + 1)
    assert alice.exchange(get(f"{URL}mail")).body == b"alice /mail"
    assert figures(proxy) == (1, 1)


@pytest.mark.parametrize("last", [get(URL, "Connection: close"), get(URL, version="1.0")], ids=["close", "HTTP/1.0"])
def test_it_ends_with_the_clients_last_request(start, origin, last):
    proxy = start()
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    assert alice.exchange(last).body == b"alice /"
    origin.wait_for_finished(1)
    alice.expect_end()
    poll(lambda: figures(proxy) == (0, 0), "no connection")


def test_an_http_1_0_client_that_logs_on_has_its_connection_for_one_request(start, origin):
    proxy = start()
    assert proxy.connect().exchange(get(URL, field(negotiate()), version="1.0")).status == 401
    origin.wait_for_finished(1)
    poll(lambda: figures(proxy) == (0, 0), "no connection")


def test_it_ends_with_the_proxy(start, origin):
    proxy = start()
    assert log_on(proxy.connect(), "alice").status == 200
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    origin.wait_for_finished(1)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(start, origin):
    def stall(connection):
        connection.request()
        connection.expect_close()

    origin.script(stall)
    proxy = start()
    alice = proxy.connect().send(get(URL, field(negotiate())))
    origin.wait_for_requests(1)
    assert figures(proxy) == (1, 1)
    alice.close()
    origin.wait_for_finished(1)
    poll(lambda: figures(proxy) == (0, 0), "no connection")


# When the upstream's connection ends before.


def logged_on(then):
    """A connection that is Alice's, and `then` answers one more request, or does not."""
    def script(connection):
        connection.request()
        connection.answer(b"alice", "200 OK", "WWW-Authenticate: Negotiate b2s=")
        then(connection)
    return script


def test_when_the_upstream_closes_it_while_the_client_rests_the_next_request_has_another(start, origin):
    origin.script(logged_on(lambda connection: None))
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice"), "Negotiate"))).body == b"alice"
    # Nothing is asked for: the proxy sees it by itself.
    poll(lambda: figures(proxy) == (0, 0), "no connection")
    # The other one is anonymous, so the upstream asks again who it is: also for what must not be repeated.
    answer = alice.exchange(post(URL, b"pay"), "POST")
    assert (answer.status, answer.value("www-authenticate")) == (401, b"NTLM")
    assert log_on(alice, "alice").body == b"alice /"


def test_an_end_that_comes_with_the_response_ends_it(start, origin):
    def script(connection):
        with connection.in_one_piece():
            connection.request()
            connection.answer(b"alice")
            connection.finish_sending()
        connection.expect_close()

    origin.script(script)
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).body == b"alice"
    origin.wait_for_finished(1)
    poll(lambda: figures(proxy) == (0, 0), "no connection")


def test_unasked_bytes_end_it(start, origin):
    origin.script(logged_on(lambda connection: (
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"), connection.expect_close())))
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).body == b"alice"
    origin.wait_for_finished(1)
    assert_anonymous(alice)


def test_a_response_that_ends_the_connection_ends_it(start, origin):
    origin.script(logged_on(lambda connection: (
        connection.request(), connection.answer(b"last", "200 OK", "Connection: close"), connection.expect_close())))
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).body == b"alice"
    assert alice.exchange(get(URL)).body == b"last"
    origin.wait_for_finished(1)
    assert_anonymous(alice)
    assert pinned(proxy) == 0


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_get_whose_connection_dies_is_sent_once_more_on_an_anonymous_one(start, origin, ending):
    origin.script(logged_on(lambda connection: (connection.head(), getattr(connection, ending)())))
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).body == b"alice"
    # The upstream asks again who it is, and nothing was done in anyone's name.
    assert_anonymous(alice, f"{URL}mail")
    assert [request.target for request in origin.requests] == [b"/", b"/mail", b"/mail"]
    assert proxy.requests_logged(2)[1]["upstream"] == "new"
    assert figures(proxy) == (1, 0)
    assert log_on(alice, "alice").body == b"alice /"


def test_a_request_with_effects_whose_connection_dies_is_a_502(start, origin):
    origin.script(logged_on(lambda connection: (connection.request(), connection.close())))
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).body == b"alice"
    assert alice.exchange(post(f"{URL}pay", b"pay"), "POST").status == 502
    assert [request.target for request in origin.requests] == [b"/", b"/pay"]
    assert figures(proxy) == (0, 0)


def test_a_response_that_is_cut_off_ends_it(start, origin):
    origin.script(logged_on(lambda connection: (
        connection.request(), connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), connection.close())))
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).body == b"alice"
    alice.send(get(URL)).head()
    poll(lambda: figures(proxy) == (0, 0), "no connection")


# Places, and who waits for them.


def test_others_wait_for_its_place_until_the_client_leaves(start, origin):
    proxy = start(limits={"upstream_connections": 1})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    mallory = proxy.connect().send(get(URL))
    poll(lambda: proxy.sample("m2m_proxy_upstream_requests_waiting") == 1, "one that waits")
    assert alice.exchange(get(f"{URL}mail")).body == b"alice /mail"
    assert figures(proxy) == (1, 1) and proxy.sample("m2m_proxy_upstream_connections_idle") == 0
    alice.close()
    assert mallory.answer().status == 401
    poll(lambda: proxy.sample("m2m_proxy_upstream_connections_idle") == 1, "an idle connection")
    assert figures(proxy) == (1, 0) and len(origin.connections) == 2


def test_the_place_is_free_again_after_a_hundred_clients(start, origin):
    proxy = start(limits={"upstream_connections": 1})
    for number in range(100):
        client = proxy.connect()
        assert log_on(client, f"user{number}").body == f"user{number} /".encode()
        client.close()
    assert_anonymous(proxy.connect())
    poll(lambda: figures(proxy) == (1, 0), "one connection")


@pytest.mark.parametrize("queue", [256, 0])
def test_a_client_does_not_wait_for_the_connection_that_it_has_itself_nor_is_it_refused(start, origin, queue):
    proxy = start(NONE, None, {"name": "same", "match": "same.internal", "mount": None, "forward_to": origin.url},
                  limits={"upstream_connections": 1, "queue": queue})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    if queue == 0:
        assert proxy.connect().exchange(get(URL)).status == 503, "no request waits"
    # This one carries the proxy's token, and is not Alice's.
    assert alice.exchange(get("http://same.internal/x")).status == 401
    assert figures(proxy) == (1, 0)


def test_a_client_is_not_refused_for_a_full_queue_while_it_has_a_connection_to_give(start, origin):
    proxy = start(NONE, None, {"name": "same", "match": "same.internal", "mount": None, "forward_to": origin.url},
                  limits={"upstream_connections": 1, "queue": 1})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    mallory = proxy.connect().send(get(URL))
    poll(lambda: proxy.sample("m2m_proxy_upstream_requests_waiting") == 1, "one that waits")
    assert alice.exchange(get("http://same.internal/x")).status == 401
    assert mallory.answer().status == 401 and pinned(proxy) == 0


def test_requests_with_the_proxys_token_do_not_go_out_in_the_clients_name(start, origin):
    proxy = start(NONE, None, {"name": "same", "match": "same.internal", "mount": None, "forward_to": origin.url})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    assert alice.exchange(get("http://same.internal/x")).body == b"who?"
    assert alice.exchange(get(f"{URL}mail")).body == b"alice /mail"
    assert [connection_of(origin, each) for each in origin.requests if each.target in (b"/x", b"/mail")] != [0, 0]


def test_a_client_may_ask_others_meanwhile_and_has_one_such_connection(start, origin, tls_origin, nginx):
    proxy = start(NONE, None,
                  NONE | {"name": "second", "match": "second.internal", "mount": None, "forward_to": tls_origin.url},
                  NONE | {"name": "files", "match": "files.internal", "mount": None, "forward_to": nginx.url()})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    assert alice.exchange(get("http://files.internal/small.txt")).body == b"small\n"
    assert_anonymous(alice, "http://second.internal/")
    assert alice.exchange(get(f"{URL}mail")).body == b"alice /mail"
    assert log_on(alice, "alice", "http://second.internal/x").body == b"alice /x"
    assert alice.exchange(get("http://second.internal/y")).body == b"alice /y"
    # The first upstream asks again who it is.
    origin.wait_for_finished(1)
    assert pinned(proxy) == 1
    assert_anonymous(alice)
    assert log_on(alice, "alice").body == b"alice /"
    assert pinned(proxy) == 1


def test_pipelined_requests_go_out_on_it_one_after_the_other(start, origin):
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(negotiate()))).status == 401
    alice.send(get(f"{URL}0", field(authenticate("alice"))) + b"".join(get(f"{URL}{number}") for number in range(1, 5)))
    assert [alice.answer().body for _ in range(5)] == [f"alice /{number}".encode() for number in range(5)]
    assert len(origin.connections) == 1


def test_another_caller_on_the_clients_connection_does_not_get_it(start, origin):
    callers = {"alice": with_password("one"), "mallory": with_password("two")}
    proxy = start(NONE | {"callers": ["alice", "mallory"]}, callers=callers)
    client = proxy.connect()
    for message in (negotiate(), authenticate("alice")):
        client.exchange(get(URL, basic("alice", "one"), field(message)))
    assert client.exchange(get(URL, basic("alice", "one"))).body == b"alice /"
    assert client.exchange(get(URL, basic("mallory", "two"))).body == b"who?"
    # What is gone is gone.
    assert client.exchange(get(URL, basic("alice", "one"))).body == b"who?"
    assert pinned(proxy) == 0


def test_a_host_below_a_wildcard_is_in_use_as_long_as_a_client_has_a_connection_to_it(
        wild, start_with_names, authority):  # noqa: F811
    wild.otherwise = ConnectionAuthentication()
    proxy = start_with_names(
        NONE | {"match": f"*.wild.example:{wild.port}", "mount": None}, network=INTERNET,
        lead={"a_wild_example": [PUBLIC], "b_wild_example": [PUBLIC]}, loops=1, limits={"wildcard_hosts": 1},
        tls={"ca_file": str(authority.file)})
    a, b = (f"http://{name}.wild.example:{wild.port}/" for name in "ab")
    alice, mallory = proxy.connect(), proxy.connect()
    assert log_on(alice, "alice", a).body == b"alice /"
    assert mallory.exchange(get(b)).status == 503
    assert_anonymous(mallory, a)
    assert alice.exchange(get(a)).body == b"alice /"
    alice.close()
    poll(lambda: pinned(proxy) == 0, "the end of the pin")
    assert_anonymous(mallory, b)


@pytest.mark.parametrize("through_tls", [False, True], ids=["plain", "TLS"])
def test_many_clients_at_once_never_get_each_others_data(start, origin, tls_origin, through_tls):
    upstream = tls_origin if through_tls else origin
    upstream.otherwise = ConnectionAuthentication()
    proxy = start(NONE, upstream, limits={"upstream_connections": 12, "queue": 100})

    def user(name: str) -> None:
        for turn in range(10):
            client = proxy.connect()
            assert_anonymous(client)
            assert log_on(client, name).body == f"{name} /".encode()
            for number in range(turn):
                assert client.exchange(get(f"{URL}{number}")).body == f"{name} /{number}".encode()
            client.reset() if turn % 2 else client.close()

    def anonymous(_) -> None:
        for turn in range(40):
            client = proxy.connect()
            assert_anonymous(client, f"{URL}{turn}")
            client.close()

    with ThreadPoolExecutor(16) as threads:
        outcomes = [threads.submit(user, f"user{number}") for number in range(10)]
        outcomes += [threads.submit(anonymous, number) for number in range(6)]
        for outcome in outcomes:
            outcome.result()
    poll(lambda: pinned(proxy) == 0, "the end of all pins")
    poll(lambda: figures(proxy)[0] == proxy.sample("m2m_proxy_upstream_connections_idle"), "idle connections alone")
    assert figures(proxy)[0] <= 12


# What else becomes of a client's connection.


def test_it_may_switch_to_another_protocol_and_ends_with_that(start, origin):
    origin.script(logged_on(lambda connection: (connection.switch(), connection.expect_close())))
    proxy = start()
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice")))).body == b"alice"
    alice.send(handshake()).switched()
    assert len(origin.connections) == 1
    alice.close()
    origin.wait_for_finished(1)
    poll(lambda: figures(proxy) == (0, 0), "no connection")


def test_a_switch_on_another_connection_ends_it(start, origin, tls_origin):
    proxy = start(NONE, None, NONE | {"name": "chat", "match": "chat.internal", "mount": None, "forward_to": tls_origin.url})
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    tls_origin.script(lambda connection: (connection.switch(), connection.expect_close()))
    alice.send(handshake("http://chat.internal/")).switched()
    # The switched one is still open, and may be for days.
    origin.wait_for_finished(1)
    poll(lambda: figures(proxy) == (1, 0), "the end of the pin")


@pytest.mark.parametrize("tunnel", ["blind", "intercept"])
def test_a_tunnel_on_the_clients_connection_ends_it(start, origin, tls_origin, interception, tunnel):
    blind = {"name": "blind", "match": tls_origin.authority, "mount": None, "audience": None, "tunnel": "blind"}
    intercepted = {"name": "inside", "match": "inside.internal", "mount": None, "tunnel": "intercept", "forward_to": origin.url}
    proxy = start(NONE, None, blind, intercepted | NONE, interception=interception.settings)
    alice = proxy.connect()
    assert log_on(alice, "alice").status == 200
    target = tls_origin.authority if tunnel == "blind" else "inside.internal:80"
    alice.send(get(target, method="CONNECT", host=target))
    assert alice.head().status == 200
    if tunnel == "intercept":
        # It is said inside who it is, or it is not.
        assert_anonymous(alice, "/x", host=target)
    origin.wait_for_finished(1)
    poll(lambda: pinned(proxy) == 0, "the end of the pin")


# The proxy's own token beside it.


def test_the_handshake_costs_no_token_where_both_are_forwarded(start, origin, authlib):
    proxy = start(HEADER)
    for number in range(3):
        alice = proxy.connect()
        assert_anonymous(alice)
        assert log_on(alice, "alice").body == b"alice /"
        alice.close()
    assert len(authlib.tokens) == 1
    assert {request.value("x-api-token") for request in origin.requests} == {f"Bearer {authlib.tokens[0]}".encode()}
    # Nothing of it is repeated by the proxy.
    assert len(origin.requests) == 9 and all("replayed" not in line for line in proxy.requests_logged(9))


@pytest.mark.parametrize("offer", [["WWW-Authenticate: Bearer"], ["WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM"]],
                         ids=["Bearer", "NTLM"])
def test_a_token_that_is_refused_is_replaced_on_the_same_connection(start, origin, authlib, offer):
    def script(connection):
        connection.request()
        connection.answer(b"alice", "200 OK", "WWW-Authenticate: Negotiate b2s=")
        # To a client that has logged on, a server that adds its offer to every 401 says nothing new.
        connection.request()
        connection.answer(b"no", "401 Unauthorized", *offer)
        connection.request()
        connection.answer(b"yes")
        connection.expect_close()

    origin.script(script)
    proxy = start(HEADER)
    alice = proxy.connect()
    assert alice.exchange(get(URL, field(authenticate("alice"), "Negotiate"))).body == b"alice"
    assert alice.exchange(get(URL)).body == b"yes"
    assert len(authlib.tokens) == 2 and len(origin.connections) == 1
    line = proxy.requests_logged(2)[1]
    assert (line["replayed"], line["upstream"]) == ("401", "pinned")


def test_the_last_message_of_a_handshake_is_never_repeated_by_the_proxy(start, origin, authlib):
    def script(connection):
        connection.request()
        connection.answer(b"wrong password", "401 Unauthorized", "WWW-Authenticate: NTLM")
        connection.expect_close()

    origin.script(script)
    proxy = start(HEADER)
    answer = proxy.connect().exchange(get(URL, field(authenticate("alice"))))
    assert (answer.status, answer.body) == (401, b"wrong password")
    assert len(origin.requests) == 1 and len(authlib.tokens) == 1


# What clients are told (RFC 4559 section 6).


def test_a_response_tells_clients_of_a_proxy_that_they_may_log_on_through_it(start, origin):
    proxy = start()
    alice = proxy.connect()
    for request in (get(URL), get(URL, field(negotiate()))):
        answer = alice.exchange(request)
        assert (answer.status, answer.value("proxy-support")) == (401, b"Session-Based-Authentication")
        assert answer.value("connection") == b"Proxy-Support"
    assert not alice.exchange(get(URL, field(authenticate("alice")))).values("proxy-support")
    # Where the connection ends, where the proxy is the server that the client knows, and where the client's Authorization does not go on.
    assert not proxy.connect().exchange(get(URL, version="1.0")).values("proxy-support")
    assert not proxy.connect().exchange(get("/api/x")).values("proxy-support")
    assert not start({}).connect().exchange(get(URL)).values("proxy-support")


def test_a_challenge_of_another_kind_has_no_such_field(start, origin):
    proxy = start()
    origin.otherwise = ConnectionAuthentication(offer='WWW-Authenticate: Basic realm="a"')
    assert not proxy.connect().exchange(get(URL)).values("proxy-support")
