"""What a peer is: a program that takes requests on a port, adds a token, and passes them to the origin."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from ..failure import Failure
from ..ports import free_port
from ..process import Process
from ..programs import Programs
from ..site import Site


@dataclass(frozen=True)
class Role:
    """What a measurement asks a peer to be."""

    tls_upstream: bool = False
    tls_clients: bool = False
    "TLS of clients ends at the peer: by interception where it is a forward proxy, else by being the server."
    loops: int = 1
    routes: int = 100
    "Only m2m-proxy has more than the one that is used."
    upstream_connections: int = 1024
    "As many to the origin where there can be a limit; where there can be none, as many are kept."


class Running:
    """A peer that takes requests."""

    def __init__(self, process: Process, port: int, directory: Path):
        self.process = process
        self.port = port
        self.directory = directory

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_) -> None:
        self.process.stop()
        # Logs are in memory, and the next measurement wants that.
        for file in self.directory.glob("*.log"):
            file.unlink()
        self.process.output.unlink(missing_ok=True)


class Peer(ABC):
    name: str
    intercepts = False
    "Clients reach it as a proxy, and it ends TLS inside CONNECT."

    @abstractmethod
    def version(self, programs: Programs) -> str:
        """Its name and version; fails when it is not there."""

    def is_there(self, programs: Programs) -> bool:
        try:
            return bool(self.version(programs))
        except Failure:
            return False

    @abstractmethod
    def launch(self, site: Site, role: Role, directory: Path, port: int) -> Process:
        """Starts it so that it listens on that port."""

    def start(self, site: Site, role: Role) -> Running:
        directory, port = site.new_directory(self.name), free_port()
        process = self.launch(site, role, directory, port)
        process.wait_for_port(port)
        return Running(process, port, directory)
