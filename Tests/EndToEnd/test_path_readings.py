"""Paths that servers read in different ways do not get past the rules of a route, and ordinary paths are served.

The servers themselves say how they read a path: nginx, Apache httpd, Node.js, WSGI and Tomcat are asked directly which
territory they serve for it. The same path then goes through the proxy, from a client that may use only the laxer of two
routes. What the proxy forwards must be served from the territory of that route.
"""

import itertools
import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest

from harness import wire
from harness.asking import ask
from harness.authlib_server import AuthlibServer
from harness.callers import basic, with_password
from harness.client import get
from harness.path_corpus import HARMLESS, ORDINARY, climbing, is_valid, reaching
from harness.path_origins import PathOrigin, PathOrigins, readings
from harness.peak import Peak
from harness.proxy import Proxy
from harness.proxy_conf import proxy_conf
from harness.waiting import poll

PASSWORD = "a long enough password"
MIXTURES = 400
REACHING = reaching("admin", MIXTURES, random.Random(1))
LEAVING_PUBLIC = climbing("/public", "admin", MIXTURES, random.Random(2))
LEAVING_THE_ROOT = climbing("", "admin", MIXTURES, random.Random(3))


@dataclass
class Arrangement:
    """Routes to one server, and how a client sends a path that may use only the laxer of them."""

    routes: Callable[[str, str], list[dict]]
    "The routes by the server's name and URL."
    target: str
    "What comes before the path in the request's target; {} is the server's name."
    upstream: str
    "What comes before the path in the target that the server gets."
    served: set[str]
    "The territories to which the laxer route leads."
    attacks: list[str]
    ordinary: str = "/"
    "What comes before an ordinary path."


STRICT = {"allow": ["127.0.0.2"]}
NOT_ADMIN = {"public", "base", "base-admin", "base-public", "none"}

ARRANGEMENTS = {
    "stricter route": Arrangement(
        lambda name, url: [
            {"match": f"{name}.split.test", "forward_to": url},
            {"match": f"{name}.split.test/admin", "forward_to": url, "callers": ["boss"]}],
        "http://{}.split.test", "", NOT_ADMIN, REACHING),
    "stricter route below a wildcard": Arrangement(
        lambda name, url: [
            {"match": f"*.{name}.wild.test", "forward_to": url},
            {"match": f"*.{name}.wild.test/admin", "forward_to": url, **STRICT}],
        "http://api.{}.wild.test", "", NOT_ADMIN, REACHING),
    "stricter mount": Arrangement(
        lambda name, url: [
            {"mount": f"/{name}", "forward_to": url},
            {"mount": f"/{name}/admin", "forward_to": url + "/admin", **STRICT}],
        "/{}", "", NOT_ADMIN, REACHING),
    "paths": Arrangement(
        lambda name, url: [{"match": f"{name}.paths.test", "forward_to": url, "paths": ["/public/"]}],
        "http://{}.paths.test", "", {"public"}, LEAVING_PUBLIC, "/public/"),
    "paths of a mount": Arrangement(
        lambda name, url: [{"mount": f"/{name}-paths", "forward_to": url, "paths": ["/public/"]}],
        "/{}-paths", "", {"public"}, LEAVING_PUBLIC, "/public/"),
    "path in match": Arrangement(
        lambda name, url: [{"match": f"{name}.match.test/public", "forward_to": url}],
        "http://{}.match.test", "", {"public"}, LEAVING_PUBLIC, "/public/"),
    "path in match and a base path": Arrangement(
        lambda name, url: [{"match": f"{name}.match-base.test/public", "forward_to": url + "/base"}],
        "http://{}.match-base.test", "/base", {"base-public"}, LEAVING_PUBLIC, "/public/"),
    "base path": Arrangement(
        lambda name, url: [{"match": f"{name}.base.test", "forward_to": url + "/base"}],
        "http://{}.base.test", "/base", {"base", "base-admin", "base-public"}, LEAVING_THE_ROOT),
    "base path of a mount": Arrangement(
        lambda name, url: [{"mount": f"/{name}-base", "forward_to": url + "/base"}],
        "/{}-base", "/base", {"base", "base-admin", "base-public"}, LEAVING_THE_ROOT),
    "stricter route and a base path": Arrangement(
        lambda name, url: [
            {"match": f"{name}.split-base.test", "forward_to": url + "/base"},
            {"match": f"{name}.split-base.test/admin", "forward_to": url + "/base", **STRICT}],
        "http://{}.split-base.test", "/base", {"base", "base-public"}, REACHING + LEAVING_THE_ROOT),
}


class Stage:
    """One proxy in front of all servers, in all arrangements."""

    def __init__(self, origins: PathOrigins, binary: Path, directory: Path, transcript):
        self.origins = origins
        self._authlib = AuthlibServer(transcript)
        routes = [{"paths_ignore_case": "true" if origin.ignores_case else None, **route} for origin in origins.origins
                  for arrangement in ARRANGEMENTS.values() for route in arrangement.routes(origin.name, origin.url)]
        routes.append({"match": "single.test", "forward_to": origins.named("node").url})
        self.proxy = Proxy(binary, directory, transcript)
        self._numbers = itertools.count(1)
        settings = {
            "listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "log": {"access": False},
            "callers": {"boss": with_password(PASSWORD)},
            "credentials": {"kinde": self._authlib.credential()},
            "routes": [{"name": f"r{number}", "audience": "https://api.example", **route}
                       for number, route in enumerate(routes)],
        }
        self.proxy.start(proxy_conf(settings), {"CLIENT_SECRET": self._authlib.client.secret})

    def stop(self) -> None:
        try:
            self.proxy.stop()
        finally:
            self._authlib.stop()

    def ask(self, targets: list[str], source: str | None = None) -> list[wire.Answer]:
        return ask(self.proxy.address, [get(target, host=self.proxy.url[7:]) for target in targets], source=source)

    def ask_origin(self, origin: PathOrigin, targets: list[str]) -> list[wire.Answer]:
        """The responses. Checks that the server got exactly those requests that the proxy did not refuse."""
        numbers = [next(self._numbers) for _ in targets]
        offset = origin.log.stat().st_size
        answers = self.ask([f"{target}{'&' if '?' in target else '?'}n={number}"
                            for target, number in zip(targets, numbers)])
        forwarded = {number for number, answer in zip(numbers, answers) if refusal(answer) is None}
        poll(lambda: forwarded <= set(origin.numbers_logged(offset)), "all forwarded requests are in the server's log")
        assert set(origin.numbers_logged(offset)) == forwarded
        return answers


def refusal(answer: wire.Answer) -> str | None:
    """Why the proxy refused the request; None for a response of the upstream."""
    if not (status := answer.proxy_status):
        return None
    match = re.fullmatch(rb'm2m-proxy; error=([a-z_]+)(?:; details="(.*)")?', status)
    assert match, status
    return (match[2] or match[1]).decode()


@pytest.fixture(scope="module")
def origins(tmp_path_factory):
    origins = PathOrigins(tmp_path_factory.mktemp("origins"))
    yield origins
    origins.stop()


@pytest.fixture(scope="module")
def stage(origins, binary, transcript, tmp_path_factory):
    stage = Stage(origins, binary, tmp_path_factory.mktemp("paths"), transcript)
    yield stage
    stage.stop()


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_no_path_is_served_from_where_the_route_does_not_lead(stage, name):
    arrangement, wrong, known = ARRANGEMENTS[name], [], set()
    for origin in stage.origins.origins:
        origin.learn(arrangement.upstream + path for path in arrangement.attacks)
        dangerous = {path: None for path in arrangement.attacks
                     if origin.territories(arrangement.upstream + path) - arrangement.served}
        # Otherwise nothing is tested.
        assert len(dangerous) > 50, origin.name
        # What the proxy does with a path does not depend on the server. So each server gets the paths that no other
        # before it reads like that, and some of all.
        sent = [path for path in dangerous if path not in known or origin.ignores_case]
        known |= dangerous.keys()
        sent += random.Random(4).sample(arrangement.attacks, 60)
        answers = stage.ask_origin(origin, [arrangement.target.format(origin.name) + path for path in sent])
        refusals = Counter()
        for path, answer in zip(sent, answers):
            refusals[why := refusal(answer)] += 1
            if why is not None:
                assert answer.status in ([403, 407] if is_valid(path) else [400]), (path, answer)
            elif readings(answer) != origin.known[arrangement.upstream + path][1]:
                wrong.append((origin.name, path, "is not served as without the proxy", readings(answer)))
            elif path in dangerous:
                wrong.append((origin.name, path, readings(answer)))
        print(f"{origin.name}: {len(dangerous)} of {len(arrangement.attacks)} paths are dangerous, {len(sent)} sent:",
              dict(refusals))
    assert not wrong, "\n".join([f"{len(wrong)} paths, among them", *map(str, wrong[:50])])


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_ordinary_paths_are_served_unchanged(stage, name):
    arrangement = ARRANGEMENTS[name]
    paths = [arrangement.ordinary + path for path in ORDINARY + HARMLESS]
    answers = stage.ask([arrangement.target.format("node") + path for path in paths])
    unserved = [(path, answer.status, answer.body) for path, answer in zip(paths, answers)
                if (answer.status, answer.body) != (200, f"{arrangement.upstream}{path}".encode())]
    assert not unserved, "\n".join(map(str, unserved))


@pytest.mark.parametrize("name", ["stricter route", "stricter mount", "path in match and a base path"])
def test_servers_serve_ordinary_paths_as_without_the_proxy(stage, name):
    arrangement = ARRANGEMENTS[name]
    paths = [arrangement.ordinary + path for path in ORDINARY + HARMLESS]
    for origin in stage.origins.origins:
        origin.learn(arrangement.upstream + path for path in paths)
        answers = stage.ask_origin(origin, [arrangement.target.format(origin.name) + path for path in paths])
        for path, answer in zip(paths, answers):
            assert (answer.status, readings(answer)) == origin.known[arrangement.upstream + path], (origin.name, path)


@pytest.mark.parametrize("name", ["stricter mount", "stricter route and a base path"])
def test_ordinary_paths_of_the_stricter_route_are_served_to_its_clients(stage, name):
    arrangement = ARRANGEMENTS[name]
    paths = ["/admin/" + path for path in ORDINARY + HARMLESS]
    answers = stage.ask([arrangement.target.format("node") + path for path in paths], source="127.0.0.2")
    unserved = [(path, answer.status, answer.body) for path, answer in zip(paths, answers)
                if (answer.status, answer.body) != (200, f"{arrangement.upstream}{path}".encode())]
    assert not unserved, "\n".join(map(str, unserved))


def test_a_host_with_one_route_gets_every_path_as_it_was_sent(stage):
    paths = [*("/" + path for path in ORDINARY + HARMLESS), *REACHING, *LEAVING_PUBLIC, *LEAVING_THE_ROOT]
    paths = [path for path in paths if is_valid(path)]
    answers = stage.ask(["http://single.test" + path for path in paths])
    changed = [(path, answer.status, answer.body) for path, answer in zip(paths, answers)
               if (answer.status, answer.body) != (200, path.encode())]
    assert not changed, "\n".join(map(str, changed[:50]))


# Of the first report.
REPORTED = ["/%61dmin", "//admin", "/./admin", "/x/../admin", "/%2e/admin", "/%2fadmin"]


def test_the_reported_paths_are_refused(stage):
    nginx = stage.origins.named("nginx")
    nginx.learn(REPORTED)
    assert {path: nginx.territories(path) for path in REPORTED} == {path: {"admin"} for path in REPORTED}
    for name in ["stricter route", "stricter mount"]:
        target = ARRANGEMENTS[name].target.format("nginx")
        for path, answer in zip(REPORTED, stage.ask_origin(nginx, [target + path for path in REPORTED])):
            assert (answer.status, refusal(answer)) == (403, "ambiguous path"), path
            # It names two readings.
            prefix = target.removeprefix("http://nginx.split.test")
            detail = json.loads(answer.body)["detail"]
            assert f"{prefix}{path} " in detail and f" {prefix}/admin," in detail, detail
    answer = stage.proxy.connect().exchange(get("http://nginx.split.test/admin/secret", basic("boss", PASSWORD)))
    assert (answer.status, readings(answer)) == (200, {"location": "admin"})


@pytest.mark.parametrize("path", [f"/public/{added}/../../admin" for added in ["a%252fb", "a%5cb", "a%2fb"]])
@pytest.mark.parametrize("name", ["paths", "path in match", "path in match and a base path"])
def test_only_a_literal_slash_adds_depth(stage, name, path):
    [answer] = stage.ask_origin(stage.origins.named("nginx"), [ARRANGEMENTS[name].target.format("nginx") + path])
    assert (answer.status, answer.value("proxy-status") is not None) == (403, True)


def test_the_log_names_the_kind_and_two_readings(start_proxy, origin):
    proxy = start_proxy({"match": "api.test", "mount": None, "forward_to": origin.url + "/base"},
                        {"name": "admin", "match": "api.test/admin", "mount": None, "forward_to": origin.url})
    expected = {
        "/%61dmin": "ambiguous_path", "/x%2f../admin": "ambiguous_path", "/a%2f..%2f..%2fx": "ambiguous_path",
        "/..;/x": "ambiguous_path", "/../x": "leaves_route", "/a/../../x": "leaves_route", "/%2e%2e/x": "leaves_route",
        "/a;/b": None, "/admin": None}
    client = proxy.connect()
    for path in expected:
        client.exchange(get("http://api.test" + path))
    assert {line["path"]: line.get("error") for line in proxy.requests_logged(len(expected))} == expected
    [line] = [line for line in proxy.requests_logged(len(expected)) if line["path"] == "/%61dmin"]
    assert "/%61dmin is for the route api" in line["detail"]
    assert "/admin, which is for the route admin" in line["detail"]
    assert len(origin.requests) == 2


def test_a_prefix_with_encodings_is_guarded_however_it_is_written(start_proxy, origin):
    strict = {"mount": None, "forward_to": origin.url, **STRICT}
    proxy = start_proxy(
        {"match": "api.test", "mount": None, "forward_to": origin.url, "paths_ignore_case": "true"},
        {"name": "user", "match": "api.test/u%40x", **strict}, {"name": "slash", "match": "api.test/a%2Fb", **strict},
        {"name": "admin", "match": "api.test/admin", **strict},
        {"name": "paths", "match": "paths.test", "mount": None, "forward_to": origin.url, "paths": ["/projects/g%2Fa"]})
    client = proxy.connect()
    refused = ["api.test/u@x", "api.test/a/b/x", "api.test/adm%c4%b1n", "api.test/x/.%25%0a2e/admin", "api.test/admin+",
               "paths.test/projects/g%2Fa/../a/x", "paths.test/projects/a/x"]
    for path in refused:
        assert client.exchange(get("http://" + path)).status == 403, path
    for path in ["api.test/u@y", "api.test/a/c", "api.test/c++", "paths.test/projects/g%2Fa/x"]:
        assert client.exchange(get("http://" + path)).status == 200, path
    assert len(origin.requests) == 4


def test_a_long_path_that_is_refused_takes_no_memory(start_proxy, origin):
    proxy = start_proxy({"match": "api.test", "mount": None, "forward_to": origin.url},
                        {"name": "admin", "match": "api.test/admin", "mount": None, "forward_to": origin.url},
                        {"name": "m", "match": None, "mount": "/m/", "forward_to": origin.url})
    client = proxy.connect()
    client.exchange(get("http://api.test/%61dmin"))
    peak = Peak(proxy.process.pid)
    for path in ["http://api.test/" + "x%2f" * 3900 + "../" * 9 + "admin", "/m/" + "x%2f" * 3900 + "../" * 15 + ".."]:
        assert client.exchange(get(path)).status == 403, path[:40]
    # Each of them took 370 MB.
    assert peak.growth < 20_000_000
    assert not origin.requests


@pytest.mark.parametrize("server", ["nginx", "node", "tomcat-decoding-slashes"])
def test_a_mount_of_everything_beside_a_stricter_one(start_proxy, origins, server):
    upstream = origins.named(server)
    upstream.learn(REACHING)
    proxy = start_proxy(
        {"name": "all", "match": None, "mount": "/", "forward_to": upstream.url},
        {"name": "admin", "match": None, "mount": "/admin", "forward_to": upstream.url + "/admin", **STRICT})
    paths = [path for path in REACHING if "admin" in upstream.territories(path)]
    paths += ["/" + path for path in ORDINARY + HARMLESS]
    host = "127.0.0.1:%d" % proxy.address[1]
    answers = dict(zip(paths, ask(proxy.address, [get(path, host=host) for path in paths])))
    wrong = [path for path, answer in answers.items() if "admin" in readings(answer).values()]
    assert not wrong, "\n".join(wrong)
    assert not [path for path in ORDINARY + HARMLESS if refusal(answers["/" + path])]


# The servers do read paths in different ways: what each serves its /admin for.
SERVED_AS_ADMIN = {
    "nginx": [*REPORTED, "/x%2f..%2fadmin", "/x/%2e%2e/admin", "/admin%2fsecret"],
    "nginx-files": REPORTED,
    "nginx-keeping-slashes": ["/%61dmin", "/./admin", "/x%2f..%2fadmin"],
    "nginx-ignoring-case": ["/ADMIN", "/%41dmin", "/admin%0a"],
    "apache": ["/%61dmin", "//admin", "/x/%2e%2e/admin"],
    "apache-decoding-slashes": ["/%2fadmin", "/x%2f..%2fadmin"],
    "apache-keeping-encoded-slashes": ["/%61dmin", "//admin"],
    "apache-keeping-slashes": ["/%61dmin", "/x/../admin"],
    "node": ["//host/admin", "///host/admin", "/%2fhost/admin", "/x/..//host/admin", "/x/%2e%2e/admin",
             "/x%5c..%5cadmin", "/x/..%5cadmin", "/%2561dmin", "/%25u0061dmin", "/ad%0amin", "/admin%3fx", "/admin%23x"],
    "wsgi": ["//admin", "/x%2f..%2fadmin", "/x%252f..%252fadmin", "/ad%ffmin", "/%ef%bd%81dmin", "/admin%2500x",
             "/admin%3fx"],
    "tomcat-rejecting-slashes": ["/admin;x", "/x/..;/admin", "/;x/admin", "/%61dmin", "//admin"],
    "tomcat-decoding-slashes": ["/x%2f..%2fadmin", "/x%5c..%5cadmin", "/admin%5c"],
    "tomcat-passing-slashes": ["/x/%2e%2e;x=1/admin"],
}


def test_the_servers_read_paths_as_this_file_supposes(stage):
    assert SERVED_AS_ADMIN.keys() == {origin.name for origin in stage.origins.origins}
    for origin in stage.origins.origins:
        origin.learn(SERVED_AS_ADMIN[origin.name])
        unread = [path for path in SERVED_AS_ADMIN[origin.name] if "admin" not in origin.territories(path)]
        assert not unread, origin.name
