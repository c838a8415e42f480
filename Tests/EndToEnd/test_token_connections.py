"""Token endpoints that there is no good connection to: refused, without a name, or with the wrong certificate."""

import re
import socket
from dataclasses import dataclass

import pytest

from conftest import server_context
from harness.certificates import CertificateAuthority
from harness.names import Names
from harness.origin import RawOrigin
from harness.token_bench import TokenBench


@dataclass
class Row:
    status: int
    error: str
    says: str
    hint: str
    connections: int | None = None
    "How many the server sees; None where there is no server."


ROWS = {
    "refused": Row(503, "token_unreachable", r"no connection to 127\.0\.0\.1:\d+", "firewall"),
    "no-such-name": Row(503, "token_name_not_resolved", r"name of no-such-host\.invalid could not be resolved", "name server"),
    "name-without-server": Row(503, "token_unreachable", r"no connection to nobody\.internal:\d+", "firewall"),
    "metadata": Row(503, "token_unreachable", r"no connection to metadata\.internal.*metadata service", r"token_endpoint"),
    "untrusted": Row(503, "token_tls", r"TLS connection to localhost:\d+ failed.*self.signed", r"tls\.ca_file", 1),
    "another-authority": Row(503, "token_tls", r"TLS connection to localhost:\d+ failed.*issuer", r"tls\.ca_file", 1),
    "wrong-name": Row(503, "token_tls", r"TLS connection to localhost:\d+ failed.*localhost", r"token_endpoint", 1),
    "out-of-date": Row(503, "token_tls", r"TLS connection to localhost:\d+ failed.*expired", "renewed", 1),
    "plain-http": Row(503, "token_tls", r"TLS connection to 127\.0\.0\.1:\d+ failed", "token_endpoint", 1),
    "tls-on-a-plain-address": Row(503, "token_unreachable", r"no connection to 127\.0\.0\.1:\d+.*or it broke", "token_endpoint", 2),
}


@pytest.fixture(scope="module")
def servers(authority, tmp_path_factory):
    """A server for each certificate; none of them gets as far as a request."""
    other = CertificateAuthority(tmp_path_factory.mktemp("other-authority"), "another CA")
    servers = {
        "untrusted": RawOrigin(server_context(authority.issue("self-signed", "localhost", self_signed=True))),
        "another-authority": RawOrigin(server_context(other.issue("other", "localhost"))),
        "wrong-name": RawOrigin(server_context(authority.issue("wrong-name", "login.example"))),
        "out-of-date": RawOrigin(server_context(authority.issue("expired", "localhost", days=-1))),
        "plain-http": RawOrigin(),
        "tls-on-a-plain-address": RawOrigin(server_context(authority.issue("plain", "127.0.0.1"))),
    }
    servers["plain-http"].otherwise = lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def bench(binary, transcript, tmp_path_factory, authority, servers, names_library):
    directory = tmp_path_factory.mktemp("token-connections")
    names = Names(names_library, directory / "names")
    names.lead(localhost=["127.0.0.1"], nobody_internal=["127.0.0.1"], metadata_internal=["169.254.169.254"])
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        free = reserved.getsockname()[1]
    endpoints = {case: f"https://localhost:{server.port}/t" for case, server in servers.items()} | {
        "refused": f"http://127.0.0.1:{free}/t", "no-such-name": "https://no-such-host.invalid/t",
        "name-without-server": f"https://nobody.internal:{free}/t", "metadata": "https://metadata.internal/t",
        "plain-http": f"https://{servers['plain-http'].authority}/t",
        "tls-on-a-plain-address": f"http://{servers['tls-on-a-plain-address'].authority}/t"}
    bench = TokenBench(binary, directory, transcript, list(ROWS), endpoints=endpoints, environment=names.environment(),
                       tls={"ca_file": str(authority.file)})
    yield bench
    bench.stop()


@pytest.mark.parametrize("case", ROWS)
def test_a_token_endpoint_without_a_good_connection(bench, servers, case):
    row = ROWS[case]
    outcome = bench.run(case)
    [answer], problem = outcome.answers, outcome.problem
    assert (answer.status, problem["hop"]) == (row.status, "token"), problem
    assert re.search(row.says, problem["detail"]), problem
    assert re.search(row.hint, problem["hint"]), problem
    assert 1 <= int(answer.value("retry-after")) <= 2
    [line] = outcome.fetches
    assert (line["error"], line["detail"], line["hint"]) == (row.error, problem["detail"], problem["hint"])
    assert bench.sample(f'm2m_proxy_token_fetches_total{{credentials="{case}",result="{row.error}"}}') == 1
    assert bench.sample(f'm2m_proxy_tokens_issued_total{{credentials="{case}"}}') == 0
    if row.connections is not None:
        servers[case].wait_for_finished(row.connections)
        assert servers[case].finished == row.connections and servers[case].requests == []
    assert bench.api.requests == []
