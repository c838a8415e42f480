"""A rotated client secret takes effect without a restart, and tokens are counted against a budget."""

import json

from harness.client import get
from harness.waiting import poll


def secret_file(directory, name: str, secret: str):
    path = directory / name
    path.write_text(secret + "\n")
    path.chmod(0o400)
    return path


def replace(path, secret: str) -> None:
    """As an orchestrator does: the old file until the new one is complete."""
    new = path.with_suffix(".new")
    new.write_text(secret + "\n")
    new.chmod(0o400)
    new.rename(path)


def test_a_new_secret_in_the_file_is_used_as_soon_as_the_old_one_is_refused(start_proxy, origin, authlib, tmp_path):
    path = secret_file(tmp_path, "secret", authlib.client.secret)
    proxy = start_proxy(
        {"forward_to": origin.url}, credentials={"kinde": authlib.credential(client_secret={"file": str(path)})})
    authlib.client.secret = authlib.transcript.keep_secret("another-secret-after-the-rotation")
    client = proxy.connect()
    assert client.exchange(get("http://api.internal/")).status == 502
    replace(path, authlib.client.secret)
    poll(lambda: client.exchange(get("http://api.internal/")).status == 200, "the new secret")
    assert proxy.log.wait_for(r"event=token\b.*result=ok")


def test_while_one_of_two_secrets_works_no_request_fails(start_proxy, origin, authlib, tmp_path):
    current = secret_file(tmp_path, "current", authlib.transcript.keep_secret("not-yet-known-to-the-server"))
    previous = secret_file(tmp_path, "previous", authlib.client.secret)
    proxy = start_proxy({"forward_to": origin.url}, credentials={"kinde": authlib.credential(
        client_secret={"file": str(current)}, client_secret_previous={"file": str(previous)})})
    assert proxy.connect().exchange(get("http://api.internal/")).status == 200
    line = proxy.log.wait_for(r"event=token\b.*result=ok")
    assert "secret=previous" in line
    assert "client_secret_previous" in proxy.log.wait_for(r"event=secret\b")


def test_a_spent_budget_that_stops_is_a_503_that_names_the_setting(start_proxy, origin, authlib):
    authlib.lifetime, authlib.opaque = 1, True
    credential = authlib.credential(budget={"tokens": 2, "per": "month", "when_spent": "stop"})
    proxy = start_proxy({"forward_to": origin.url}, credentials={"kinde": credential})
    client = proxy.connect()

    def spent():
        answer = client.exchange(get("http://api.internal/"))
        return answer if answer.status == 503 else None

    answer = poll(spent, "the end of the budget")
    problem = json.loads(answer.body)
    assert "budget" in problem["title"] and "credentials.kinde.budget" in problem["hint"]
    assert int(answer.value("retry-after")) >= 1
    assert len(authlib.tokens) == 2
    assert proxy.sample("m2m_proxy_tokens_issued_total", credentials="kinde") == 2
    assert proxy.sample("m2m_proxy_tokens_issued", period="month") == 2
    assert proxy.sample("m2m_proxy_token_budget", period="month") == 2
    assert proxy.log.wait_for(r"event=token_budget\b")
