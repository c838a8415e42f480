"""Links to the upstream become links to the proxy, so that clients with a base URL stay there."""

import subprocess

import pytest
import requests

from harness.client import get
from harness.proxy import clean_environment


class Shop:
    """An API that knows itself by its own name: it creates orders, and lists them by pages."""

    def __init__(self, origin, base: str = ""):
        self.url = origin.url + base
        self.base = base
        origin.otherwise = self

    def __call__(self, connection):
        while not connection.at_end():
            request = connection.request()
            assert request.value("authorization").startswith(b"Bearer ")
            connection.answer(*self.reply(request.method.decode(), request.target.decode()))

    def reply(self, method: str, target: str) -> tuple:
        path = target.removeprefix(self.base)
        page = int(path.rpartition("page=")[2] or 1) if path.startswith("/orders?page=") else 1
        if method == "POST":
            return b"created", "201 Created", f"Location: {self.url}/orders/7", f"Content-Location: {self.base}/orders/7"
        if path == "/latest":
            return b"", "302 Found", f"Location: {self.url}/orders/8"
        if path == "/newest":
            return b"", "307 Temporary Redirect", f"Location: {self.base}/latest"
        if path == "/elsewhere":
            return b"", "302 Found", "Location: https://elsewhere.example/x"
        if path.startswith("/orders/"):
            return f"order {path[8:]}".encode(), "200 OK"
        links = [f'<{self.url}/orders?page=1>; rel="first, \\"the\\" one"; title="a, <b>"']
        if page < 3:
            links.append(f"<{self.base}/orders?page={page + 1}>; rel=next")
        return f"page {page}".encode(), "200 OK", "Link: " + ", ".join(links), 'Link: <//other.example/>; rel="last"'


@pytest.fixture(params=["", "/shop/v2"], ids=["root", "base-path"])
def shop(origin, request) -> Shop:
    return Shop(origin, request.param)


@pytest.fixture
def mounted(start_proxy, shop):
    return start_proxy({"forward_to": shop.url, "mount": "/orders-api"})


def session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def test_curl_follows_redirects_on_the_proxy(mounted):
    got = subprocess.run(
        ["curl", "-sS", "-L", "-w", "\n%{url_effective} %{num_redirects}", f"{mounted.url}/orders-api/newest"],
        capture_output=True, text=True, check=True, env=clean_environment())
    assert got.stdout == f"order 8\n{mounted.url}/orders-api/orders/8 2"
    assert [line["path"] for line in mounted.requests_logged(3)] == [
        "/orders-api/newest", "/orders-api/latest", "/orders-api/orders/8"]


def test_requests_follows_redirects_on_the_proxy(mounted):
    with session() as client:
        answer = client.get(f"{mounted.url}/orders-api/newest")
    assert answer.text == "order 8"
    assert [past.headers["Location"] for past in answer.history] == [
        "/orders-api/latest", f"{mounted.url}/orders-api/orders/8"]


def test_what_was_created_is_found_where_location_says(mounted):
    with session() as client:
        created = client.post(f"{mounted.url}/orders-api/orders", data={"item": "x"})
        assert created.status_code == 201
        assert created.headers["Location"] == f"{mounted.url}/orders-api/orders/7"
        assert created.headers["Content-Location"] == "/orders-api/orders/7"
        assert client.get(created.headers["Location"]).text == "order 7"


def test_pages_are_followed_by_their_links(mounted):
    pages = []
    with session() as client:
        url = f"{mounted.url}/orders-api/orders"
        while url:
            answer = client.get(url)
            pages.append(answer.text)
            assert answer.links['first, \\"the\\" one']["url"] == f"{mounted.url}/orders-api/orders?page=1"
            assert answer.links["last"]["url"] == "//other.example/"
            following = answer.links.get("next", {}).get("url")
            url = following and requests.compat.urljoin(answer.url, following)
    assert pages == ["page 1", "page 2", "page 3"]


def location(proxy, target: str, *fields: str, **more) -> bytes:
    return proxy.connect().exchange(get(target, *fields, **more)).value("location")


def test_links_use_the_name_by_which_the_client_calls_the_proxy(mounted):
    port = mounted.address[1]
    for name in [f"localhost:{port}", "LOCALHOST", "[::1]:8080"]:
        assert location(mounted, "/orders-api/latest", host=name) == f"http://{name}/orders-api/orders/8".encode()
    # The target says it as well, and then it is what counts.
    assert location(mounted, f"{mounted.url}/orders-api/latest", host="api.internal") == (
        f"{mounted.url}/orders-api/orders/8".encode())


def test_a_client_that_names_no_host_gets_a_path(mounted):
    answer = mounted.connect().exchange(b"GET /orders-api/latest HTTP/1.0\r\n\r\n")
    assert answer.value("location") == b"/orders-api/orders/8"


def test_links_to_others_stay_as_they_are(mounted):
    assert location(mounted, "/orders-api/elsewhere") == b"https://elsewhere.example/x"


def test_proxy_clients_get_links_as_they_are(mounted, shop):
    assert location(mounted, "http://api.internal/latest") == f"{shop.url}/orders/8".encode()


def test_off_leaves_all_links_as_they_are(start_proxy, shop):
    proxy = start_proxy({"forward_to": shop.url, "rewrite_links": "off"})
    assert location(proxy, "/api/latest") == f"{shop.url}/orders/8".encode()


def test_on_is_for_proxy_clients_too(start_proxy, shop):
    proxy = start_proxy({"forward_to": shop.url, "rewrite_links": "on", "match": ["api.internal", "api.internal:8081"]})
    assert location(proxy, "http://api.internal/latest") == b"http://api.internal/orders/8"
    assert location(proxy, "http://api.internal:8081/newest") == b"/latest"
    assert location(proxy, "/api/newest") == b"/api/latest"
    with session() as client:
        client.proxies = {"http": proxy.url}
        answer = client.get("http://api.internal:8081/newest")
    assert (answer.text, answer.url) == ("order 8", "http://api.internal:8081/orders/8")


def test_inside_a_tunnel_links_are_https(start_proxy, interception, shop):
    proxy = start_proxy({"forward_to": shop.url, "tunnel": "intercept", "rewrite_links": "on"},
                        interception=interception.settings)
    with session() as client:
        client.proxies = {"https": proxy.url}
        client.verify = str(interception.file)
        answer = client.get("https://api.internal/newest")
    assert (answer.text, answer.url) == ("order 8", "https://api.internal/orders/8")


def test_on_a_listener_that_speaks_tls_links_are_https(start_proxy, shop, authority):
    certificate = authority.issue("links", "127.0.0.1", "localhost")
    tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    proxy = start_proxy({"forward_to": shop.url}, listen=[{"address": "127.0.0.1:0", "tls": tls}])
    url = f"https://localhost:{proxy.address[1]}/api"
    with session() as client:
        client.verify = str(authority.file)
        answer = client.get(f"{url}/newest")
    assert (answer.text, answer.url) == ("order 8", f"{url}/orders/8")


def test_interim_responses_have_links_too(start_proxy, origin):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        connection.answer(b"ok", "200 OK", "Link: </style.css>; rel=preload")
        connection.expect_close()

    origin.script(script)
    answer = start_proxy({"forward_to": origin.url}).connect().exchange(get("/api/"))
    assert [each.value("link") for each in [*answer.interim, answer]] == [b"</api/style.css>; rel=preload"] * 2


def test_a_response_whose_links_do_not_fit_any_more_cannot_be_forwarded(start_proxy, origin):
    def script(connection):
        connection.request()
        connection.answer(b"ok", "200 OK", "Link: " + ",".join(["</>"] * 2000))
        connection.expect_close()

    origin.script(script, script)
    mount = "/" + "m" * 100
    proxy = start_proxy({"forward_to": origin.url, "mount": mount})
    answer = proxy.connect().exchange(get(f"{mount}/"))
    assert answer.status == 502
    assert proxy.requests_logged(1)[0]["error"] == "malformed_response"
