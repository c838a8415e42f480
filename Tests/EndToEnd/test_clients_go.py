"""Go's net/http as a legacy client, configured by its environment."""

from pathlib import Path

import pytest

from harness.output import run
from harness.proxy import clean_environment
from harness.recipe import BOTH, HTTPS, TEXT

SOURCE = Path(__file__).parent / "programs/fetch.go"
CACHE = Path(__file__).parents[2] / ".build/go"


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    binary = tmp_path_factory.mktemp("go") / "fetch"
    # Without cgo, which needs gcc; that is compiled once, and kept.
    build = clean_environment(CGO_ENABLED="0", GOCACHE=str(CACHE), GOFLAGS="-mod=mod", GOPROXY="off", GO111MODULE="on")
    result = run(["go", "build", "-o", str(binary), str(SOURCE)], env=build)
    assert result.returncode == 0, result.stderr
    return binary


def test_go_by_its_environment(recipe, program):
    output = recipe.run(program, TEXT, *BOTH, HTTP_PROXY=recipe.proxy.url, HTTPS_PROXY=recipe.proxy.url,
                        SSL_CERT_FILE=recipe.authority.bundle)
    recipe.expect_output(output, "GET", "POST")


def test_go_without_the_authority(recipe, program):
    said = recipe.distrusted(program, TEXT, HTTPS, HTTPS_PROXY=recipe.proxy.url)
    assert "x509: certificate signed by unknown authority" in said
