"""Fixtures: every process and server of a test is started for it and ended after it."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from harness.authlib_server import AuthlibServer
from harness import ports
from harness.certificates import CertificateAuthority
from harness.intercepting import InterceptionAuthority
from harness.names import Names, library
from harness.nginx import Nginx
from harness.origin import RawOrigin
from harness.output import run
from harness.proxy import Proxy, clean_environment
from harness.proxy_conf import proxy_conf
from harness.recipe import MadeAuthority, Recipe
from harness.sandbox import Sandbox
from harness.transcript import Transcript

ROOT = Path(__file__).resolve().parents[2]


def pytest_addoption(parser):
    parser.addoption("--large", action="store_true", help="also what takes long: 5 GB each way, 100,000 exchanges with faults, the soak")


def pytest_configure(config):
    # Being terminated ends the run like Ctrl-C: what was started is ended first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--large"):
        skip = pytest.mark.skip(reason="takes long; scripts/test --large runs it")
        for item in items:
            if item.get_closest_marker("large"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def binary() -> Path:
    path = Path(os.environ.get("M2M_PROXY", ROOT / ".build/debug/m2m-proxy")).absolute()
    if not path.is_file():
        pytest.exit(f"{path} does not exist: swift build makes it, M2M_PROXY names another", returncode=1)
    return path


@pytest.fixture(scope="session")
def transcript():
    """What all proxies of the session printed. At its end, in each worker, no secret may be in it."""
    transcript = Transcript()
    yield transcript
    assert transcript.leaks() == []


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def interception(tmp_path_factory) -> InterceptionAuthority:
    """The certificate authority of proxies that intercept."""
    return InterceptionAuthority(tmp_path_factory.mktemp("interception"))


@pytest.fixture(scope="session")
def made_authority(tmp_path_factory, binary) -> MadeAuthority:
    """The authority that `m2m-proxy ca init` makes."""
    return MadeAuthority(binary, tmp_path_factory.mktemp("made-authority"))


@pytest.fixture(scope="session")
def nginx(tmp_path_factory, authority):
    server = Nginx(tmp_path_factory.mktemp("nginx"), authority)
    yield server
    server.stop()


def server_context(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


@pytest.fixture(scope="session")
def tls_context(authority) -> ssl.SSLContext:
    return server_context(authority.issue("in-process", "127.0.0.1", "localhost"))


@pytest.fixture
def refusing_port():
    """A port that refuses connections during the test: it is bound, but has no listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    """A port to listen on. To be refused, use `refusing_port`: another program may take this one."""
    return ports.free_port()


@pytest.fixture
def authlib(transcript):
    server = AuthlibServer(transcript)
    yield server
    server.stop()


@pytest.fixture
def origin():
    server = RawOrigin()
    yield server
    server.stop()


@pytest.fixture
def held(origin):
    """An event: the first connection of the origin gets its answer when it is set."""
    event = threading.Event()

    def hold(connection):
        connection.request()
        connection.hold(event)
        connection.answer(b"finished")
        connection.expect_close()

    origin.script(hold)
    yield event
    event.set()


@pytest.fixture
def check(binary, tmp_path):
    """Runs m2m-proxy check on a configuration: `check({"routes": […]}, SECRET="…")`, or its text."""
    def check(conf: dict | str, **environment: str) -> subprocess.CompletedProcess:
        (tmp_path / "proxy.conf").write_text(conf if isinstance(conf, str) else proxy_conf(conf))
        return run([binary, "check"], cwd=tmp_path, stdin=subprocess.DEVNULL, env=clean_environment(**environment))
    return check


@pytest.fixture
def tls_origin(tls_context):
    server = RawOrigin(tls_context)
    yield server
    server.stop()


@pytest.fixture
def start_proxy(binary, transcript, tmp_path, authlib, origin, tls_origin):
    """Starts proxies: `start_proxy({"forward_to": …}, timeouts={…})`. A route has sensible defaults, a file too.

    The origins are named here so that they outlive every proxy that has connections to them.
    """
    proxies = []

    def start(*routes: dict, environment: dict = {}, launcher: list[str] = [], output: str = "two pipes",
              **settings) -> Proxy:
        directory = tmp_path / f"proxy-{len(proxies)}"
        directory.mkdir()
        proxy = Proxy(binary, directory, transcript)
        proxies.append(proxy)
        secret = {"CLIENT_SECRET": authlib.client.secret}
        return proxy.start(proxy_conf(complete(routes, settings, authlib)), secret | environment, launcher, output)

    yield start
    failures = []
    for proxy in proxies:
        try:
            proxy.stop()
        except BaseException as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture(scope="session")
def names_library(tmp_path_factory) -> Path:
    compiler = next(filter(None, map(shutil.which, ["cc", "clang", "gcc"])), None)
    assert compiler, "a C compiler is needed, as for building the proxy"
    return library(tmp_path_factory.mktemp("names"), compiler)


@pytest.fixture
def names(names_library, tmp_path) -> Names:
    return Names(names_library, tmp_path / "names")


@pytest.fixture
def start_with_names(start_proxy, names):
    """Starts proxies for which names lead where `lead` says, and addresses where `network` says."""
    def start(*routes, lead, network={}, **settings):
        names.lead(**lead)
        return start_proxy(*routes, environment=names.environment(network), **settings)
    return start


def complete(routes, settings: dict, authlib: AuthlibServer) -> dict:
    """What most tests do not care about."""
    defaults = {"listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "credentials": {"kinde": authlib.credential()}}
    named = [{"name": "api", "match": "api.internal", "mount": "/api", "audience": "https://api.example"} | route
             for route in routes]
    return defaults | settings | {"routes": named}


@pytest.fixture
def proxy(start_proxy, origin) -> Proxy:
    """api.internal and /api lead to the raw origin, with a token from Authlib."""
    return start_proxy({"forward_to": origin.url})


@pytest.fixture
def nginx_proxy(start_proxy, nginx) -> Proxy:
    """api.internal and /api lead to nginx, with a token from Authlib."""
    return start_proxy({"forward_to": nginx.url()})


@pytest.fixture
def run_directory(tmp_path):
    """What systemd would make for RuntimeDirectory=."""
    directory = tmp_path / "run"
    directory.mkdir(mode=0o755)
    return directory


@pytest.fixture
def filed(start_proxy, origin, run_directory):
    """A proxy with a control socket in a file."""
    return start_proxy({"forward_to": origin.url}, environment={"RUNTIME_DIRECTORY": str(run_directory)})


@pytest.fixture
def recipe(start_proxy, made_authority, origin, authlib) -> Recipe:
    """http://api.internal and https://api.internal lead to the raw origin, with a token from Authlib."""
    proxy = start_proxy({"forward_to": origin.url, "tunnel": "intercept"}, interception=made_authority.settings)
    return Recipe(proxy, origin, authlib, made_authority)


@pytest.fixture
def start_sandbox():
    sandboxes = []

    def start(*arguments: str) -> Sandbox:
        sandboxes.append(Sandbox(*arguments))
        return sandboxes[-1].wait_until_ready()

    yield start
    for sandbox in sandboxes:
        assert sandbox.end() == 0, sandbox.output.text


@pytest.fixture
def sandbox(start_sandbox):
    return start_sandbox()
