"""The process keeps its secrets to itself: what another process of the same user can read, what programs that it starts are given,
and what `hardening: off` changes."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from harness.client import get
from harness.control import command, status
from harness.output import run
from harness.proxy import Proxy, clean_environment
from harness.proxy_conf import proxy_conf
from harness.waiting import PATIENCE, poll

URL = "http://api.internal/"
# A user without a name. Root can read everything, so tests that run as root start the proxy as this one.
USER = 64001
AS_USER = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
BECOME = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--"] if os.geteuid() == 0 else []
INTRUDER = (Path(__file__).parent / "harness/intruder.py").read_text()
CLOSED = ["memory", "core_dumps", "privileges"]
IN_FORCE = "process  memory closed to other processes, no core dumps, no new privileges"


@cache
def python() -> str:
    """An interpreter that the user can run."""
    for path in ["/usr/bin/python3", sys.executable]:
        with contextlib.suppress(OSError):
            if subprocess.run([path, "-I", "-c", ""], cwd="/", **AS_USER).returncode == 0:
                return path
    pytest.skip("an ordinary user can run no Python here")


def intrude(pid: int, *needles: str) -> dict:
    """What another process of the user finds in `pid`: by way, the needles, or why that is refused."""
    result = subprocess.run([python(), "-I", "-c", INTRUDER, str(pid), *needles], capture_output=True, text=True,
                            cwd="/", timeout=PATIENCE, **AS_USER)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def possible() -> set[str]:
    """The ways that this machine leaves between ordinary processes of one user; Yama and sandboxes take some."""
    needle = "needle-in-an-ordinary-process"
    with subprocess.Popen([python(), "-I", "-c", "print(flush=True); input()"], env={"NEEDLE": needle},
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", **AS_USER) as process:
        process.stdout.readline()
        ways = {way for way, found in intrude(process.pid, needle).items() if isinstance(found, list)}
        process.stdin.write(b"\n")
        process.stdin.close()
    if "environ" not in ways:
        pytest.skip("processes of one user are kept apart here whatever they do")
    return ways


@pytest.fixture
def directory():
    """One that any user can enter."""
    path = Path(tempfile.mkdtemp(prefix="m2m-hardening-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def start(binary, transcript, directory, authlib, origin):
    """Starts a proxy as an ordinary user: `start(hardening="off")`."""
    proxies = []

    def conf(**settings) -> str:
        return proxy_conf({
            "listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "credentials": {"idp": authlib.credential()},
            "routes": [{"name": "api", "match": "api.internal", "forward_to": origin.url, "audience": "https://api.example"}],
        } | settings)

    def start(environment={}, **settings) -> Proxy:
        proxies.append(Proxy(binary, directory, transcript))
        return proxies[-1].start(conf(**settings), {"CLIENT_SECRET": authlib.client.secret, "PLAIN": "a-plain-value"} | environment,
                                 launcher=BECOME)

    def change(**settings) -> None:
        proxy = proxies[-1]
        (proxy.directory / "proxy.conf").write_text(conf(**settings))
        ended = proxy.log.text.count("result=")
        proxy.signal(signal.SIGHUP)
        poll(lambda: proxy.log.text.count("result=") > ended, "the end of the reload")
        assert "result=failed" not in proxy.log.text, proxy.log.text

    start.change = change
    yield start
    for proxy in proxies:
        proxy.stop()


def refused(found: dict) -> bool:
    return all(reason in ("Permission denied", "Operation not permitted") for reason in found.values())


def test_another_process_of_the_same_user_gets_neither_secret_nor_token(start, authlib, possible):
    proxy = start()
    assert IN_FORCE in proxy.messages.lines
    assert proxy.connect().exchange(get(URL)).status == 200
    found = intrude(proxy.pid, authlib.client.secret, authlib.tokens[-1])
    assert len(found) == 7 and refused(found), found
    # What the proxy reads of itself it still can, and so can who asks it.
    assert proxy.sample("process_open_fds") > 5
    shown = run([*BECOME, proxy.binary, "status", "--json", "--config", "proxy.conf"], cwd=proxy.directory, env=clean_environment())
    assert json.loads(shown.stdout)["hardening"] == CLOSED, shown


@pytest.mark.parametrize("command", ["run", "check"])
def test_the_process_is_closed_before_proxy_conf_is_read(binary, directory, possible, command):
    with subprocess.Popen([*BECOME, binary, command, "--config", "-"], cwd=directory, stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment(CLIENT_SECRET="x")) as process:
        # It waits for its configuration, which does not come.
        poll(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "m2m-proxy\n" and refused(intrude(process.pid)), "a closed process")
        process.stdin.close()
        assert process.wait(PATIENCE) == 64


def test_without_hardening_it_gets_them_but_no_secret_from_the_environment(start, authlib, possible):
    proxy = start(hardening="off")
    assert "proxy.conf:" in proxy.messages.text and "hardening is off: other processes of the same user can read" in proxy.messages.text
    assert proxy.connect().exchange(get(URL)).status == 200
    secret, token = authlib.client.secret, authlib.tokens[-1]
    found = intrude(proxy.pid, secret, token, "a-plain-value")
    assert {way for way, result in found.items() if isinstance(result, list)} == possible, found
    # What proxy.conf uses as a secret is overwritten where the kernel has put it.
    assert found["environ"] == ["a-plain-value"]
    for way in possible & {"mem", "process_vm_readv", "ptrace attach", "ptrace seize"}:
        assert {secret, token} <= set(found[way]), way


def test_a_reload_opens_and_closes_the_process(start, authlib, possible):
    proxy = start()
    start.change(hardening="off")
    assert isinstance(intrude(proxy.pid)["environ"], list)
    proxy.log.wait_for(r'event=reload hint="it takes effect when the proxy is restarted" changed="hardening \(no new privileges\)"')
    start.change()
    assert refused(intrude(proxy.pid))
    assert proxy.connect().exchange(get(URL)).status == 200


def ended_with_a_core_dump(process: subprocess.Popen) -> bool:
    end = poll(lambda: os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG), "the end of the process")
    return end.si_code == os.CLD_DUMPED


@pytest.fixture
def core_dumps(directory):
    """Core dumps are allowed as far as the proxy's parent can say, in a directory in which its user can write them."""
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    if limits[1] != resource.RLIM_INFINITY:
        pytest.skip("core dumps are limited here")
    if BECOME:
        os.chown(directory, USER, USER)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, limits)


@pytest.mark.parametrize("hardening", ["on", "off"])
def test_no_core_dump_is_written_unless_proxy_conf_allows_it(start, directory, core_dumps, hardening):
    with subprocess.Popen(["sleep", "1000"], cwd=directory, **AS_USER) as ordinary:
        ordinary.send_signal(signal.SIGABRT)
        if not ended_with_a_core_dump(ordinary):
            pytest.skip("no process leaves a core dump here")
    for file in directory.glob("core*"):
        file.unlink()
    # Swift's own handler of crashes would take the signal.
    proxy = start({"SWIFT_BACKTRACE": "enable=no"}, hardening=hardening)
    expected = "unlimited" if hardening == "off" else "0"
    limits = Path(f"/proc/{proxy.pid}/limits").read_text()
    assert next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()[4] == expected
    proxy.signal(signal.SIGABRT)
    assert ended_with_a_core_dump(proxy.process) == (hardening == "off")
    assert bool(list(directory.glob("core*"))) == (hardening == "off")
    proxy.kill()


def values(proxy) -> dict[str, str]:
    """What /proc shows of its environment."""
    block = Path(f"/proc/{proxy.pid}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in block if "=" in entry)


readable = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read the environment of a process that is hardened")


@readable
def test_secrets_are_wiped_from_the_environment_and_reloads_still_have_them(start_proxy, origin, authlib, transcript):
    key = transcript.keep_secret("a-key-that-no-name-gives-away")
    variables = {"CLIENT_SECRET": authlib.client.secret, "SPARE": key, "VAULT_TOKEN": transcript.keep_secret("vaults-own-token-0123"),
                 "PLAIN": "a-plain-value", "TZ": "UTC", "SSL_CERT_DIR": "/etc/ssl/certs"}
    proxy = start_proxy({"forward_to": origin.url}, environment=variables)
    found = values(proxy)
    # By what it is used for, or by its name; what libraries read stays.
    assert (found["CLIENT_SECRET"], found["VAULT_TOKEN"]) == ("", "")
    assert (found["PLAIN"], found["TZ"], found["SSL_CERT_DIR"]) == ("a-plain-value", "UTC", "/etc/ssl/certs")
    assert found["SPARE"] == key and found["PATH"] == os.environ["PATH"]
    # One that proxy.conf names for the first time.
    file = proxy.directory / "proxy.conf"
    file.write_text(file.read_text().replace("${CLIENT_SECRET}", "${SPARE}"))
    assert command(proxy, "reload").returncode == 0
    assert values(proxy) == found | {"SPARE": ""}
    authlib.client.secret = key
    assert proxy.connect().exchange(get(URL)).status == 200
    assert authlib.fetches[-1].authentication == "client_secret_post"
    # And one that is known for longer.
    for name in ["CLIENT_SECRET", "SPARE"]:
        file.write_text(file.read_text() + f"# {name}\n")
        assert command(proxy, "reload").returncode == 0


# Becomes the program that the rest of the command line names, with what the file says as an environment that is handed over.
HANDS_OVER = """
import fcntl, os, sys
descriptor = os.memfd_create("environment", os.MFD_ALLOW_SEALING)
os.write(descriptor, open(sys.argv[1], "rb").read())
fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, int(sys.argv[2]))
os.set_inheritable(descriptor, True)
os.environ["M2M_PROXY_ENVIRONMENT_FD"] = str(descriptor)
os.execvp(sys.argv[3], sys.argv[3:])
"""
ALL_SEALS = 0xF


def handing_over(file: Path, seals: int = ALL_SEALS) -> list[str]:
    return [sys.executable, "-c", HANDS_OVER, str(file), str(seals)]


def test_the_environment_can_come_by_a_descriptor_in_place_of_its_own(start_proxy, origin, authlib, tmp_path):
    file = tmp_path / "environment"
    file.write_bytes(f"CLIENT_SECRET={authlib.client.secret}\0".encode())
    proxy = start_proxy({"forward_to": origin.url}, environment={"CLIENT_SECRET": "another"}, launcher=handing_over(file))
    for _ in range(2):
        assert proxy.connect().exchange(get(URL)).status == 200
        assert command(proxy, "reload").returncode == 0
    # Nothing of it is left for others.
    assert not any("memfd" in os.readlink(link) for link in Path(f"/proc/{proxy.pid}/fd").iterdir())


@pytest.mark.parametrize("seals, content, words", [
    (0, b"CLIENT_SECRET=x\0", "is not a descriptor that m2m-proxy has passed"),
    (ALL_SEALS, b"CLIENT_SECRET=x", "leads to something else than an environment"),
], ids=["not sealed", "no environment"])
def test_another_descriptor_is_refused(binary, tmp_path, seals, content, words):
    (tmp_path / "environment").write_bytes(content)
    result = run([*handing_over(tmp_path / "environment", seals), str(binary), "run", "--config", "proxy.conf"], cwd=tmp_path,
                 env=clean_environment())
    assert result.returncode == 71 and result.stderr == f"m2m-proxy: M2M_PROXY_ENVIRONMENT_FD {words}\n", result


def test_a_reload_and_status_say_what_is_in_force(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url})
    assert status(proxy)["hardening"] == CLOSED
    file = proxy.directory / "proxy.conf"
    text = file.read_text()
    file.write_text(text + "hardening: off\n")
    result = command(proxy, "reload")
    assert result.returncode == 0 and "hardening: default → off" in result.stdout
    assert "hardening (no new privileges): takes effect when the proxy is restarted" in result.stdout
    assert status(proxy)["hardening"] == ["privileges"]
    assert "\nprocess        no new privileges\n" in command(proxy, "status").stdout
    file.write_text(text)
    assert "restarted" not in command(proxy, "reload").stdout
    assert status(proxy)["hardening"] == CLOSED


def own_status(name: str) -> str:
    return next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:")).split()[1]


@pytest.mark.parametrize("hardening", ["on", "off"])
def test_a_program_gains_no_privileges_and_gets_few_variables(start_proxy, origin, authlib, tmp_path, hardening):
    seen = tmp_path / "seen"
    program = tmp_path / "program"
    program.write_text(f"""#!/bin/sh
grep NoNewPrivs /proc/self/status > {seen}
env >> {seen}
printf %s "$VAULT_SECRET"
""")
    program.chmod(0o755)
    variables = {"VAULT_SECRET": authlib.client.secret, "PLAIN": "a-plain-value", "LC_CTYPE": "C.UTF-8", "NOTIFY_SOCKET": "/nowhere",
                 "WATCHDOG_USEC": "1000000", "https_proxy": "http://127.0.0.1:9"}
    secret = {"exec": [str(program)], "environment": ["VAULT_SECRET", "NOT_SET"]}
    proxy = start_proxy({"forward_to": origin.url}, environment=variables, hardening=hardening,
                        credentials={"idp": authlib.credential(client_secret=secret)})
    assert proxy.connect().exchange(get(URL)).status == 200
    privileges, *lines = seen.read_text().splitlines()
    assert privileges.split()[1] == ("1" if hardening == "on" else own_status("NoNewPrivs"))
    found = dict(line.split("=", 1) for line in lines)
    assert found["VAULT_SECRET"] == authlib.client.secret and found["PATH"] == os.environ["PATH"]
    assert (found["LC_CTYPE"], found["https_proxy"]) == ("C.UTF-8", "http://127.0.0.1:9")
    assert not found.keys() & {"CLIENT_SECRET", "PLAIN", "NOTIFY_SOCKET", "WATCHDOG_USEC", "NOT_SET"}


# Becomes the program that the rest of the command line names, in a sandbox that refuses PR_SET_DUMPABLE and PR_SET_NO_NEW_PRIVS.
REFUSES = """
import ctypes, os, platform, struct, sys
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
prctl = {"x86_64": 157, "aarch64": 167}[platform.machine()]
# Code, jump if true, jump if false, operand: the number of the call, and its first argument.
filters = [(LOAD, 0, 0, 0), (EQUAL, 0, 4, prctl), (LOAD, 0, 0, 16), (EQUAL, 1, 0, 4), (EQUAL, 0, 1, 38),
           (RETURN, 0, 0, 0x00050001), (RETURN, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *filter) for filter in filters))
program = struct.pack("HxxxxxxP", len(filters), ctypes.addressof(code))
if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a sandbox in which privileges can still be gained")
def test_what_a_sandbox_refuses_is_a_warning(start_proxy, origin):
    proxy = start_proxy({"forward_to": origin.url}, launcher=[sys.executable, "-c", REFUSES])
    for protection in ["memory closed to other processes", "no new privileges"]:
        line = f'warning  hardening: the kernel, or a sandbox, refuses "{protection}": Operation not permitted'
        assert line in proxy.messages.lines
    # A container may have seen to it already.
    others = own_status("NoNewPrivs") == "1"
    assert f"process  {'no new privileges' if others else 'open to other processes of this user'}" in proxy.messages.lines
    assert status(proxy)["hardening"] == (["privileges"] if others else [])
    assert proxy.connect().exchange(get(URL)).status == 200
