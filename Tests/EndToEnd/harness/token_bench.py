"""One proxy with a route for each case of a table of token endpoints, and what is seen of a case from all sides."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from .authlib_server import AuthlibServer
from .client import RawClient, get
from .origin import RawOrigin
from .proxy import Proxy, logfmt
from .proxy_conf import proxy_conf
from .token_faults import FaultLayer
from .waiting import poll
from .wire import Answer


@dataclass
class Outcome:
    """What one case looked like."""

    answers: list[Answer]
    fetches: list[dict[str, str]]
    "The lines about fetches in the log."
    asked: int
    "How many requests the token endpoint got."

    @property
    def problem(self) -> dict:
        [body] = {answer.body_without_id for answer in self.answers}
        return json.loads(body)


class TokenBench:
    """The case NAME has the route and the credentials NAME, whose token endpoint is the fault layer's path /NAME unless
    `endpoints` says otherwise."""

    def __init__(self, binary: Path, directory: Path, transcript, cases: list[str], *, endpoints: dict[str, str] = {},
                 provider: str = "generic", environment: dict[str, str] = {}, timeout: str | None = None, **settings):
        self.authlib = AuthlibServer(transcript)
        self.layer = FaultLayer(self.authlib)
        self.api = RawOrigin()
        self.transcript = transcript
        domain = "acme.kinde.com" if provider == "kinde" else None
        credentials = {
            case: self.authlib.credential(
                token_endpoint=endpoints.get(case, self.layer.url(f"/{case}")), provider=provider, domain=domain,
                timeout=timeout)
            for case in cases}
        routes = [{"name": case, "mount": f"/{case}", "forward_to": self.api.url, "credentials": case,
                   "audience": "https://api.example"} for case in cases]
        settings = {"listen": ["127.0.0.1:0"], "admin": "127.0.0.1:0", "loops": 2, "log": {"level": "debug"},
                    # The API's side gives up a connection that says nothing for 20 s, which a slow run of many cases takes.
                    "timeouts": {"upstream_idle": "5s"},
                    "credentials": credentials, "routes": routes} | settings
        self.proxy = Proxy(binary, directory, transcript)
        self.proxy.start(proxy_conf(settings), environment | {"CLIENT_SECRET": self.authlib.client.secret})

    def stop(self) -> None:
        self.layer.release()
        try:
            self.proxy.stop()
        finally:
            self.layer.stop()
            self.api.stop()
            self.authlib.stop()

    def run(self, case: str, clients: int = 1) -> Outcome:
        """`clients` requests at once; with more than one, all of them wait before the token endpoint says a word."""
        connections = [RawClient(self.proxy.address) for _ in range(clients)]
        if clients > 1:
            self.layer.hold()
        for connection in connections:
            connection.send(get(f"/{case}/orders", host="%s:%d" % self.proxy.address))
        if clients > 1:
            poll(lambda: self.waiting(case) == clients, f"{clients} requests that wait for a token")
            self.layer.release()
        answers = [connection.answer() for connection in connections]
        for connection in connections:
            connection.close()
        for answer in answers:
            self.transcript.add(f"an answer to {case}", (answer.head + answer.body).decode("latin-1"))
        self.proxy.log.wait_for(self._fetch_of(case))
        return Outcome(answers, self.fetches(case), self.layer.asked[f"/{case}"])

    def waiting(self, case: str) -> float:
        return self.sample(f'm2m_proxy_token_waiting{{route="{case}"}}')

    def sample(self, series: str) -> float:
        """The value of one series, as it is written; 0 without it. There are too many to parse all of them each time."""
        match = re.search(rf"^{re.escape(series)} (\S+)$", self.proxy.metrics(), re.M)
        return float(match[1]) if match else 0

    def fetches(self, case: str) -> list[dict[str, str]]:
        return [logfmt(line) for line in self.proxy.log.lines if re.search(self._fetch_of(case), line)]

    @staticmethod
    def _fetch_of(case: str) -> str:
        return rf"event=token\b.* credentials={re.escape(case)}(?: |$)"
