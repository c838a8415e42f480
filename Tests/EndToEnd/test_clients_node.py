"""Node.js as a legacy client: its http and https modules, with and without the agents of a library, and fetch of undici."""

from pathlib import Path

import pytest

from harness.recipe import BOTH, HTTP, HTTPS, TEXT

PROGRAM = Path(__file__).parent / "programs/fetch.js"
EXCHANGES = ["GET", "POST"]


@pytest.fixture
def node(recipe):
    def command(way: str, *urls: str):
        return ["node", PROGRAM, way, recipe.proxy.url, TEXT, *urls]
    return command


@pytest.fixture
def variables(recipe):
    # NODE_PATH: where Debian's packages are.
    return {"NODE_PATH": "/usr/share/nodejs", "NODE_EXTRA_CA_CERTS": recipe.authority.root}


def test_http_request_with_the_whole_url_as_its_path(recipe, node):
    output = recipe.run(*node("http", HTTP))
    recipe.expect_output(output, *EXCHANGES, urls=[HTTP])


@pytest.mark.parametrize("way", ["agent", "fetch"])
def test_node_with_an_agent_for_proxies(recipe, node, variables, way):
    output = recipe.run(*node(way, *BOTH), **variables)
    recipe.expect_output(output, *EXCHANGES)
    tunnels = [line for line in recipe.proxy.requests_logged(4) if line["method"] == "CONNECT"]
    # fetch requests one for http URLs too.
    assert len(tunnels) >= {"agent": 1, "fetch": 2}[way]


@pytest.mark.parametrize("way", ["agent", "fetch"])
def test_node_without_the_authority(recipe, node, variables, way):
    del variables["NODE_EXTRA_CA_CERTS"]
    assert "unable to get local issuer certificate" in recipe.distrusted(*node(way, HTTPS), **variables)
