"""Real clients that write targets in ways of their own: each gets its response, and the log says what was corrected."""

import sys

import pytest

from harness.output import run
from harness.proxy import clean_environment

URL3 = "import sys, urllib3; print(urllib3.ProxyManager(sys.argv[1]).request('GET', sys.argv[2], retries=False).data.decode())"
URLLIB = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[2]).read().decode())"
PHP = """echo file_get_contents($argv[2], false, stream_context_create(["http" => ["proxy" => str_replace("http:", "tcp:", $argv[1]),
"request_fulluri" => true]]));"""
LWP = """use LWP::UserAgent; my $agent = LWP::UserAgent->new; $agent->proxy("http", $ARGV[0]);
my $answer = $agent->get($ARGV[1]); die $answer->status_line unless $answer->is_success; print $answer->content;"""
CLIENTS = {
    "urllib3": [sys.executable, "-c", URL3], "urllib": [sys.executable, "-c", URLLIB], "php": ["php", "-r", PHP, "--"],
    "lwp": ["perl", "-e", LWP], "curl": ["curl", "-sSf", "--globoff", "--path-as-is", "--proxy"],
    "wget": ["wget", "-q", "-O", "-", "-e"], "busybox": ["busybox", "wget", "-q", "-O", "-"],
}


@pytest.fixture(scope="module")
def kinds():
    """Which clients were corrected, by what. Some correct what they are given themselves, and which do so depends on their
    version; of each kind there must be some that do not."""
    kinds: dict[str, set[str]] = {}
    yield kinds
    if len(kinds) == 3:
        assert all(kinds.values()), kinds


def fetch(client: str, proxy, url: str) -> str:
    command = CLIENTS[client]
    if client == "wget":
        command = [*command, f"http_proxy={proxy.url}"]
    elif client != "busybox":
        command = [*command, proxy.url]
    result = run([*command, url], env=clean_environment(http_proxy=proxy.url))
    assert result.returncode == 0, f"{result.stdout}{result.stderr}"
    return result.stdout.strip()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("url, target, kind", [
    ("http://api.internal/x?y#top", b"/x?y", "fragment"), ("http://me:pw@api.internal/x", b"/x", "userinfo"),
    ('http://api.internal/a|b?q={"c":1}', b"/a%7Cb?q=%7B%22c%22:1%7D", "raw_bytes"),
    ("http://api.internal/caf\u00e9", b"/caf%C3%A9", "raw_bytes"),
])
def test_it_gets_its_response(proxy, origin, authlib, client, url, target, kind, kinds):
    if client == "urllib" and "\u00e9" in url:
        pytest.skip("urllib rejects it itself")
    assert fetch(client, proxy, url) == "ok"
    request, = origin.requests
    assert request.target == target
    line, = proxy.requests_logged(1)
    assert line.get("normalised") in (None, kind)
    kinds.setdefault(kind, set()).update([client] if "normalised" in line else [])
    assert request.values("authorization") == [f"Bearer {authlib.tokens[0]}".encode()]
