"""The tests' own tools, proved without the proxy: an instrument that cannot fail shows nothing."""

import base64
import ssl
import threading

import pytest
import requests

from harness import content, wire
from harness.authlib_server import AuthlibServer
from harness.client import RawClient, get, post
from harness.transcript import Transcript, variants


def reader(data: bytes) -> wire.Reader:
    pieces = [data, b""]
    return wire.Reader(lambda: pieces.pop(0) if pieces else b"")


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokX\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
])
def test_the_strict_reader_rejects_malformed_responses(data):
    with pytest.raises(wire.Malformed):
        wire.read_answer(reader(data))


@pytest.mark.parametrize("data", [
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
])
def test_the_strict_reader_tells_an_incomplete_response_from_a_complete_one(data):
    with pytest.raises(wire.Incomplete):
        wire.read_answer(reader(data))


def test_the_strict_reader_decodes_chunks_trailers_and_interim_responses():
    answer = wire.read_answer(reader(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"))
    assert (answer.body, answer.trailers) == (b"ok", [(b"X-Sum", b"7")])
    assert [each.status for each in answer.interim] == [103]


def test_content_of_any_size_has_the_digest_of_its_pieces():
    for size in content.SIZES[:-1]:
        whole = content.Digest()
        whole.write(content.content(size))
        assert whole == content.digest(size) and whole.length == size
    assert content.digest(65_535) != content.digest(65_536)


def test_the_raw_origin_responds_and_keeps_every_byte(origin):
    client = RawClient(("127.0.0.1", origin.port))
    assert client.exchange(get("/a")).body == b"ok"
    assert client.exchange(post("/b", b"12345"), "POST").status == 200
    client.close()
    origin.wait_for_finished(1)
    assert bytes(origin.connections[0].received) == get("/a") + post("/b", b"12345")


def test_the_raw_origin_follows_scripts_and_reports_what_goes_wrong_in_them(origin):
    let_go = threading.Event()

    def holding(connection):
        connection.request()
        connection.hold(let_go)
        connection.reset()

    def failing(connection):
        raise KeyError("a mistake in a script")

    origin.script(holding, failing)
    first = RawClient(("127.0.0.1", origin.port)).send(get("/"))
    origin.wait_for_requests(1)
    let_go.set()
    with pytest.raises(wire.Incomplete):
        first.answer()
    RawClient(("127.0.0.1", origin.port)).expect_end()
    with pytest.raises(KeyError):
        origin.wait_for_finished(2)
    origin.errors.clear()


def test_the_raw_origin_speaks_tls_with_the_test_certificate(tls_origin, authority):
    assert requests.get(tls_origin.url, verify=str(authority.file)).text == "ok"


def test_nginx_serves_echoes_and_takes_uploads(nginx, authority):
    session = requests.Session()
    session.trust_env = False
    assert session.get(nginx.url() + "/65537.bin").content == content.content(65_537)
    assert session.get(nginx.url() + "/echo/authorization", headers={"Authorization": "Bearer x"}).text == "Bearer x"
    assert session.put(nginx.url() + "/upload/harness", data=b"abc").status_code == 201
    assert (nginx.www / "upload/harness").read_bytes() == b"abc"
    assert session.get(nginx.url("tls") + "/small.txt", verify=str(authority.file)).text == "small\n"


@pytest.mark.parametrize("name", ["wrong_host", "self_signed", "expired", "tls11"])
def test_nginx_offers_tls_that_must_be_refused(nginx, authority, name):
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(nginx.url(name), verify=str(authority.file))


def ask(authlib, **form):
    whole = {"grant_type": "client_credentials", "client_id": authlib.client.identifier,
             "client_secret": authlib.client.secret, "audience": "https://api.example"} | form
    return requests.post(authlib.token_endpoint, data={k: v for k, v in whole.items() if v})


def test_authlib_issues_tokens_and_counts_fetches(authlib):
    reply = ask(authlib, scope="read:orders").json()
    assert reply["token_type"] == "Bearer" and reply["expires_in"] == 3600 and reply["access_token"].count(".") == 2
    basic = requests.post(authlib.token_endpoint, data={"grant_type": "client_credentials"},
                          auth=(authlib.client.identifier, authlib.client.secret))
    assert basic.status_code == 200, basic.text
    assert [fetch.authentication for fetch in authlib.fetches] == ["client_secret_post", "client_secret_basic"]
    assert authlib.fetches[0].audience == "https://api.example" and len(authlib.tokens) == 2


def test_authlib_refuses_as_the_standard_says(authlib):
    assert ask(authlib, client_secret="wrong").json()["error"] == "invalid_client"
    assert ask(authlib, scope="delete:everything").json()["error"] == "invalid_scope"
    authlib.client.refused_audiences.add("https://api.example")
    assert ask(authlib).json()["error"] == "unauthorized_client"
    authlib.answer(503, "down", Retry_After="7")
    assert ask(authlib).headers["Retry-After"] == "7"


def test_the_transcript_finds_a_secret_in_every_disguise():
    secret = 'q7+/Zk=&"p w%9xY_-Tz'
    for form in variants(secret):
        transcript = Transcript()
        transcript.keep_secret(secret)
        transcript.add("here", f"some text {form} and more")
        assert transcript.leaks(), form
    for before in ["", "a", "ab", "abc", "client:"]:
        transcript = Transcript()
        transcript.keep_secret(secret)
        transcript.add("here", base64.b64encode(f"{before}{secret}zz".encode()).decode())
        assert transcript.leaks(), before
        transcript.texts = [("here", "nothing of the kind")]
        assert not transcript.leaks()


def test_a_tls_authlib_can_be_verified_with_the_test_authority(transcript, tls_context, authority):
    server = AuthlibServer(transcript, tls_context)
    try:
        assert requests.get(server.token_endpoint, verify=str(authority.file)).status_code == 405
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.token_endpoint, verify=ssl.get_default_verify_paths().cafile)
    finally:
        server.stop()
