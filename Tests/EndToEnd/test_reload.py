"""Loading proxy.conf again: what changes, what stays, and that no request notices."""

import os
import random
import re
import signal
import socket
import subprocess
import threading
from base64 import b64encode

import pytest

from harness.client import get
from harness.proxy_conf import proxy_conf
from harness.waiting import PATIENCE, poll
from test_client_share import in_use, waiting


class Reloads:
    """A running proxy and the settings that it was started with, to be changed."""

    def __init__(self, start, authlib, *routes, **settings):
        self.routes = [{"name": "api", "match": "api.internal", "mount": "/api", "audience": "https://api.example"} | route
                       for route in routes]
        defaults = {"listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "credentials": {"kinde": authlib.credential()}}
        self.settings = defaults | settings
        self.proxy = start(*routes, **settings)
        self.done = 0

    def conf(self) -> str:
        return proxy_conf(self.settings | {"routes": self.routes})

    def write(self, text: str | None = None) -> None:
        """As editors do it: the file is there at any moment, the old one or the new one."""
        path = self.proxy.directory / "proxy.conf"
        new = path.with_name("proxy.conf.new")
        new.write_text(self.conf() if text is None else text)
        os.replace(new, path)

    def reload(self, text: str | None = None, result: str = "ok") -> list[str]:
        """Has it read the file, and returns the lines that it logged about that."""
        before = len(self.lines())
        self.write(text)
        self.proxy.signal(signal.SIGHUP)
        self.done += 1
        poll(lambda: any(f"result={result}" in line for line in self.lines()[before:]), "the end of the reload")
        return self.lines()[before:]

    def lines(self) -> list[str]:
        return [line for line in self.proxy.log.lines if "event=reload" in line]

    def changed(self, text: str | None = None) -> list[str]:
        lines = self.reload(text)
        return [match[1] for line in lines if (match := re.search(r'changed="?(.*?)"?(?: hint=.*)?$', line))]


@pytest.fixture
def reloads(start_proxy, authlib):
    return lambda *routes, **settings: Reloads(start_proxy, authlib, *routes, **settings)


class Load:
    """Clients that send requests one after the other and count whatever is no 200."""

    def __init__(self, proxy, clients: int = 4):
        self.requests = 0
        self.failures: list[object] = []
        self._proxy = proxy
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[number % 2 == 0]) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, stays: bool) -> None:
        client = self._proxy.connect()
        while not self._ended.is_set():
            try:
                status = client.exchange(get("http://api.internal/x")).status
                if status != 200:
                    self.failures.append(status)
                self.requests += 1
                if not stays:
                    client.close()
                    client = self._proxy.connect()
            except Exception as error:  # noqa: BLE001: whatever it is, it is a failure
                self.failures.append(error)
                return

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def test_a_new_route_serves_and_an_old_one_does_not(reloads, origin):
    case = reloads({"forward_to": origin.url})
    client = case.proxy.connect()
    assert client.exchange(get("http://api.internal/x")).status == 200
    assert client.exchange(get("http://other.internal/x")).status == 403
    case.routes = [{"name": "other", "match": "other.internal", "forward_to": origin.url, "credentials": "none"}]
    assert case.changed() == ["routes.api: removed", "routes.other: added"]
    # The same connection: its next request has the new routes.
    assert client.exchange(get("http://other.internal/x")).status == 200
    assert client.exchange(get("http://api.internal/x")).status == 403
    metrics = case.proxy.metrics()
    assert 'route="other"' in metrics and 'route="api"' not in metrics


def test_a_bad_file_changes_nothing_and_says_so(reloads, origin):
    case = reloads({"forward_to": origin.url})
    assert case.proxy.connect().exchange(get("http://api.internal/x")).status == 200
    for text, says in [("routes: [", "proxy.conf:"), (case.conf() + "bad: 1\n", 'unknown setting'), ("", "is empty"),
                       (case.conf().replace("127.0.0.1:0", "127.0.0.1:0x"), "listen")]:
        lines = case.reload(text, "failed")
        assert all("error=invalid" in line and "still in use" in line for line in lines), lines
        assert says in lines[0]
        assert case.proxy.sample("m2m_proxy_config_last_reload_successful") == 0
        assert case.proxy.connect().exchange(get("http://api.internal/x")).status == 200
    case.reload()
    assert case.proxy.sample("m2m_proxy_config_last_reload_successful") == 1
    assert case.proxy.sample("m2m_proxy_config_generation") == 2
    assert case.proxy.sample("m2m_proxy_config_reloads_total", result="invalid") == 4


def test_a_resource_that_cannot_be_obtained_changes_nothing(reloads, origin):
    """All problems are said at once, and not even the routes of that file are used."""
    case = reloads({"forward_to": origin.url})
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as also:
        listen, admin = (server.getsockname()[1] for server in (taken, also))
        case.settings |= {"listen": ["127.0.0.1:0", f"127.0.0.1:{listen}"], "admin": f"127.0.0.1:{admin}"}
        case.routes[0]["match"] = "changed.internal"
        case.reload(result="failed")
        case.proxy.log.wait_for("event=reload .*admin")
    lines = case.lines()
    assert len(lines) == 2 and all("error=unavailable" in line for line in lines)
    assert f"listen[1]: 127.0.0.1:{listen} is in use" in lines[0] and f"admin: 127.0.0.1:{admin} is in use" in lines[1]
    assert case.proxy.connect().exchange(get("http://api.internal/x")).status == 200
    assert case.proxy.sample("m2m_proxy_config_reloads_total", result="unavailable") == 1


@pytest.mark.parametrize("loops", [1, 3])
def test_listeners_come_go_and_change(reloads, origin, free_port, loops, tmp_path):
    case = reloads({"forward_to": origin.url}, loops=loops)
    path = tmp_path / "proxy.sock"
    kept = case.proxy.connect()
    assert kept.exchange(get("http://api.internal/x")).status == 200
    case.settings["listen"] = ["127.0.0.1:0", f"127.0.0.1:{free_port}", f"unix:{path}"]
    case.reload()
    on_port, on_path = case.proxy.connect(("127.0.0.1", free_port)), case.proxy.connect(path)
    for client in (kept, on_port, on_path):
        assert client.exchange(get("http://api.internal/x")).status == 200
    case.settings["listen"] = [{"address": "127.0.0.1:0", "allow": ["127.0.0.2"]}]
    case.reload()
    # Those of listeners that are gone end; the one that stays goes by the rules of now.
    on_port.expect_end()
    on_path.expect_end()
    assert not path.exists()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", free_port), PATIENCE)
    assert kept.exchange(get("http://api.internal/x")).status == 403
    assert case.proxy.connect(source="127.0.0.2").exchange(get("http://api.internal/x")).status == 200


def test_a_request_in_progress_keeps_the_configuration_that_it_began_with(reloads, origin, held):
    case = reloads({"forward_to": origin.url})
    client = case.proxy.connect().send(get("http://api.internal/long"))
    origin.wait_for_requests(1)
    case.settings["listen"] = ["127.0.0.2:0"]
    case.routes = [{"name": "other", "match": "other.internal", "forward_to": origin.url, "credentials": "none"}]
    case.settings["credentials"] = None
    case.reload()
    held.set()
    assert client.answer().body == b"finished"
    client.expect_end()


def test_tokens_connections_and_counters_stay(reloads, origin, authlib):
    case = reloads({"forward_to": origin.url})
    client = case.proxy.connect()
    assert client.exchange(get("http://api.internal/x")).status == 200
    for size in range(10, 20):
        case.settings["limits"] = {"head": f"{size}KB"}
        case.reload()
        assert client.exchange(get("http://api.internal/x")).status == 200
    assert len(authlib.tokens) == 1
    assert case.proxy.sample("m2m_proxy_upstream_connections_opened_total", route="api") == 1
    assert case.proxy.sample("m2m_proxy_requests_total", route="api", status="2xx") == 11


def test_callers_keep_their_names_when_their_numbers_change(reloads, origin, tmp_path):
    """Callers are numbers inside. A reload that puts another one in front must not make one of them the other."""
    path = tmp_path / "proxy.sock"
    own = {"me": {"uid": os.getuid()}}
    case = reloads(
        {"forward_to": origin.url, "callers": ["me"]}, listen=[f"unix:{path}", "127.0.0.1:0"], callers=own)
    client = case.proxy.connect(path)
    assert client.exchange(get("http://api.internal/x")).status == 200
    case.settings["callers"] = {"boss": {"uid": os.getuid() + 1}, **own}
    case.routes[0]["callers"] = ["boss"]
    case.reload()
    assert client.exchange(get("http://api.internal/x")).status == 403
    case.routes[0]["callers"] = ["me"]
    case.settings["listen"] = [{"address": f"unix:{path}", "callers": ["boss"]}, "127.0.0.1:0"]
    case.reload()
    assert client.exchange(get("http://api.internal/x")).status == 403
    case.settings["listen"] = [{"address": f"unix:{path}", "callers": ["me"]}, "127.0.0.1:0"]
    case.reload()
    assert client.exchange(get("http://api.internal/x")).status == 200


def test_a_password_that_changes_is_wrong_from_then_on(reloads, origin, binary):
    def hashed(password: str) -> str:
        return subprocess.run([binary, "hash-password"], input=password + "\n", text=True, capture_output=True,
                              check=True).stdout.strip()
    case = reloads({"forward_to": origin.url, "callers": ["shop"]}, callers={"shop": {"password": hashed("one-password")}})
    field = {password: "Proxy-Authorization: Basic " + b64encode(f"shop:{password}".encode()).decode()
             for password in ("one-password", "two-password")}
    client = case.proxy.connect()
    assert client.exchange(get("http://api.internal/x", field["one-password"])).status == 200
    assert client.exchange(get("http://api.internal/x", field["two-password"])).status == 407
    case.settings["limits"] = {"head": "20KB"}
    case.settings["callers"] = {"other": {"uid": 4242}, **case.settings["callers"]}
    case.reload()
    checks = case.proxy.sample("m2m_proxy_password_checks_total")
    # It was verified: the reload does not make that be done again.
    assert client.exchange(get("http://api.internal/x", field["one-password"])).status == 200
    assert case.proxy.sample("m2m_proxy_password_checks_total") == checks
    case.settings["callers"]["shop"] = {"password": hashed("two-password")}
    case.reload()
    assert client.exchange(get("http://api.internal/x", field["one-password"])).status == 407
    assert client.exchange(get("http://api.internal/x", field["two-password"])).status == 200


def test_what_needs_a_restart_is_named_and_the_rest_is_applied(reloads, origin, tmp_path):
    case = reloads({"forward_to": origin.url}, loops=1)
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    case.settings |= {"loops": 2, "token_store": {"directory": str(store)}}
    case.routes[0]["match"] = "new.internal"
    lines = case.reload()
    restart = [line for line in lines if "when the proxy is restarted" in line]
    assert [re.search(r"changed=(\S+)", line)[1] for line in restart] == ["loops", "token_store"]
    assert case.proxy.connect().exchange(get("http://new.internal/x")).status == 200


def test_the_log_shows_what_changed_but_no_secret(reloads, origin, authlib, transcript):
    case = reloads({"forward_to": origin.url}, limits={"head": "16KB"})
    new = transcript.keep_secret("a-secret-that-is-written-into-the-file")
    case.settings["limits"] = {"head": "32KB", "body": "1MB"}
    case.settings["timeouts"] = {"idle": "20s"}
    case.settings["credentials"]["kinde"]["client_secret"] = new
    case.routes.append({"name": "billing", "match": "billing.internal", "forward_to": origin.url, "credentials": "none"})
    *secret, body, head, billing, idle = case.changed()
    assert secret and all(line.startswith("credentials.kinde.client_secret") for line in secret)
    assert (body, head, billing, idle) == (
        "limits.body: default → 1MB", "limits.head: 16KB → 32KB", "routes.billing: added", "timeouts.idle: default → 20s")


def test_no_request_fails_while_it_is_loaded_again_and_again(reloads, origin, authlib):
    """Valid and invalid files in turn, while clients send what they can."""
    case = reloads({"forward_to": origin.url}, loops=2)
    random.seed(20)
    load = Load(case.proxy)
    for round in range(60):
        case.settings["limits"] = {"head": f"{random.randrange(8, 40)}KB", "queue": random.randrange(100, 2000)}
        case.settings["timeouts"] = {"idle": f"{random.randrange(30, 90)}s"}
        case.routes[1:] = [{"name": f"r{number}", "match": f"h{number}.internal", "forward_to": origin.url,
                            "credentials": "none"} for number in random.sample(range(100), random.randrange(20))]
        if round % 6 == 5:
            case.reload(case.conf() + "bad: 1\n", "failed")
        else:
            case.reload()
    load.end()
    assert load.failures == [] and load.requests > 100
    assert len(authlib.tokens) == 1


@pytest.mark.parametrize("change, values", [("client_share", ["50%", "off"]), ("upstream", [{"idle": "20s"}, {"idle": "30s"}])])
def test_reloads_give_back_all_places_that_loops_share(reloads, origin, change, values):
    """A pool that is replaced gives back its places: those of idle connections at once, the others after their requests."""
    case = reloads({"forward_to": origin.url, "credentials": "none", "audience": None}, loops=8,
                   limits={"upstream_connections": 8})
    gates: dict[str, threading.Event] = {}
    held = []

    def script(connection):
        while not connection.at_end():
            target = connection.head().target.decode()
            if target in gates:
                connection.hold(gates[target])
            connection.answer(b"")

    def hold() -> None:
        gates[f"/{len(held)}"] = threading.Event()
        # Of several clients: none has more than its share.
        client = case.proxy.connect(source=f"127.0.0.{2 + len(held) % 4}").send(get(f"http://api.internal/{len(held)}"))
        held.append(client)
        poll(lambda: any(request.target == b"/%d" % (len(held) - 1) for request in origin.requests), "the request")

    def end(number: int) -> None:
        gates[f"/{number}"].set()
        assert held[number].answer().status == 200

    origin.otherwise = script
    for number in range(20):
        hold()
        # These leave idle connections on several loops.
        for _ in range(3):
            assert case.proxy.connect().exchange(get("http://api.internal/")).status == 200
        case.routes[0][change] = values[number % 2]
        case.reload()
        if number >= 3:
            end(number - 3)
    for number in range(17, 20):
        end(number)
    for value in values:
        case.routes[0][change] = value
        case.reload()
        first = len(held)
        for _ in range(8):
            hold()
        assert (in_use(case.proxy), waiting(case.proxy)) == (8, 0)
        for number in range(first, first + 8):
            end(number)


def test_descriptors_and_memory_are_as_before_after_many_reloads(reloads, origin):
    case = reloads({"forward_to": origin.url})
    client = case.proxy.connect()

    def measured() -> tuple[int, int]:
        assert client.exchange(get("http://api.internal/x")).status == 200
        with open(f"/proc/{case.proxy.pid}/smaps_rollup") as lines:
            anonymous = next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))
        return len(os.listdir(f"/proc/{case.proxy.pid}/fd")), anonymous

    def some(count: int) -> None:
        for number in range(count):
            case.settings["limits"] = {"head": f"{10 + number % 7}KB", "buffer": f"{32 + number % 5}KB"}
            case.settings["callers"] = {f"caller-{number}": {"uid": number}}
            case.routes[1:] = [{"name": f"r{number}", "match": f"h{number}.internal", "forward_to": origin.url,
                                "callers": [f"caller-{number}"], "credentials": "none"}]
            case.reload()
            # The origin waits for the next request only so long.
            if number % 10 == 0:
                measured()

    some(50)
    descriptors, anonymous = measured()
    some(150)
    poll(lambda: measured()[0] <= descriptors, "the end of what was opened")
    assert measured()[1] < anonymous + 2048, (anonymous, measured()[1])
    assert 'route="r1"' not in case.proxy.metrics()


@pytest.mark.parametrize("way", ["written", "renamed", "Kubernetes"])
def test_a_change_of_the_file_is_enough_where_reload_says_so(reloads, origin, way):
    case = reloads({"forward_to": origin.url}, reload="on_change")
    directory = case.proxy.directory
    path = directory / "proxy.conf"
    if way == "Kubernetes":
        # The file is a link through ..data, which is a link to a directory that has a new name each time.
        (directory / "..2026_1").mkdir()
        (directory / "..2026_1" / "proxy.conf").write_text(case.conf())
        os.symlink("..2026_1", directory / "..data")
        os.symlink("..data/proxy.conf", directory / "link")
        os.replace(directory / "link", path)
        case.proxy.log.wait_for("reason=changed result=ok .*generation=2")
    for number in range(3, 6):
        case.routes[0]["match"] = f"host-{number}.internal"
        if way == "renamed":
            case.write()
        elif way == "written":
            with path.open("r+") as file:
                file.write(case.conf())
                file.truncate()
        else:
            (directory / f"..2026_{number}").mkdir()
            (directory / f"..2026_{number}" / "proxy.conf").write_text(case.conf())
            os.symlink(f"..2026_{number}", directory / "..new")
            os.replace(directory / "..new", directory / "..data")
        host = f"host-{number}.internal"
        case.proxy.log.wait_for(f"changed=.*{host}")
        poll(lambda: case.proxy.connect().exchange(get(f"http://{host}/x")).status == 200, "the new route")
    # What is not valid is said, and loaded when it is.
    case.write("bad: 1")
    case.proxy.log.wait_for("reason=changed result=failed")
    case.settings["reload"] = "on_request"
    case.write()
    case.proxy.log.wait_for("changed=.*on_request")
    poll(lambda: case.proxy.sample("m2m_proxy_config_last_reload_successful") == 1, "the last reload")
    generation = case.proxy.sample("m2m_proxy_config_generation")
    case.routes[0]["match"] = "last.internal"
    case.write()
    assert case.proxy.connect().exchange(get("http://last.internal/x")).status == 403
    case.reload()
    assert case.proxy.sample("m2m_proxy_config_generation") == generation + 1


def test_two_listeners_with_any_port_stay_two(reloads, origin):
    case = reloads({"forward_to": origin.url}, listen=["127.0.0.1:0", "127.0.0.1:0"])
    case.settings["limits"] = {"head": "20KB"}
    case.reload()
    assert case.proxy.connect().exchange(get("http://api.internal/x")).status == 200


def test_an_admin_listener_of_a_file_that_cannot_be_used_is_given_back(reloads, origin, free_port):
    case = reloads({"forward_to": origin.url})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        case.settings |= {"listen": ["127.0.0.1:0", "127.0.0.1:%d" % taken.getsockname()[1]],
                          "admin": f"127.0.0.1:{free_port}"}
        case.reload(result="failed")
    case.settings["listen"] = ["127.0.0.1:0"]
    case.reload()
    case.proxy.admin = ("127.0.0.1", free_port)
    assert case.proxy.sample("m2m_proxy_config_generation") == 2


def test_threads_of_earlier_callers_end_and_their_series_come_back(reloads, origin, binary):
    def hashed(password: str) -> str:
        return subprocess.run([binary, "hash-password"], input=password + "\n", text=True, capture_output=True,
                              check=True).stdout.strip()
    shop = {"shop": {"password": hashed("a-password-of-shop")}}
    case = reloads({"forward_to": origin.url, "callers": ["shop"]}, callers=shop, loops=1)
    field = "Proxy-Authorization: Basic " + b64encode(b"shop:a-password-of-shop").decode()
    client = case.proxy.connect()
    assert client.exchange(get("http://api.internal/x", field)).status == 200

    def threads() -> int:
        return len(os.listdir(f"/proc/{case.proxy.pid}/task"))

    before = threads()
    for number in range(10):
        case.settings["callers"] = {f"other-{number}": {"uid": 4000 + number}, **shop}
        case.reload()
        assert client.exchange(get("http://api.internal/x", field)).status == 200
    poll(lambda: threads() <= before, "the end of the threads")
    case.settings["callers"], case.routes[0]["callers"] = {"other": {"uid": 4000}}, ["other"]
    case.reload()
    case.settings["callers"], case.routes[0]["callers"] = shop, ["shop"]
    case.reload()
    assert client.exchange(get("http://api.internal/x", field)).status == 200
    assert case.proxy.sample("m2m_proxy_caller_requests_total", caller="shop") == 1


def test_a_fetch_that_outlives_its_configuration_ends_well(reloads, origin, tmp_path, authority):
    """Its second attempt connects by a trust that proxy.conf does not name any more."""
    files = [tmp_path / name for name in ("one.pem", "two.pem")]
    for file in files:
        file.write_bytes(authority.file.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as endpoint:
        case = reloads({"forward_to": origin.url})
        kinde = case.settings["credentials"]["kinde"]
        kinde["token_endpoint"] = "https://127.0.0.1:%d/token" % endpoint.getsockname()[1]
        kinde["tls"] = {"ca_file": str(files[0])}
        case.reload()
        client = case.proxy.connect().send(get("http://api.internal/x"))
        connection, _ = endpoint.accept()
        client.close()
        kinde["tls"] = {"ca_file": str(files[1])}
        case.reload()
        case.reload()
        connection.close()
        second, _ = endpoint.accept()
        second.close()
    assert case.proxy.process.poll() is None


def test_parameters_of_token_requests_are_not_shown(reloads, origin, transcript):
    case = reloads({"forward_to": origin.url})
    secret = transcript.keep_secret("an-api-password-in-a-parameter")
    case.settings["credentials"]["kinde"]["parameters"] = {"api_password": "before"}
    case.reload()
    case.settings["credentials"]["kinde"]["parameters"] = {"api_password": secret}
    assert any("parameters" in line for line in case.changed())


def test_connections_end_where_the_tls_of_their_listener_changes(reloads, origin, authority, tmp_path):
    certificate = authority.issue("reloaded", "localhost")
    files = {"certificate": tmp_path / "listener.pem", "key": tmp_path / "listener.key"}
    for name, path in files.items():
        path.touch(mode=0o600)
        path.write_bytes(getattr(certificate, name).read_bytes())
    case = reloads({"forward_to": origin.url})
    client = case.proxy.connect()
    assert client.exchange(get("http://api.internal/x")).status == 200
    case.settings["listen"] = [{"address": "127.0.0.1:0", "tls": {name: str(path) for name, path in files.items()}}]
    case.reload()
    client.expect_end()
    assert case.proxy.connect().exchange(get("/api/x")).status == 400
