"""Sockets that systemd binds and passes on, and what it is told. harness/activation.py does what systemd does."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from harness.activation import Notices, activated
from harness.client import get
from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import poll

HERE = Path(__file__).parent


@pytest.fixture
def start_activated(start_proxy, origin):
    """Starts a proxy that is given sockets."""
    def start(*sockets: str, listen="systemd", **settings):
        return start_proxy({"forward_to": origin.url}, listen=listen, launcher=activated(*sockets), **settings)
    return start


def test_a_tcp_socket_is_served(start_activated, origin, free_port):
    proxy = start_activated(f"m2m-proxy.socket=stream=127.0.0.1:{free_port}")
    assert f"listen   http://127.0.0.1:{free_port}   from systemd m2m-proxy.socket\n" in proxy.messages.text
    assert proxy.connect().exchange(get("/api/x")).status == 200
    # It is as any other listener on loopback.
    assert proxy.connect().exchange(get("/api/x", "Origin: http://evil.example")).status == 403
    assert proxy.connect().exchange(get(f"http://127.0.0.1:{free_port}/api/y")).status == 200


@pytest.mark.parametrize("loops", [1, 2])
def test_a_unix_socket_is_served_and_its_file_left_to_systemd(start_activated, tmp_path, loops):
    path = tmp_path / "app.sock"
    proxy = start_activated(f"app=stream={path}", listen="systemd:app", loops=loops)
    assert f"listen   unix:{path}   from systemd app\n" in proxy.messages.text
    for _ in range(4):
        assert proxy.connect(path).exchange(get("/api/x")).status == 200
    assert proxy.requests_logged(1)[0]["client"] == f"unix:uid={os.getuid()}"
    proxy.stop()
    assert path.exists()


def test_several_sockets_have_the_rules_of_their_names(start_activated, tmp_path, free_port):
    path = tmp_path / "app.sock"
    listen = ["systemd", {"address": "systemd:web", "allow": "192.0.2.1"}, "127.0.0.1:0"]
    proxy = start_activated(f"web=stream=127.0.0.1:{free_port}", f"app=stream={path}", listen=listen)
    assert proxy.connect(("127.0.0.1", free_port)).exchange(get("/api/x")).status == 403
    assert proxy.connect(path).exchange(get("/api/x")).status == 200
    lines = [line for line in proxy.messages.lines if line.startswith("listen ")]
    assert len(lines) == 3


def test_two_loops_accept_from_one_socket(start_activated, free_port):
    proxy = start_activated(f"web=stream=127.0.0.1:{free_port}", loops=2, limits={"connections": 8, "client_share": "off"})
    clients = [proxy.connect() for _ in range(8)]
    for client in clients:
        assert client.exchange(get("/api/x")).status == 200
    assert proxy.sample("m2m_proxy_limit_reached_total", limit="connections") == 2


def test_passed_sockets_are_not_inherited_further(start_activated, free_port):
    """Descriptors are closed on exec, and the variables are gone from the environment that children would get."""
    proxy = start_activated(f"web=stream=127.0.0.1:{free_port}")
    flags = int(next(line.split()[1] for line in Path(f"/proc/{proxy.pid}/fdinfo/3").read_text().splitlines()
                     if line.startswith("flags:")), 8)
    assert flags & os.O_CLOEXEC and flags & os.O_NONBLOCK


def test_a_socket_for_all_users_without_a_rule_is_a_warning(start_activated, free_port):
    proxy = start_activated(f"web=stream=:::{free_port}", "safe=stream=127.0.0.1:0")
    assert proxy.messages.text.count("\nwarning ") == 1
    proxy.messages.wait_for(rf"^warning  the socket web of systemd is \[::\]:{free_port}: any client that reaches this")
    # It takes IPv4 connections too, and is known to be ours by those as well.
    assert proxy.connect(("127.0.0.1", free_port)).exchange(get("/api/x")).status == 200


def test_a_loop_through_a_socket_of_both_families_is_found(start_proxy, free_port):
    proxy = start_proxy(
        {"forward_to": f"http://127.0.0.1:{free_port}/api"}, listen={"address": "systemd", "allow": "127.0.0.1"},
        launcher=activated(f"web=stream=:::{free_port}"))
    assert proxy.connect(("127.0.0.1", free_port)).exchange(get("/api/x")).status == 508


def refusal(binary, directory, listen: str, *sockets: str, environment: dict = {}) -> str:
    conf = directory / "proxy.conf"
    conf.write_text(f"""
listen: {listen}
admin: off
routes: [{{ name: a, match: a.internal, credentials: none, forward_to: "http://127.0.0.1:9" }}]
""")
    command = [str(binary), "run", "--config", str(conf)]
    ended = run(
        [*activated(*sockets), *command] if sockets else command, cwd=HERE, env=clean_environment(**environment),
        stdin=subprocess.DEVNULL)
    assert ended.returncode == 71, ended
    return ended.stderr


@pytest.mark.parametrize("listen, sockets, environment, message", [
    ("systemd", [], {}, "systemd: no socket was passed: LISTEN_PID is not set; start the .socket unit"),
    ("systemd:web", [], {}, "systemd:web: there is no socket of that name; none was passed: LISTEN_PID is not set"),
    ("systemd", ["web=stream=127.0.0.1:0"], {"LISTEN_PID": "1"}, "they were passed to process 1, and this is "),
    ("systemd", ["web=stream=127.0.0.1:0"], {"LISTEN_FDS": "x"}, "LISTEN_FDS, which systemd sets, is not a number"),
    ("systemd", ["web=stream=127.0.0.1:0"], {"LISTEN_FDS": "2"}, "has 1 names for 2 sockets"),
    ("systemd", ["web=stream=127.0.0.1:0"], {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:other"},
     'announced a socket "other", but descriptor 4 is not one'),
    ("systemd:web", ["app=stream=127.0.0.1:0"], {}, "there is no socket of that name; those that were passed: app."),
    ("systemd:web", ["web=stream=127.0.0.1:0", "app=stream=127.0.0.1:0"], {},
     "systemd passed sockets that proxy.conf does not listen on: app;"),
    ("127.0.0.1:0", ["web=stream=127.0.0.1:0"], {}, "systemd passed sockets that proxy.conf does not listen on: web;"),
    ("systemd", ["web=datagram=127.0.0.1:0"], {}, "web, which systemd passed, is not for streams"),
    ("systemd", ["web=idle=127.0.0.1:0"], {}, "web, which systemd passed, does not listen; the .socket unit must say Accept=no"),
])
def test_problems_are_reported(binary, tmp_path, listen, sockets, environment, message):
    assert message in refusal(binary, tmp_path, listen, *sockets, environment=environment)


def test_allow_is_not_for_unix_sockets(binary, tmp_path):
    listen = '{ address: "systemd", allow: 127.0.0.1 }'
    assert "systemd: app, which systemd passed, is a Unix socket, where clients have no address" in refusal(
        binary, tmp_path, listen, f"app=stream={tmp_path}/app.sock")


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_when_the_proxy_serves_and_when_it_stops(start_proxy, origin, tmp_path, abstract):
    notices = Notices(f"@m2m-proxy-{os.getpid()}" if abstract else str(tmp_path / "notify"))
    try:
        proxy = start_proxy({"forward_to": origin.url}, environment={"NOTIFY_SOCKET": notices.name})
        assert notices.next() == "READY=1"
        client = proxy.connect().send(get("/api/x")[:-2])
        poll(lambda: proxy.sample("m2m_proxy_connections") == 1, "the connection")
        proxy.signal(signal.SIGTERM)
        assert notices.next() == "STOPPING=1"
        assert client.send(b"\r\n").answer().status == 200
        assert proxy.wait() == 0
    finally:
        notices.close()


def test_an_unreachable_manager_does_not_end_the_process(start_proxy, origin, tmp_path):
    proxy = start_proxy({"forward_to": origin.url}, environment={"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    assert proxy.connect().exchange(get("/api/x")).status == 200
