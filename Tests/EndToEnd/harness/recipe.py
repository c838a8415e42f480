"""What docs/clients.md supposes: a proxy that takes http and https URLs of a host, and the authority that clients trust."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from .authlib_server import AuthlibServer
from .origin import RawOrigin
from .output import run
from .proxy import Proxy, clean_environment

HTTP = "http://api.internal/orders?id=7"
HTTPS = "https://api.internal/orders?id=7"
BOTH = (HTTP, HTTPS)
TEXT = "more text than Java sends in one chunk here."

_CONF = """\
interception: {}
credentials:
  kinde:
    domain: acme.kinde.com
    client_id: some-id
    client_secret: ${CLIENT_SECRET}
routes:
  - { name: api, match: api.internal, tunnel: intercept, audience: "https://api.example" }
"""


class MadeAuthority:
    """What `m2m-proxy ca init` makes for api.internal, and what `ca export` and `ca bundle` give to clients."""

    def __init__(self, binary: Path, directory: Path, keys: str = "p-256"):
        self._binary, self._directory = binary, directory
        (directory / "proxy.conf").write_text(_CONF)
        self._ca("init", "--key", keys)
        self.root = self._ca("export", "--out", directory / "m2m-proxy-ca.pem")
        self.bundle = self._ca("bundle", "--out", directory / "m2m-proxy-bundle.pem")
        self.settings = {"ca_certificate": str(directory / "ca/ca.pem"), "ca_key": str(directory / "ca/ca.key")}

    def _ca(self, *arguments) -> Path:
        result = run([self._binary, "ca", *arguments], cwd=self._directory, env=clean_environment(CLIENT_SECRET="x"))
        assert result.returncode == 0, result.stderr
        return arguments[-1]


@dataclass
class Recipe:
    """The proxy of one test, what is behind it, and the settings that clients of it have."""

    proxy: Proxy
    origin: RawOrigin
    authlib: AuthlibServer
    authority: MadeAuthority
    variables: dict[str, str] = field(init=False)

    def __post_init__(self):
        # Some programs read the ones, some the others, and most read both.
        names = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]
        self.variables = dict.fromkeys(names, self.proxy.url)

    def run(self, *arguments, **variables) -> str:
        """What a program prints that ends well, whose environment knows of proxies and trust by these variables alone."""
        result = run([str(argument) for argument in arguments], env=self._environment(variables))
        assert result.returncode == 0, f"{result.stdout}{result.stderr}"
        return result.stdout

    def distrusted(self, *arguments, **variables) -> str:
        """What a program says that was not told of the authority: it has to fail, and the proxy's log to say why."""
        result = run([str(argument) for argument in arguments], env=self._environment(variables))
        assert result.returncode != 0, result.stdout
        self.expect_distrust()
        return result.stdout + result.stderr

    def expect_distrust(self) -> None:
        line = self.proxy.log.wait_for(r"error=tls_|event=tunnel")
        assert "m2m-proxy ca trust" in line, line
        assert self.origin.requests == []

    @staticmethod
    def _environment(variables) -> dict[str, str]:
        return clean_environment(**{name: str(value) for name, value in variables.items()})

    def expect(self, *exchanges: str, urls=BOTH) -> None:
        """Each of `urls` was fetched in this way: "GET", "POST", "POST in chunks"; all of it with the token."""
        kinds = {"GET": (b"GET", b"", False), "POST": (b"POST", TEXT.encode(), False),
                 "POST in chunks": (b"POST", TEXT.encode(), True)}
        requests = self.origin.wait_for_requests(len(exchanges) * len(urls))
        found = [(each.method, each.body, each.framing == "chunked") for each in requests]
        assert found == [kinds[name] for name in exchanges] * len(urls), found
        assert {each.target for each in requests} == {b"/orders?id=7"}
        assert {each.value("authorization") for each in requests} == {f"Bearer {self.authlib.tokens[0]}".encode()}
        assert {each.value("host") for each in requests} == {self.origin.authority.encode()}

    def expect_output(self, output: str, *exchanges: str, urls=BOTH) -> None:
        """The same of a program that prints method, status and content of each answer."""
        assert output.splitlines() == [f"{name} 200 ok" for name in exchanges] * len(urls)
        self.expect(*exchanges, urls=urls)
