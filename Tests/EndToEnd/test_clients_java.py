"""Java's HttpURLConnection and HttpClient as legacy clients, configured as Java programs are: by system properties."""

from pathlib import Path

import pytest

from harness.output import run
from harness.proxy import clean_environment
from harness.recipe import BOTH, HTTPS, TEXT

EXCHANGES = ["GET", "POST", "POST in chunks"] * 2


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The class path of Fetch."""
    classes = tmp_path_factory.mktemp("java")
    source = Path(__file__).parent / "programs/Fetch.java"
    result = run(["javac", "-J-XX:TieredStopAtLevel=1", "-d", str(classes), str(source)], env=clean_environment())
    assert result.returncode == 0, result.stderr
    return classes


@pytest.fixture
def java(recipe, program):
    """The command that runs Fetch, with the proxy for both schemes."""
    host, port = recipe.proxy.address
    proxies = [f"-D{scheme}.{name}" for scheme in ["http", "https"] for name in [f"proxyHost={host}", f"proxyPort={port}"]]
    return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", *proxies, "-cp", program]


@pytest.fixture(scope="session")
def keystore(made_authority, tmp_path_factory):
    file = tmp_path_factory.mktemp("keystore") / "truststore.p12"
    result = run(["keytool", "-importcert", "-noprompt", "-storetype", "PKCS12", "-keystore", str(file), "-storepass",
                  "changeit", "-alias", "m2m-proxy", "-file", str(made_authority.root)], env=clean_environment())
    assert result.returncode == 0, result.stdout
    return file


def test_java_with_system_properties_gets_posts_and_posts_in_chunks(recipe, java, keystore):
    trust = [f"-Djavax.net.ssl.trustStore={keystore}", "-Djavax.net.ssl.trustStorePassword=changeit"]
    output = recipe.run(*java, *trust, "Fetch", TEXT, *BOTH)
    recipe.expect_output(output, *EXCHANGES)


def test_java_without_the_keystore_is_told_why_by_the_log(recipe, java):
    assert "PKIX path building failed" in recipe.distrusted(*java, "Fetch", TEXT, HTTPS)
