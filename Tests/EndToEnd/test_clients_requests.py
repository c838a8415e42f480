"""Python requests as a legacy client."""

import pytest
import requests

from harness import content


@pytest.fixture
def session(nginx_proxy):
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": nginx_proxy.url}
        yield session


def test_requests_with_proxies_gets_a_bearer_token(session, authlib):
    assert session.get("http://api.internal/echo/authorization").text == f"Bearer {authlib.tokens[0]}"


def test_a_requests_session_keeps_its_connection_and_one_token_serves_it(session, authlib, nginx_proxy):
    for number in range(50):
        assert session.get(f"http://api.internal/echo/uri/{number}").text == f"GET /echo/uri/{number}"
    assert len({line["client"] for line in nginx_proxy.requests_logged(50)}) == 1
    assert len(authlib.fetches) == 1


def test_requests_streams_a_download(session):
    got = content.Digest()
    with session.get("http://api.internal/100000000.bin", stream=True) as answer:
        for piece in answer.iter_content(1 << 18):
            got.write(piece)
    assert got == content.digest(100_000_000)


def test_requests_streams_an_upload_of_known_length(session, nginx):
    with open(nginx.www / "1048576.bin", "rb") as file:
        assert session.put("http://api.internal/upload/streamed", data=file).status_code == 201
    assert (nginx.www / "upload/streamed").read_bytes() == content.content(1 << 20)


def test_requests_uploads_a_generator_in_chunks(session, nginx):
    pieces = (bytes(piece) for piece in content.pieces(1 << 20, 10_000))
    assert session.put("http://api.internal/upload/generated", data=pieces).status_code == 201
    assert (nginx.www / "upload/generated").read_bytes() == content.content(1 << 20)


def test_requests_follows_a_redirect_back_through_the_proxy(session, nginx_proxy):
    # nginx names the Host it was asked for, which the proxy leaves to the application.
    answer = session.get("http://api.internal/redirect", allow_redirects=False)
    assert answer.status_code == 302 and answer.headers["Location"].endswith("/small.txt")


def test_requests_with_a_base_url_needs_no_proxy_setting(nginx_proxy):
    answer = requests.get(f"{nginx_proxy.url}/api/65537.bin", proxies={"http": ""})
    assert answer.content == content.content(65_537)


def test_cookies_and_compression_are_left_to_the_application(proxy, origin):
    def compressed(connection):
        connection.request()
        connection.answer(b"\x1f\x8bnot decoded", "200 OK", "Content-Encoding: x-test",
                          "Set-Cookie: a=b", "Set-Cookie: c=d")
        connection.expect_close()

    origin.script(compressed)
    answer = requests.get("http://api.internal/", proxies={"http": proxy.url}, cookies={"e": "f"})
    assert answer.content == b"\x1f\x8bnot decoded" and answer.cookies == {"a": "b", "c": "d"}
    assert origin.requests[0].values("cookie") == [b"e=f"]
    assert origin.requests[0].values("accept-encoding")[0].startswith(b"gzip")
