"""No secret and no token in anything that is printed, published or answered."""

import base64

import pytest

from harness.client import get


@pytest.fixture
def leaks(transcript):
    """What leaked since the test began; the transcript of the whole session is checked when it ends."""
    start = len(transcript.texts)
    return lambda: transcript.leaks(start)


@pytest.fixture(params=["environment", "file", "inline"])
def secret_from(request, authlib, tmp_path, transcript):
    """The credential's part of proxy.conf with the secret from each of its three sources."""
    if request.param == "environment":
        return authlib.credential(client_secret={"env": "CLIENT_SECRET"})
    if request.param == "inline":
        return authlib.credential(client_secret=authlib.client.secret)
    file = tmp_path / "secret"
    file.write_text(authlib.client.secret + "\r\n")
    file.chmod(0o400)
    return authlib.credential(client_secret={"file": str(file)})


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("log", ["logfmt", "json"])
def test_a_secret_from_any_source_works_and_stays_secret(
        start_proxy, origin, authlib, transcript, leaks, secret_from, method, level, log):
    proxy = start_proxy({"forward_to": origin.url}, log={"format": log, "level": level},
                        credentials={"kinde": secret_from | {"authentication": method}})
    client = proxy.connect()
    own = transcript.keep_secret(base64.b64encode(b"legacy:application-password").decode())
    assert client.exchange(get("http://api.internal/", f"Authorization: Basic {own}")).status == 200
    assert client.exchange(get("http://nowhere.internal/", f"Proxy-Authorization: Basic {own}")).status == 403
    assert client.exchange(get(f"http://user:{own}@api.internal/")).status in (200, 400, 403)
    metrics = proxy.metrics()
    proxy.stop()
    transcript.add("metrics", metrics)
    assert authlib.tokens and leaks() == []


def test_an_error_of_the_token_endpoint_that_repeats_the_secret_is_not_forwarded(proxy, authlib, transcript, leaks):
    reply = '{"error": "invalid_client", "error_description": "no such secret: %s"}' % authlib.client.secret
    authlib.answer(400, reply, Content_Type="application/json")
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502
    proxy.stop()
    transcript.add("the answer", (answer.head + answer.body).decode())
    assert leaks() == []


def test_a_token_reply_that_does_not_parse_is_not_logged(start_proxy, origin, authlib, transcript, leaks):
    token = transcript.keep_secret("a-token-in-a-broken-reply-0123456789")
    authlib.answer(200, '{"access_token": "%s", "token_type": "Bearer", "expires_in": ' % token)
    proxy = start_proxy({"forward_to": origin.url}, log={"level": "debug"})
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502
    proxy.stop()
    transcript.add("the answer", (answer.head + answer.body).decode())
    assert leaks() == []


def test_a_token_is_not_in_a_response_of_the_proxy(start_proxy, origin, authlib, transcript, leaks):
    origin.otherwise = lambda connection: (connection.request(), connection.close())
    proxy = start_proxy({"forward_to": origin.url})
    answer = proxy.connect().exchange(get("http://api.internal/"))
    assert answer.status == 502 and authlib.tokens
    transcript.add("the answer", (answer.head + answer.body).decode())
    assert leaks() == []


def test_the_command_line_and_the_environment_are_not_needed_for_a_secret(start_proxy, origin, authlib, tmp_path):
    file = tmp_path / "secret"
    file.write_text(authlib.client.secret)
    file.chmod(0o400)
    proxy = start_proxy({"forward_to": origin.url}, environment={"CLIENT_SECRET": ""},
                        credentials={"kinde": authlib.credential(client_secret={"file": str(file)})})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
