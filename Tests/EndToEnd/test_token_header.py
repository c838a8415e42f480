"""APIs that want the token elsewhere, or with another scheme before it."""


import pytest

from harness.client import get


def start(start_proxy, origin, **token):
    return start_proxy({"forward_to": origin.url, "token": token})


@pytest.mark.parametrize(("token", "name", "prefix"), [
    ({"header": "X-Api-Token"}, "x-api-token", "Bearer "),
    ({"header": "X-Api-Token", "scheme": ""}, "x-api-token", ""),
    ({"scheme": "Token"}, "authorization", "Token "),
    ({"scheme": ""}, "authorization", ""),
    ({"header": "authorization"}, "authorization", "Bearer "),
], ids=str)
def test_the_token_goes_where_the_route_says(start_proxy, origin, authlib, token, name, prefix):
    proxy = start(start_proxy, origin, **token)
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    request, = origin.requests
    assert request.value(name) == f"{prefix}{authlib.tokens[0]}".encode()
    assert sum(authlib.tokens[0].encode() in line for line in request.lines) == 1


@pytest.mark.parametrize("name", ["X-Api-Token", "x-api-token", "X_Api_Token", "X-API_TOKEN"])
@pytest.mark.parametrize("more", [[], ["Connection: X-Api-Token"]], ids=["alone", "named"])
def test_the_clients_own_field_of_that_name_is_never_forwarded(start_proxy, origin, authlib, name, more):
    proxy = start(start_proxy, origin, header="X-Api-Token", scheme="")
    answer = proxy.connect().exchange(get("http://api.internal/", f"{name}: forged", *more, f"{name}:forged", "X-Api: kept"))
    assert answer.status == 200
    request, = origin.requests
    assert b"forged" not in request.head
    assert request.value("x-api-token") == authlib.tokens[0].encode()
    assert request.value("x-api") == b"kept"


def test_the_clients_own_authorization_is_forwarded_when_the_token_goes_elsewhere(start_proxy, origin):
    proxy = start(start_proxy, origin, header="X-Api-Token")
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/", "Authorization: Basic dXNlcjpvbmU=")).status == 200
    assert origin.requests[0].value("authorization") == b"Basic dXNlcjpvbmU="
    assert client.exchange(get("http://api.internal/")).status == 200
    assert origin.requests[1].values("authorization") == []


def test_it_does_not_where_the_token_goes_there(start_proxy, origin, authlib):
    proxy = start(start_proxy, origin, scheme="Token")
    assert proxy.connect().exchange(get("http://api.internal/", "Authorization: Basic dXNlcjpvbmU=")).status == 200
    assert origin.requests[0].value("authorization") == f"Token {authlib.tokens[0]}".encode()


def test_a_trailer_cannot_be_taken_for_the_token(start_proxy, origin):
    proxy = start(start_proxy, origin, header="X-Api-Token")
    request = get("http://api.internal/", "Transfer-Encoding: chunked", method="POST")
    answer = proxy.connect().exchange(request + b"2\r\nok\r\n0\r\nX-Api-Token: forged\r\n\r\n")
    assert answer.status == 200
    assert (origin.requests[0].body, origin.requests[0].trailers) == (b"ok", [])


def test_it_goes_there_as_well_when_the_request_is_sent_again(start_proxy, origin, authlib):
    def script(connection):
        connection.request()
        connection.answer(b"no", "401 Unauthorized")
        connection.request()
        connection.answer()
        assert connection.at_end()

    origin.script(script)
    proxy = start(start_proxy, origin, header="X-Api-Token", scheme="")
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    assert [request.value("x-api-token").decode() for request in origin.requests] == authlib.tokens


def test_check_shows_where_it_goes(check, authlib):
    result = check({
        "credentials": {"kinde": authlib.credential()},
        "routes": [{"name": "a", "match": "a.internal", "audience": "x", "token": {"header": "X-Api-Token", "scheme": ""}}]},
        CLIENT_SECRET=authlib.client.secret)
    assert result.returncode == 0 and "token in X-Api-Token" in result.stdout, result.stdout + result.stderr
