"""Python's libraries as legacy clients: urllib, requests, httpx and aiohttp, by the environment and by their own options."""

import asyncio
import ssl
import sys
import urllib.request
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests

from harness.recipe import BOTH, HTTPS, TEXT

PROGRAM = Path(__file__).parent / "programs/fetch.py"
# requests has authorities of its own, and a variable for others.
VARIABLES = {
    "urllib": "SSL_CERT_FILE", "requests": "REQUESTS_CA_BUNDLE", "httpx": "SSL_CERT_FILE", "aiohttp": "SSL_CERT_FILE",
}


@pytest.mark.parametrize("library", VARIABLES)
def test_by_variables(recipe, library):
    trust = {VARIABLES[library]: recipe.authority.bundle}
    output = recipe.run(sys.executable, PROGRAM, library, TEXT, *BOTH, **recipe.variables, **trust)
    recipe.expect_output(output, "GET", "POST")


@pytest.mark.parametrize("library", VARIABLES)
def test_without_the_authority(recipe, library):
    said = recipe.distrusted(sys.executable, PROGRAM, library, TEXT, HTTPS, **recipe.variables)
    assert "CERTIFICATE_VERIFY_FAILED" in said


@pytest.fixture
def trusting(recipe) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=recipe.authority.root)


def test_urllib_by_its_handlers(recipe, trusting):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": recipe.proxy.url, "https": recipe.proxy.url}),
                                         urllib.request.HTTPSHandler(context=trusting))
    for url in BOTH:
        for content in [None, TEXT.encode()]:
            with opener.open(url, content, timeout=50) as answer:
                assert answer.read() == b"ok"
    recipe.expect("GET", "POST")


def test_requests_by_its_session(recipe):
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": recipe.proxy.url, "https": recipe.proxy.url}
        session.verify = str(recipe.authority.root)
        for url in BOTH:
            assert session.get(url).text == session.post(url, data=TEXT).text == "ok"
    recipe.expect("GET", "POST")


def test_httpx_by_its_client(recipe, trusting):
    with httpx.Client(proxy=recipe.proxy.url, verify=trusting, trust_env=False) as client:
        for url in BOTH:
            assert client.get(url).text == client.post(url, content=TEXT).text == "ok"
    recipe.expect("GET", "POST")


def test_aiohttp_by_its_options(recipe, trusting):
    async def fetch():
        async with aiohttp.ClientSession(proxy=recipe.proxy.url, connector=aiohttp.TCPConnector(ssl=trusting)) as session:
            for url in BOTH:
                for method, content in [("GET", None), ("POST", TEXT)]:
                    async with session.request(method, url, data=content) as answer:
                        assert await answer.text() == "ok"

    asyncio.run(fetch())
    recipe.expect("GET", "POST")
