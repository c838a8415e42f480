"""Parent proxies: a real tinyproxy, and one on a raw socket that does what a test says."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from .waiting import PATIENCE, poll


class Tinyproxy:
    """A real one. It cannot inherit a socket, so it gets a port that was free a moment ago."""

    def __init__(self, directory: Path, user: str | None = None, password: str | None = None,
                 allowed_ports: list[int] = []):
        program = shutil.which("tinyproxy", path=os.environ["PATH"] + ":/usr/sbin")
        assert program, "tinyproxy is not installed: scripts/test installs it"
        self._log = directory / "tinyproxy.log"
        settings = ["Listen 127.0.0.1", "Timeout 60", "MaxClients 100", f'LogFile "{self._log}"', "LogLevel Connect",
                    *[f"ConnectPort {port}" for port in allowed_ports]]
        if user:
            settings.append(f"BasicAuth {user} {password}")
        conf = directory / "tinyproxy.conf"
        for _ in range(5):
            with socket.create_server(("127.0.0.1", 0)) as reserved:
                self.port = reserved.getsockname()[1]
            conf.write_text("\n".join([f"Port {self.port}", *settings]) + "\n")
            self._process = subprocess.Popen([program, "-d", "-c", conf], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            poll(lambda: self._process.poll() is not None or self._accepts(), "tinyproxy listens")
            if self._process.poll() is None:
                return
        raise AssertionError(f"tinyproxy does not start:\n{self.log}")

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def tunnels(self, authority: str) -> int:
        """How many CONNECT requests for `authority` it has seen."""
        return self.log.count(f"CONNECT {authority} HTTP/1.1")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)


class ScriptedParent:
    """Keeps the heads it gets. `answer` is what it says to CONNECT; with a 2xx it then joins both ends."""

    def __init__(self, names: dict[str, tuple[str, int]] = {}):
        self.heads: list[bytes] = []
        self.answer = b"HTTP/1.1 200 Connection established\r\n\r\n"
        self.hold = threading.Event()
        self.hold.set()
        self._stopped = False
        self._names = names
        """Where hosts lead that no DNS knows."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(65536)
                if not data:
                    return
                head += data
            self.heads.append(head)
            assert head.endswith(b"\r\n\r\n"), "bytes behind the CONNECT request, before the tunnel was there"
            self.hold.wait(PATIENCE)
            if self._stopped:
                return
            client.sendall(self.answer)
            if not self.answer.startswith(b"HTTP/1.1 2"):
                client.close()
                return
            target = head.split(b" ")[1].decode()
            host, _, port = target.rpartition(":")
            server = socket.create_connection(self._names.get(target, (host.strip("[]"), int(port))))
            self._open.append(server)
            threading.Thread(target=self._pump, args=[server, client], daemon=True).start()
            self._pump(client, server)
        except OSError:
            pass  # One of the ends has gone.

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # As above.

    def stop(self) -> None:
        self._stopped = True
        self.hold.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            try:
                # Closing alone would not wake the thread that reads from it.
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It has ended already.
            each.close()


def basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()
