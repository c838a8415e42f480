"""Scripts as legacy clients: Perl's LWP, Ruby's Net::HTTP, PHP's curl and streams."""

from pathlib import Path

import pytest

from harness.recipe import BOTH, HTTPS, TEXT

PROGRAMS = Path(__file__).parent / "programs"
EXCHANGES = ["GET", "POST"]


def test_perl_lwp_by_its_environment(recipe):
    output = recipe.run("perl", PROGRAMS / "fetch.pl", TEXT, *BOTH, http_proxy=recipe.proxy.url, https_proxy=recipe.proxy.url,
                        PERL_LWP_SSL_CA_FILE=recipe.authority.bundle)
    recipe.expect_output(output, *EXCHANGES)


def test_perl_lwp_without_the_authority(recipe):
    said = recipe.distrusted("perl", PROGRAMS / "fetch.pl", TEXT, HTTPS, https_proxy=recipe.proxy.url)
    assert "certificate verify failed" in said


def test_ruby_net_http_by_its_environment_takes_http_proxy_for_https_too(recipe):
    output = recipe.run("ruby", PROGRAMS / "fetch.rb", TEXT, *BOTH, http_proxy=recipe.proxy.url,
                        SSL_CERT_FILE=recipe.authority.bundle)
    recipe.expect_output(output, *EXCHANGES)


def test_ruby_net_http_without_the_authority(recipe):
    said = recipe.distrusted("ruby", PROGRAMS / "fetch.rb", TEXT, HTTPS, http_proxy=recipe.proxy.url)
    assert "certificate verify failed" in said


@pytest.fixture
def php():
    return ["php", PROGRAMS / "fetch.php"]


def test_php_curl_by_its_options(recipe, php):
    output = recipe.run(*php, recipe.proxy.url, recipe.authority.root, TEXT, *BOTH)
    recipe.expect_output(output, *EXCHANGES)


def test_php_curl_by_its_environment_and_php_ini(recipe):
    output = recipe.run("php", "-d", f"curl.cainfo={recipe.authority.bundle}", PROGRAMS / "fetch.php", "", "", TEXT, *BOTH,
                        **recipe.variables)
    recipe.expect_output(output, *EXCHANGES)


def test_php_streams_by_their_context(recipe):
    output = recipe.run("php", PROGRAMS / "fetch-by-streams.php", recipe.proxy.url, recipe.authority.root, TEXT, *BOTH)
    recipe.expect_output(output, *EXCHANGES)


def test_php_curl_without_the_authority(recipe, php):
    said = recipe.distrusted(*php, recipe.proxy.url, "", TEXT, HTTPS)
    assert "SSL certificate problem" in said
