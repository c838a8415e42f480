"""Which authorities are trusted for whom: at the top level, in credentials and in a route; and what one has verified."""

import contextlib
import ctypes
import json
import os
import re
import shutil

import pytest

from harness.authlib_server import AuthlibServer
from harness.certificates import CertificateAuthority
from harness.client import get
from harness.waiting import poll

# TLS 1.3 with tickets, TLS 1.2 with sessions that the server keeps, and TLS 1.2 with tickets.
SERVERS = ["tls", "tls12", "tls12_tickets"]


@pytest.fixture
def stranger(tmp_path) -> CertificateAuthority:
    """An authority that has issued no certificate of any server here."""
    directory = tmp_path / "stranger"
    directory.mkdir()
    return CertificateAuthority(directory, "stranger CA")


def trust(authority, **more) -> dict:
    return {"ca_file": str(authority.file), **more}


def route(name: str, url: str, **more) -> dict:
    return {"name": name, "match": f"{name}.internal", "mount": f"/{name}", "forward_to": url, **more}


def ask(proxy, name: str, target: str = "/small.txt"):
    """Status and content, over a client connection of its own."""
    answer = proxy.connect().exchange(get(f"http://{name}.internal{target}"))
    return answer.status, answer.body


def refused(proxy, name: str) -> dict:
    """The error document of a request whose upstream is not trusted."""
    answer = proxy.connect().exchange(get(f"http://{name}.internal/small.txt"))
    assert answer.status == 502 and b"error=tls_certificate_error" in answer.value("proxy-status"), answer
    return json.loads(answer.body)


@pytest.mark.parametrize("server", SERVERS)
def test_what_one_route_has_verified_is_not_used_by_another_that_trusts_others(start_proxy, nginx, authority, stranger, server):
    """Neither an idle connection, nor a session."""
    url = nginx.url(server)
    proxy = start_proxy(route("one", url, tls=trust(authority)), route("other", url, tls=trust(stranger)), loops=1)
    assert ask(proxy, "one")[0] == 200
    assert proxy.sample("m2m_proxy_upstream_connections") == 1
    for _ in range(2):
        assert "SSL certificate" in refused(proxy, "other")["detail"]
    assert ask(proxy, "one")[0] == 200


@pytest.mark.parametrize("server", SERVERS)
def test_a_session_of_one_route_is_resumed_by_itself_only(start_proxy, nginx, authority, stranger, server):
    url = nginx.url(server)
    proxy = start_proxy(route("one", url, tls=trust(authority)), route("other", url, tls=trust(stranger)), loops=1,
                        timeouts={"upstream_idle": "1ms"})

    def resumed() -> bool:
        poll(lambda: proxy.sample("m2m_proxy_upstream_connections") == 0, "the end of the idle connection")
        status, body = ask(proxy, "one", "/echo/resumed")
        assert status == 200
        return body.split()[1] == b"r"

    # The libcurl of Debian 12 takes no tickets in TLS 1.2; one that does may use them for this route alone.
    takes = [True] if server != "tls12_tickets" else [True, False]
    assert not resumed()
    assert resumed() in takes
    # There is a session for this very server, and it is not for this route.
    refused(proxy, "other")
    assert resumed() in takes
    refused(proxy, "other")


@pytest.mark.parametrize("server", SERVERS)
def test_once_the_file_is_replaced_neither_connections_nor_sessions_of_before_are_used(
        start_proxy, nginx, authority, stranger, tmp_path, server):
    file = tmp_path / "ca.pem"
    shutil.copy(authority.file, file)
    proxy = start_proxy(route("one", nginx.url(server)), loops=1, tls={"ca_file": str(file)})

    def replace(other) -> None:
        new = tmp_path / "new.pem"
        shutil.copy(other.file, new)
        os.replace(new, file)

    client = proxy.connect()
    for _ in range(3):
        assert client.exchange(get("http://one.internal/small.txt")).status == 200
    assert proxy.sample("m2m_proxy_upstream_connections") == 1
    replace(stranger)
    # No request has to come for that.
    line = proxy.log.wait_for(r"event=tls\b.*certificate=reloaded")
    assert f"ca_file={file}" in line
    assert proxy.sample("m2m_proxy_upstream_connections") == 0
    for _ in range(2):
        assert client.exchange(get("http://one.internal/small.txt")).status == 502
    replace(authority)
    poll(lambda: client.exchange(get("http://one.internal/small.txt")).status == 200, "trust in the old authority")
    proxy.log.wait_for(r"event=tls\b.*certificate=reloaded", 2)


def test_a_connection_in_use_while_the_file_changes_ends_with_its_request(start_proxy, tls_origin, authority, stranger, tmp_path):
    file = tmp_path / "ca.pem"
    shutil.copy(authority.file, file)
    proxy = start_proxy(route("one", tls_origin.url), loops=1, tls={"ca_file": str(file)})

    def change(connection):
        connection.request()
        file.write_bytes(stranger.file.read_bytes())
        proxy.log.wait_for(r"event=tls\b.*certificate=reloaded")
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    tls_origin.script(change)
    assert ask(proxy, "one") == (200, b"ok")
    poll(lambda: proxy.sample("m2m_proxy_upstream_connections") == 0, "the end of the connection")
    refused(proxy, "one")


def test_a_file_that_cannot_be_used_leaves_what_was_there(start_proxy, nginx, authority, tmp_path):
    file = tmp_path / "ca.pem"
    shutil.copy(authority.file, file)
    proxy = start_proxy(route("one", nginx.url("tls")), loops=1, tls={"ca_file": str(file)},
                        timeouts={"upstream_idle": "1ms"})
    assert ask(proxy, "one")[0] == 200
    whole = authority.file.read_bytes()
    for number, (broken, words) in enumerate([(whole + whole[:200], "bad|end|data|damaged|read"), (b"", "no certificate"),
                                              (None, "No such file")], 1):
        if broken is None:
            file.unlink()
        else:
            file.write_bytes(broken)
        poll(lambda: ask(proxy, "one")[0] == 200 and proxy.log.text.count("certificate=kept") == number, "the warning")
        line = [line for line in proxy.log.lines if "certificate=kept" in line][-1]
        assert "level=warning" in line and f"ca_file={file}" in line and re.search(words, line), line
    # A pipe would keep its reader waiting.
    os.mkfifo(file)
    poll(lambda: ask(proxy, "one")[0] == 200 and proxy.log.text.count("certificate=kept") == 4, "the warning")
    file.unlink()
    file.write_bytes(whole)
    os.chmod(file, 0o666)
    poll(lambda: ask(proxy, "one")[0] == 200 and proxy.log.text.count("certificate=kept") == 5, "the warning")
    assert "certificate=reloaded" not in proxy.log.text


def test_the_innermost_trust_counts_as_a_whole(start_proxy, nginx, authority, stranger):
    url = nginx.url("tls")
    proxy = start_proxy(
        route("top", url), route("own", url, tls=trust(authority)), route("system", url, tls={}),
        route("both", url, tls=trust(stranger, system_roots="true")), route("said", url, tls={"system_roots": "true"}),
        tls=trust(stranger), loops=1, environment={"SSL_CERT_FILE": str(authority.file)})
    assert [ask(proxy, name)[0] for name in ["own", "system", "both", "said"]] == [200] * 4
    # With a file of authorities, those of the system count only where that is written.
    refused(proxy, "top")
    assert f"trusts {stranger.file} and the system's authorities" in proxy.messages.text


def test_the_token_endpoint_has_a_trust_of_its_own(start_proxy, nginx, transcript, tls_context, authority, stranger):
    server = AuthlibServer(transcript, tls_context)
    try:
        def status(tls: dict, top: dict) -> int:
            proxy = start_proxy(
                route("one", nginx.url("tls"), tls=trust(authority)), tls=top, loops=1,
                credentials={"idp": server.credential() | {"tls": tls}},
                environment={"CLIENT_SECRET": server.client.secret})
            return ask(proxy, "one")[0]

        assert status(trust(authority), trust(stranger)) == 200
        assert status(trust(stranger), trust(authority)) == 503
        assert len(server.fetches) == 1
    finally:
        server.stop()


def test_credentials_differ_by_their_trust(start_proxy, nginx, transcript, tls_context, authority, stranger):
    """Two clients of one token endpoint: the session of the one that trusts it is none of the other's."""
    server = AuthlibServer(transcript, tls_context)
    try:
        proxy = start_proxy(
            route("one", nginx.url(), credentials="one"), route("other", nginx.url(), credentials="other"), loops=1,
            credentials={"one": server.credential() | {"tls": trust(authority)},
                         "other": server.credential() | {"tls": trust(stranger)}},
            environment={"CLIENT_SECRET": server.client.secret})
        assert ask(proxy, "one")[0] == 200
        status, body = ask(proxy, "other")
        assert status == 503 and json.loads(body)["hop"] == "token", body
        assert len(server.fetches) == 1
    finally:
        server.stop()


@contextlib.contextmanager
def hanging_file_system(directory):
    """Every look at a file in it waits until the end: a FUSE file system whose server never says a word."""
    libc = ctypes.CDLL(None, use_errno=True)
    server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"hang", os.fsencode(directory), b"fuse", 0, options) != 0:
            pytest.skip(f"no file system can be mounted here: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            # What waits gets an error, or the mount could not be removed.
            os.close(server)
            server = None
            assert libc.umount2(os.fsencode(directory), 2) == 0, os.strerror(ctypes.get_errno())
    finally:
        if server is not None:
            os.close(server)


def test_a_file_system_that_hangs_stops_no_loop_and_not_the_files_of_others(
        start_proxy, nginx, authority, stranger, tmp_path):
    """The file is a link, which leads to that file system from a moment on."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    hung = tmp_path / "hung"
    hung.mkdir()
    files = {name: tmp_path / f"{name}.pem" for name in ("one", "other")}
    for file in files.values():
        shutil.copy(authority.file, file)
    url = nginx.url("tls")
    proxy = start_proxy(
        *(route(name, url, tls={"ca_file": str(file)}) for name, file in files.items()), loops=1,
        timeouts={"upstream_idle": "1ms"})
    assert [ask(proxy, name)[0] for name in files] == [200, 200]
    with hanging_file_system(hung):
        link = tmp_path / "link"
        link.symlink_to(hung / "ca.pem")
        os.replace(link, files["one"])

        def told() -> bool:
            assert [ask(proxy, name)[0] for name in files] == [200, 200]
            return "the file system that it is on hangs" in proxy.log.text

        poll(told, "the warning that the file system hangs")
        line = proxy.log.wait_for(r"event=tls\b.*certificate=kept.*hangs")
        assert "level=warning" in line and f"ca_file={files['one']}" in line
        shutil.copy(stranger.file, tmp_path / "new.pem")
        os.replace(tmp_path / "new.pem", files["other"])
        proxy.log.wait_for(rf"event=tls\b.*certificate=reloaded ca_file={files['other']}")
        assert ask(proxy, "one")[0] == 200
        refused(proxy, "other")
    # The file system has gone, and so has the file; then there is one again.
    poll(lambda: re.search(rf"cannot be read: .*certificate=kept ca_file={files['one']}", proxy.log.text),
         "the warning that the file cannot be read")
    files["one"].unlink()
    shutil.copy(stranger.file, files["one"])
    poll(lambda: ask(proxy, "one")[0] == 502, "the file that was read again")
