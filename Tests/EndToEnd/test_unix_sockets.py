"""Listeners on Unix sockets: files with permissions, and clients that have a user in place of an address."""

import json
import os
import signal
import socket
import stat
import subprocess

import pytest

from harness.client import get
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import poll

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may act as another user")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m2m-proxy.sock"


def listening(path, **rules) -> list:
    return [{"address": f"unix:{path}", **rules}]


def curl(path, url: str, *more: str):
    return run(["curl", "-sS", "--unix-socket", str(path), *more, url], env=clean_environment())


def test_curl_gets_its_response(start_proxy, origin, authlib, path):
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path))
    answer = curl(path, "http://localhost/api/x?y", "-w", "%{http_code}")
    assert answer.returncode == 0 and answer.stdout.endswith("200"), answer
    assert origin.requests[0].target == b"/x?y"
    assert origin.requests[0].values("authorization") == [b"Bearer " + authlib.tokens[0].encode()]
    assert f"listen   unix:{path}\n" in proxy.messages.text
    assert proxy.requests_logged(1)[0]["client"] == f"unix:uid={os.getuid()}"


def test_requests_with_an_absolute_target_find_their_route(start_proxy, origin, path):
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path))
    client = proxy.connect(path)
    assert client.exchange(get("http://api.internal/x")).status == 200
    # What a client writes that knows no other name for a socket.
    assert client.exchange(get("http://localhost/api/y", host="localhost")).status == 200
    assert client.exchange(get("http://other.internal/x")).status == 403
    assert [request.target for request in origin.requests] == [b"/x", b"/y"]


@pytest.mark.parametrize("rules, mode", [({}, 0o600), ({"mode": "0660"}, 0o660), ({"mode": "666"}, 0o666)])
def test_the_file_has_its_permissions_whatever_the_umask(start_proxy, origin, path, rules, mode):
    before = os.umask(0o077)
    try:
        start_proxy({"forward_to": origin.url}, listen=listening(path, **rules))
    finally:
        os.umask(before)
    status = path.stat()
    assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == mode


@needs_root
def test_the_file_belongs_to_the_configured_owner_and_group(start_proxy, origin, path):
    start_proxy({"forward_to": origin.url}, listen=listening(path, owner="nobody", group="daemon", mode="0620"))
    status = path.stat()
    assert (status.st_uid, status.st_gid) == (65534, 1) and stat.S_IMODE(status.st_mode) == 0o620


@needs_root
def test_only_users_with_write_access_to_the_file_may_connect(start_proxy, origin, path):
    for directory in list(path.parents)[:-1]:
        directory.chmod(directory.stat().st_mode | 0o001)
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path, group="daemon", mode="0660"))
    command = ["curl", "-sS", "--unix-socket", str(path), "http://localhost/api/x", "-o", "/dev/null", "-w", "%{http_code}"]
    stranger = run(command, user=65534, group=65534, extra_groups=[], env=clean_environment())
    assert stranger.returncode == 7, stranger
    friend = run(command, user=65534, group=65534, extra_groups=[1], env=clean_environment())
    assert friend.stdout == "200", friend
    assert proxy.requests_logged(1)[0]["client"] == "unix:uid=65534"


def test_connections_are_counted_by_user(start_proxy, origin, path):
    proxy = start_proxy({"forward_to": origin.url}, listen=[*listening(path), "127.0.0.1:0"], limits={"connections_per_client": 1})
    first = proxy.connect(path)
    assert first.exchange(get("/api/x")).status == 200
    assert proxy.connect(path).answer().status == 503
    # Another user, as far as the proxy can tell.
    assert proxy.connect().exchange(get("/api/x")).status == 200
    assert first.exchange(get("/api/x")).status == 200


def test_a_route_for_addresses_serves_no_unix_socket(start_proxy, origin, path):
    proxy = start_proxy({"forward_to": origin.url, "allow": ["127.0.0.0/8"]}, listen=listening(path))
    answer = proxy.connect(path).exchange(get("/api/x"))
    assert answer.status == 403 and origin.requests == []
    assert f"unix:uid={os.getuid()}" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize("loops", [1, 2])
def test_the_file_goes_when_the_proxy_does(start_proxy, origin, path, loops):
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path), loops=loops)
    assert path.exists()
    proxy.stop()
    assert not path.exists()


def test_a_file_that_is_another_one_by_then_stays(start_proxy, origin, path):
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path))
    path.unlink()
    path.write_text("of another program")
    proxy.stop()
    assert path.read_text() == "of another program"


def test_what_a_killed_proxy_left_is_replaced(start_proxy, origin, path):
    start_proxy({"forward_to": origin.url}, listen=listening(path)).kill()
    assert path.exists()
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path))
    assert proxy.connect(path).exchange(get("/api/x")).status == 200


def fails_to_start(binary, directory, text: str) -> str:
    conf = directory / "proxy.conf"
    conf.write_text(text + """
admin: off
routes: [{ name: a, match: a.internal, credentials: none, forward_to: http://127.0.0.1:9 }]
""")
    ended = run([str(binary), "run", "--config", str(conf)], env=clean_environment(), stdin=subprocess.DEVNULL)
    assert ended.returncode == 71, ended
    return ended.stderr


def test_a_socket_in_use_stays_with_its_process(start_proxy, origin, path, binary, tmp_path):
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path))
    assert f"unix:{path} is in use" in fails_to_start(binary, tmp_path, f"listen: unix:{path}")
    assert proxy.connect(path).exchange(get("/api/x")).status == 200


def test_other_files_are_never_replaced(binary, path, tmp_path):
    path.write_text("precious")
    assert "exists and is not a socket" in fails_to_start(binary, tmp_path, f"listen: unix:{path}")
    assert path.read_text() == "precious"


def test_a_missing_directory_is_named(binary, tmp_path):
    message = fails_to_start(binary, tmp_path, f"listen: unix:{tmp_path}/missing/x.sock")
    assert f"there is no directory {tmp_path}/missing" in message


def test_what_was_bound_before_the_start_failed_is_removed(binary, path, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "is in use" in fails_to_start(binary, tmp_path, f"listen: ['unix:{path}', '127.0.0.1:{port}']")
    assert not path.exists()


def test_clients_are_spread_over_the_loops(start_proxy, origin, path):
    """They share one queue; each loop serves its part, however idle the others are."""
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path), loops=2, limits={"connections": 8, "client_share": "off"})
    clients = [proxy.connect(path) for _ in range(8)]
    for client in clients:
        assert client.exchange(get("/api/x")).status == 200
    # Four each: a loop that has its share accepts no more.
    assert proxy.sample("m2m_proxy_connections") == 8
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="connections") == 2


def test_a_request_that_runs_is_finished_when_the_proxy_stops(start_proxy, origin, path):
    proxy = start_proxy({"forward_to": origin.url}, listen=listening(path))
    client = proxy.connect(path).send(get("/api/x")[:-2])
    poll(lambda: proxy.sample("m2m_proxy_connections") == 1, "the connection")
    proxy.signal(signal.SIGTERM)
    proxy.messages.wait_for("^draining")
    poll(lambda: not path.exists(), "the end of the file of the socket")
    assert client.send(b"\r\n").answer().status == 200
    assert proxy.wait() == 0
