"""The real binary as a child process."""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from . import documented
from .client import RawClient
from .output import Output
from .transcript import Transcript
from .waiting import PATIENCE, poll

PR_SET_CHILD_SUBREAPER = 36


# Of OpenSSL, curl, git, Python, Node, Perl and Java.
_TRUST = {
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "PERL_LWP_SSL_CA_FILE", "HTTPS_CA_FILE", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS",
}


def clean_environment(**more: str) -> dict[str, str]:
    """The tests' own environment without settings of proxies and of trust: the test alone decides who talks to whom."""
    kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy") and key not in _TRUST}
    return kept | more


class Proxy:
    def __init__(self, binary: Path, directory: Path, transcript: Transcript):
        self.binary = binary
        self.directory = directory
        self.process: subprocess.Popen | None = None
        self._transcript = transcript
        self._clients: list[RawClient] = []
        self._stopped = False
        # The processes that have taken the place of the first one, one after the other.
        self.successors: list[int] = []

    def start(self, conf: str, environment: dict[str, str] = {}, launcher: list[str] = [],
              output: str = "two pipes") -> "Proxy":
        """Starts it with `conf`, by way of `launcher`, and returns when it says that it is ready. Its standard output and error are
        `two pipes`, `one pipe`, or `one socket` as systemd makes them for the journal."""
        (self.directory / "proxy.conf").write_text(conf)
        harness = {"PYTHONPATH": str(Path(__file__).parents[1])} if launcher else {}
        ours, theirs = socket.socketpair() if output == "one socket" else (None, None)
        self.process = subprocess.Popen(
            [*launcher, self.binary, "run", "--config", "proxy.conf"], cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=theirs or subprocess.PIPE, stderr=subprocess.PIPE if output == "two pipes" else subprocess.STDOUT,
            env=clean_environment(**harness, **environment))
        self.log = Output(ours.makefile("rb"), theirs) if ours else Output(self.process.stdout)
        self.messages = Output(self.process.stderr) if output == "two pipes" else self.log
        try:
            self.messages.wait_for("^ready in")
            self.address = self._address("listen")
            self.admin = self._address("admin")
            # All addresses are none by which a listener is called.
            if self.admin:
                self.admin = ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.admin[0], self.admin[0]), self.admin[1])
        except AssertionError:
            self.kill()
            raise
        return self

    def _address(self, name: str) -> tuple[str, int] | None:
        """The first one with that name that is no Unix socket."""
        for line in self.messages.lines:
            if match := re.match(rf"{name} +https?://([\d.]+|\[[\d:a-f.]+\]):(\d+)", line):
                return match[1].strip("[]"), int(match[2])
        return None

    @property
    def url(self) -> str:
        return "http://%s:%d" % self.address

    @property
    def pid(self) -> int:
        return self.successors[-1] if self.successors else self.process.pid

    def follow(self, successor: int) -> None:
        """Another process has taken the place of this one, and is looked after from now on."""
        # The children of a process that ends are this one's then, with their exit codes.
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        self.successors.append(successor)

    @property
    def output(self) -> str:
        return self.messages.text + self.log.text

    def connect(self, to: tuple[str, int] | Path | None = None, source: str | None = None) -> RawClient:
        """A connection, to a Unix socket if `to` is a path, and from the address `source`, that is closed, at the latest,
        when the proxy is stopped."""
        client = RawClient(to or self.address, source)
        self._clients.append(client)
        return client

    def requests_logged(self, count: int) -> list[dict[str, str]]:
        """The access log once it has `count` lines, each as a dictionary."""
        self.log.wait_for(r"event=request\b", count)
        requests = [logfmt(line) for line in self.log.lines if re.search(r"event=request\b", line)]
        for request in requests:
            assert "error" not in request or request.get("hint"), f"it says what failed, and not how to fix it: {request}"
        return requests

    def metrics(self) -> str:
        host, port = self.admin
        answer = requests.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics", timeout=PATIENCE,
                              proxies={"http": ""})
        answer.raise_for_status()
        return answer.text

    def samples(self) -> dict[tuple, float]:
        """All samples by name and labels; parsing is prometheus_client's."""
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in text_string_to_metric_families(self.metrics()) for sample in family.samples}

    def sample(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels."""
        return sum(value for (key, pairs), value in self.samples().items()
                   if key == name and labels.items() <= dict(pairs).items())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code, when it has ended by itself; the first that is not 0, of several processes."""
        code = self.process.wait(PATIENCE)
        for successor in self.successors:
            code = code or end_of(successor)
        self.successors = []
        self._record(code)
        return code

    def stop(self) -> None:
        """Ends it as a service manager does, and checks that it left in peace, and that the documents describe what it exposed
        and logged."""
        if self._stopped or self.process is None:
            return
        for client in self._clients:
            client.close()
        exposition = None
        try:
            if self.successors or self.process.poll() is None:
                if self.admin:
                    exposition = self.metrics()
                    self._transcript.add("metrics", exposition)
                self.signal(signal.SIGTERM)
            code = self.wait()
        except BaseException:
            self.kill()
            raise
        assert code == 0, f"exit code {code}:\n{self.output}"
        documented.check(exposition, self.log.text)

    def kill(self) -> None:
        self.process.kill()
        for successor in self.successors:
            with contextlib.suppress(ProcessLookupError):
                os.kill(successor, signal.SIGKILL)
        self._record(self.process.wait(PATIENCE))

    def _record(self, code: int) -> None:
        if self._stopped:
            return
        self._stopped = True
        for name, output in [("stderr", self.messages), ("stdout", self.log)]:
            text = output.wait_for_end()
            self._transcript.add(f"{name} of {self.directory.name}", text)
            print(f"--- the proxy's {name}, exit code {code}\n{text[-20_000:]}")


def end_of(pid: int) -> int:
    """The exit code of a process that is not a child of this one before its parent has ended."""
    def ended():
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            # Its parent may have seen its end, and with it the code.
            return None if os.path.exists(f"/proc/{pid}") else (0,)
        return (os.waitstatus_to_exitcode(status),) if found else None
    return poll(ended, f"the end of process {pid}")[0]


def logfmt(line: str) -> dict[str, str]:
    """One line of the log; values with spaces are in double quotes."""
    pairs = re.findall(r'([A-Za-z_]+)=("(?:[^"\\]|\\.)*"|[^ ]*)(?: |$)', line)
    assert " ".join(f"{key}={value}" for key, value in pairs) == line, f"not logfmt: {line!r}"
    return {key: value[1:-1].replace('\\"', '"') if value.startswith('"') else value for key, value in pairs}
