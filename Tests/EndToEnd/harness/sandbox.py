"""The Sandbox as a child process: a token endpoint and an API that behave like Kinde's."""

import os
import signal
import subprocess
from pathlib import Path

import requests
from authlib.integrations.requests_client import OAuth2Session

from harness.output import Output
from harness.proxy import clean_environment
from harness.waiting import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("M2M_SANDBOX", ROOT / ".build/debug/m2m-sandbox")).absolute()


class Sandbox:
    def __init__(self, *arguments: str):
        self.process = subprocess.Popen(
            [BINARY, "--authorization-port", "0", "--api-port", "0", *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment())
        self.output = Output(self.process.stdout)
        self.http = requests.Session()
        self.http.trust_env = False

    def wait_until_ready(self) -> "Sandbox":
        self.output.wait_for("^ready$")
        self.addresses = dict(line.split(" ", 1) for line in self.output.lines if " " in line)
        return self

    def fetch_token(self, method: str = "client_secret_post", secret: str = "demo-secret", **parameters) -> dict:
        """What Authlib's client makes of the answer; `OAuthError` where that is an error."""
        with OAuth2Session("demo-application", secret, token_endpoint_auth_method=method) as session:
            session.trust_env = False
            return session.fetch_token(
                self.addresses["token_endpoint"], grant_type="client_credentials",
                **({"audience": "api.sandbox", "scope": "read:orders"} | parameters))

    def call(self, path: str, token: str | None = None, method: str = "GET", **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.request(
            method, self.addresses["api"] + path, headers=headers | options.pop("headers", {}), timeout=PATIENCE,
            **options)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.http.close()
        code = self.process.wait(PATIENCE)
        self.output.wait_for_end()
        return code
