"""A real server other than Authlib: django-oauth-toolkit, with hashed secrets, opaque tokens and error bodies of its own."""

import json

import pytest

from harness.client import get
from harness.django_server import DjangoServer
from harness.waiting import poll


@pytest.fixture(scope="module")
def django_server(transcript, tmp_path_factory):
    server = DjangoServer(transcript, tmp_path_factory.mktemp("django") / "django.sqlite3")
    yield server
    server.stop()


@pytest.fixture
def django(django_server):
    django_server.lifetime = 3600
    django_server.replies.clear()
    return django_server


@pytest.fixture
def guarded(origin, django):
    """The origin as a resource server: it asks Django about each token, and keeps what was said."""
    verdicts = []

    def serve(connection):
        while not connection.at_end():
            request = connection.request()
            scheme, token = request.value("authorization").decode().split(" ")
            good = scheme == "Bearer" and django.accepts(token, ["read:orders"])
            verdicts.append(good)
            connection.answer(token.encode(), "200 OK" if good else "401 Unauthorized")

    origin.otherwise = serve
    origin.verdicts = verdicts
    return origin


@pytest.fixture
def start(start_proxy, django, guarded):
    def start(secret: str | None = None, scopes=["read:orders"], **credential):
        return start_proxy(
            {"forward_to": guarded.url, "scopes": scopes, "audience": None},
            credentials={"django": django.credential(**credential)},
            environment={"DJANGO_SECRET": secret or django.secret})
    return start


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_a_token_is_got_and_accepted(start, django, guarded, method):
    proxy = start(authentication=method)
    client = proxy.connect()
    for _ in range(5):
        answer = client.exchange(get("http://api.internal/orders"))
        assert (answer.status, answer.body.decode()) == (200, django.tokens[0])
    assert [status for status, _ in django.replies] == [200] and guarded.verdicts == [True] * 5
    assert "lifetime=3600s" in proxy.log.wait_for(r"event=token\b.*result=ok")


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
def test_a_wrong_secret_is_named(start, django, guarded, method):
    proxy = start("not-the-secret-that-it-knows", authentication=method)
    answer = proxy.connect().exchange(get("http://api.internal/orders"))
    problem = json.loads(answer.body)
    assert (answer.status, problem["hop"]) == (502, "token")
    assert "invalid_client" in problem["detail"] and "credentials.django" in problem["hint"]
    assert django.replies == [(401, {"error": "invalid_client"})] and guarded.verdicts == []


def test_a_wrong_scope_is_named(start, django, guarded):
    proxy = start(scopes=["delete:everything"])
    answer = proxy.connect().exchange(get("http://api.internal/orders"))
    problem = json.loads(answer.body)
    assert (answer.status, problem["hop"]) == (502, "token")
    assert "invalid_scope" in problem["detail"] and "delete:everything" in problem["hint"]
    assert [status for status, _ in django.replies] == [400] and guarded.verdicts == []


def test_tokens_expire_and_are_renewed_and_the_api_never_sees_an_expired_one(start, django, guarded):
    django.lifetime = 2
    proxy = start()
    client = proxy.connect()

    def renewed_twice():
        answer = client.exchange(get("http://api.internal/orders"))
        assert answer.status == 200, answer.body
        return len(django.tokens) >= 3

    poll(renewed_twice, "two renewals")
    assert all(guarded.verdicts)
    # Half of their lifetime each, or a little less: not one for each request.
    assert len(django.replies) == 3 < len(guarded.verdicts)


def test_a_token_that_django_revokes_is_replaced(start, django, guarded):
    from oauth2_provider.models import get_access_token_model
    proxy = start()
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/orders")).status == 200
    get_access_token_model().objects.get(token=django.tokens[0]).revoke()
    assert client.exchange(get("http://api.internal/orders")).body.decode() == django.tokens[1]
    assert guarded.verdicts == [True, False, True]
