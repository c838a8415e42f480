"""Gets each URL behind the first two arguments, and posts the second one to it; prints status and content of each answer.

The first argument is the library. Which proxy and which authorities there are is a matter of the environment.
"""

import sys


def with_urllib(text, url):
    import urllib.request

    def send(method, data=None):
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=50) as answer:
            print(method, answer.status, answer.read().decode())

    send("GET")
    send("POST", text.encode())


def with_requests(text, url):
    import requests

    with requests.Session() as session:
        for method, data in [("GET", None), ("POST", text)]:
            answer = session.request(method, url, data=data, timeout=50)
            print(method, answer.status_code, answer.text)


def with_httpx(text, url):
    import httpx

    with httpx.Client(timeout=50) as client:
        for method, content in [("GET", None), ("POST", text)]:
            answer = client.request(method, url, content=content)
            print(method, answer.status_code, answer.text)


def with_aiohttp(text, url):
    import asyncio

    import aiohttp

    async def fetch():
        async with aiohttp.ClientSession(trust_env=True) as session:
            for method, data in [("GET", None), ("POST", text)]:
                async with session.request(method, url, data=data) as answer:
                    print(method, answer.status, await answer.text())

    asyncio.run(fetch())


library, text, *urls = sys.argv[1:]
for url in urls:
    globals()[f"with_{library}"](text, url)
