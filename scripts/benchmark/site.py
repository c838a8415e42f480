"""All that is the same for every measurement: the origin, the token, certificates, cores and programs."""

import json
import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from harness.certificates import CertificateAuthority

from .failure import Failure
from .machine import Cores
from .origin import Origin
from .ports import free_port
from .process import Process
from .programs import Programs

CLIENT_SECRET = "bench-secret"
AUDIENCE = "api.sandbox"
# Two that make a token of 900 bytes.
SCOPES = ["read:orders", "read:the-orders-of-every-department-of-the-company"]


@dataclass
class Tokens:
    """A sandbox that gives out tokens; peers that cannot fetch one are given one."""

    process: Process
    endpoint: str

    def fetch(self) -> str:
        form = {"grant_type": "client_credentials", "client_id": "bench", "client_secret": CLIENT_SECRET,
                "audience": AUDIENCE, "scope": " ".join(SCOPES)}
        request = urllib.request.Request(self.endpoint, urllib.parse.urlencode(form).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)["access_token"]


@dataclass
class Site:
    programs: Programs
    cores: Cores
    directory: Path
    access_log: bool
    seconds: float
    authority: CertificateAuthority = field(init=False)
    origin: Origin = field(init=False)
    tokens: Tokens = field(init=False)
    token: str = field(init=False)
    _runs: int = 0

    def __enter__(self) -> "Site":
        self.authority = CertificateAuthority(self.directory)
        self.origin = Origin(self.programs.need("nginx"), self.directory / "origin", self.authority, self.user)
        try:
            self.tokens = self.start_tokens(self.directory, lifetime=86_400)
            self.token = self.tokens.fetch()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if hasattr(self, "tokens"):
            self.tokens.process.stop()
        self.origin.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def user(self) -> str:
        """A line for nginx, whose worker would otherwise run as the user nobody, which cannot read its directory."""
        return "user root;\n" if os.geteuid() == 0 else ""

    def start_tokens(self, directory: Path, lifetime: int) -> Tokens:
        port = free_port()
        granted = f"{AUDIENCE}={','.join(SCOPES)}"
        process = Process(
            "sandbox", [self.programs.sandbox, "--authorization-port", port, "--api-port", free_port(), "--client-id",
                        "bench", "--client-secret", CLIENT_SECRET, "--lifetime", lifetime, "--api", granted,
                        "--authorize", granted], directory)
        process.wait_for_port(port)
        return Tokens(process, f"http://127.0.0.1:{port}/oauth2/token")

    def new_directory(self, name: str) -> Path:
        """For one run of one program."""
        self._runs += 1
        directory = self.directory / f"{self._runs:04}-{name}"
        directory.mkdir()
        # Squid works as a user of its own. Sticky, or m2m-proxy refuses the key of its certificate authority.
        directory.chmod(0o1777)
        return directory


def make_directory() -> Path:
    """In memory where that is possible: logs and files cost every peer the same, and no disk has a say."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="m2m-proxy-bench-", dir=parent))
    directory.chmod(0o755)
    if shutil.disk_usage(directory).free < 4_000_000_000:
        directory.rmdir()
        raise Failure(f"{directory.parent}: 4 GB are needed, and not free")
    return directory
