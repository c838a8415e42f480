"""Real servers that read paths in their own ways. Every response says which territory the server took the path for.

A territory is what is at and below a path: `TERRITORIES`, and `none` for the rest. A server can have several readers,
such as the file that it looks for and the section of its configuration that it applies.
"""

import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable

from . import wire
from .asking import ask
from .client import get
from .nginx import program
from .output import Output
from .proxy import clean_environment
from .waiting import PATIENCE, poll

PROGRAMS = Path(__file__).parents[1] / "programs"

# The longer ones last.
TERRITORIES = {
    "admin": "/admin", "public": "/public", "base": "/base", "base-admin": "/base/admin", "base-public": "/base/public"}

# What each server has in its configuration beside its territories.

NGINXES = {
    "nginx": "",
    "nginx-keeping-slashes": "merge_slashes off;",
    # Its locations are directories with files.
    "nginx-files": "log_not_found off;",
    # Its locations are regular expressions.
    "nginx-ignoring-case": "",
}

APACHES = {
    "apache": "",
    "apache-decoding-slashes": "AllowEncodedSlashes On",
    "apache-keeping-encoded-slashes": "AllowEncodedSlashes NoDecode",
    "apache-keeping-slashes": "MergeSlashes Off",
}

# encodedSolidusHandling, and whether a backslash is allowed.
TOMCATS = {"rejecting-slashes": "reject", "decoding-slashes": "decode+backslash", "passing-slashes": "passthrough"}

Readings = dict[str, str]
"""The territory by reader."""


def readings(answer: wire.Answer) -> Readings:
    """What a response says; empty where the server rejected the path."""
    found = {name.decode().lower().removeprefix("x-territory-"): value.decode() for name, value in answer.fields
             if name.lower().startswith(b"x-territory-") and value != b"error"}
    if answer.status == 200 and answer.body.startswith(b"territory="):
        found["content"] = answer.body.decode().removeprefix("territory=").strip()
    return found


@dataclass
class PathOrigin:
    """A server, and the file to which it writes the line of each request."""

    name: str
    address: tuple[str, int]
    log: Path
    pipelines: bool = True
    ignores_case: bool = False
    known: dict[str, tuple[int, Readings]] = field(default_factory=dict)
    """Status and readings by path, as the server itself gave them."""

    @property
    def url(self) -> str:
        return "http://%s:%d" % self.address

    def learn(self, paths: Iterable[str]) -> None:
        """Asks the server itself about those of the `paths` that are not known yet."""
        unknown = [path for path in dict.fromkeys(paths) if path not in self.known]
        requests = [get(path or "/", host="origin.test") for path in unknown]
        answers = ask(self.address, requests, depth=16 if self.pipelines else 1)
        self.known |= {path: (answer.status, readings(answer)) for path, answer in zip(unknown, answers)}

    def territories(self, path: str) -> set[str]:
        return set(self.known[path][1].values())

    def numbers_logged(self, offset: int) -> list[int]:
        """The numbers of the requests that have come since the log had `offset` bytes."""
        with open(self.log, "rb") as file:
            file.seek(offset)
            return [int(number) for number in re.findall(rb"[?&]n=(\d+)", file.read())]


class PathOrigins:
    """All of them, on free ports of 127.0.0.1."""

    def __init__(self, directory: Path):
        self._directory = directory
        self._processes: list[subprocess.Popen] = []
        self._documents = Path(tempfile.mkdtemp(prefix="m2m-proxy-documents-"))
        self.origins: list[PathOrigin] = []
        try:
            # Java takes longest to start.
            tomcat = self._start_tomcat()
            node = self._start_program("node", shutil.which("node") or "node", PROGRAMS / "territories.js")
            wsgi = self._start_program("wsgi", sys.executable, PROGRAMS / "territories_wsgi.py")
            self._write_documents()
            self._start_nginx()
            self._start_apache()
            self._add("node", node)
            self._add("wsgi", wsgi, pipelines=False)
            self._add("tomcat", tomcat, *(f"tomcat-{name}" for name in TOMCATS))
        except BaseException:
            self.stop()
            raise

    def named(self, name: str) -> PathOrigin:
        return next(origin for origin in self.origins if origin.name == name)

    def stop(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        try:
            for process in self._processes:
                process.wait(4 * PATIENCE)
        finally:
            for process in self._processes:
                process.kill()
            shutil.rmtree(self._documents)

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def _launch(self, name: str, *command: str | Path, environment: dict[str, str] = {}, **options) -> subprocess.Popen:
        with open(self._directory / f"{name}.err", "wb") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors, cwd=self._directory,
                                       env=clean_environment(**environment), **options)
        self._processes.append(process)
        return process

    def _launch_daemon(self, name: str, directory: Path, *command: str | Path, **options) -> None:
        """Launches a server that writes its process id to a file once it listens."""
        process = self._launch(name, *command, **options)

        def has_started() -> bool:
            errors = (self._directory / f"{name}.err").read_text()
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{errors}"
            return (directory / f"{name}.pid").exists()

        poll(has_started, f"the start of {name}")

    def _start_program(self, name: str, *command: str | Path, behind: Iterable[str] = ()) -> Output:
        territories = [f"{territory}={prefix}" for territory, prefix in TERRITORIES.items()]
        arguments = [*command, self._log(name), *territories, *behind]
        return Output(self._launch(name, *arguments, stdout=subprocess.PIPE).stdout)

    def _start_tomcat(self) -> Output:
        # Those of the package libtomcat10-java, without their twins that have the version in their names.
        jars = [jar for jar in glob.glob("/usr/share/java/tomcat10-*.jar") if not re.search(r"-[\d.]+\.jar$", jar)]
        assert jars, "Tomcat is not installed: scripts/test installs it"
        base = self._directory / "tomcat"
        base.mkdir()
        return self._start_program(
            "tomcat", "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", ":".join(jars),
            PROGRAMS / "TomcatTerritories.java", base, behind=TOMCATS.values())

    def _add(self, log: str, output: Output, *names: str, pipelines: bool = True) -> None:
        """A server for each port that a program prints."""
        ports = output.wait_for("^listening", patience=4 * PATIENCE).split()[1:]
        for name, port in zip(names or [log], ports, strict=True):
            self.origins.append(PathOrigin(name, ("127.0.0.1", int(port)), self._log(log), pipelines))

    def _write_documents(self) -> None:
        """A file tree that every user may read: Apache does not serve files as root."""
        self._documents.chmod(0o755)
        for name, prefix in {"none": "", **TERRITORIES}.items():
            directory = self._documents / prefix.lstrip("/")
            directory.mkdir(exist_ok=True)
            for file in ["index.html", "secret"]:
                (directory / file).write_text(f"territory={name}\n")

    def _start_nginx(self) -> None:
        directory = self._directory / "nginx"
        directory.mkdir()
        # nginx inherits listening sockets named in $NGINX: no port has to be guessed.
        listeners = {name: socket.create_server(("127.0.0.1", 0), backlog=512) for name in NGINXES}
        numbers = [each.fileno() for each in listeners.values()]
        servers = ""
        for name, each in listeners.items():
            servers += self._nginx_server(name, each.getsockname()[1])
            self.origins.append(PathOrigin(name, each.getsockname(), self._log("nginx"),
                                           ignores_case=name == "nginx-ignoring-case"))
        temporary = "".join(f"  {kind}_temp_path {directory}/{kind};\n"
                            for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        user = "user root;\n" if os.geteuid() == 0 else ""
        (directory / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\n{user}pid {directory}/nginx.pid;\n"
            f"error_log {directory}/error.log crit;\n"
            f"events {{ worker_connections 1024; }}\nhttp {{\n{temporary}  log_format line '$request';\n"
            f"  access_log {self._log('nginx')} line;\n  keepalive_requests 1000000;\n{servers}}}\n")
        self._launch_daemon(
            "nginx", directory, program(), "-p", directory, "-e", directory / "error.log",
            "-c", directory / "nginx.conf", pass_fds=numbers,
            environment={"NGINX": "".join(f"{number};" for number in numbers)})
        for each in listeners.values():
            each.close()

    def _nginx_server(self, name: str, port: int) -> str:
        locations = []
        for territory, prefix in {"none": "", **TERRITORIES}.items():
            settings = f"add_header X-Territory-Location {territory} always;"
            if name != "nginx-files":
                settings += " return 200;"
            if not prefix:
                locations.append(f"location / {{ {settings} }}")
            elif name == "nginx-ignoring-case":
                # The first match counts, and the longer prefixes come last.
                longer = "|".join(other for other in TERRITORIES.values() if other.startswith(prefix + "/"))
                but = f"(?!({longer})(/|$))" if longer else ""
                locations.append(f"location ~* ^{but}{prefix}(/|$) {{ {settings} }}")
            else:
                for end in ["", "/"]:
                    alias = f"alias {self._documents}{prefix}{end};" if name == "nginx-files" else ""
                    locations.append(f"location {'' if end else '= '}{prefix}{end} {{ {settings} {alias} }}")
        lines = [f"listen 127.0.0.1:{port};", f"root {self._documents};", NGINXES[name], *locations]
        return "  server {\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"

    def _start_apache(self) -> None:
        found = shutil.which("apache2", path=os.environ["PATH"] + ":/usr/sbin")
        assert found, "apache2 is not installed: scripts/test installs it"
        directory = self._directory / "apache"
        directory.mkdir()
        # Bound, but not listening: Apache can use the port, and the kernel gives it to no other socket.
        reserved = {name: socket.socket() for name in APACHES}
        hosts = ""
        for name, each in reserved.items():
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
            hosts += self._apache_host(name, each.getsockname()[1])
            self.origins.append(PathOrigin(name, each.getsockname(), self._log("apache")))
        modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
                          for name in ["mpm_event", "authz_core", "dir", "headers"])
        user = "User nobody\nGroup nogroup\n" if os.geteuid() == 0 else ""
        (directory / "apache2.conf").write_text(
            f"ServerRoot {directory}\nDefaultRuntimeDir {directory}\nPidFile {directory}/apache.pid\n"
            f"ServerName origin.test\nErrorLog {directory}/error.log\nLogLevel crit\n{modules}{user}"
            "StartServers 1\nServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16\nMaxKeepAliveRequests 0\n"
            "KeepAliveTimeout 60\n"
            f'LogFormat "%r" line\nCustomLog {self._log("apache")} line\nDocumentRoot {self._documents}\n{hosts}')
        self._launch_daemon("apache", directory, found, "-D", "FOREGROUND", "-f", directory / "apache2.conf")
        for each in reserved.values():
            each.close()

    def _apache_host(self, name: str, port: int) -> str:
        lines = [f"Listen 127.0.0.1:{port}", f"<VirtualHost 127.0.0.1:{port}>", APACHES[name]]
        for territory, prefix in {"none": "/", **TERRITORIES}.items():
            lines += [f"<Directory {self._documents}{prefix}>", f"Header always set X-Territory-File {territory}",
                      "</Directory>", f"<Location {prefix}>", f"Header always set X-Territory-Location {territory}",
                      "</Location>"]
        return "".join(line + "\n" for line in [*lines, "</VirtualHost>"])
