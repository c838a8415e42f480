"""Java's HttpURLConnection and HttpClient as legacy clients, configured as Java programs are: by system properties."""

import pytest

from harness.java import compiled, proxy_options, trust_options
from harness.recipe import BOTH, HTTPS, TEXT

EXCHANGES = ["GET", "POST", "POST in chunks"] * 2


@pytest.fixture(scope="session")
def classes(tmp_path_factory) -> str:
    """The class path of Fetch."""
    return compiled("Fetch", tmp_path_factory.mktemp("java"))


@pytest.fixture
def java(recipe, classes) -> list[str]:
    """The command that runs Fetch, with the proxy for both schemes."""
    return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", *proxy_options(recipe.proxy, "http", "https"), "-cp", classes]


def test_java_with_system_properties_gets_posts_and_posts_in_chunks(recipe, java, made_authority, tmp_path):
    trust = trust_options(tmp_path / "truststore.p12", made_authority.root)
    output = recipe.run(*java, *trust, "Fetch", TEXT, *BOTH)
    recipe.expect_output(output, *EXCHANGES)


def test_the_log_explains_why_java_without_the_keystore_fails(recipe, java):
    assert "PKIX path building failed" in recipe.distrusted(*java, "Fetch", TEXT, HTTPS)
