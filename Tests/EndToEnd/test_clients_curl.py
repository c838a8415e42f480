"""curl as a legacy client: as http_proxy client and with a base URL."""

import json

import pytest

from harness import content
from harness.output import run
from harness.proxy import clean_environment
from harness.recipe import BOTH, HTTPS, TEXT


def curl(*arguments: str, **options):
    result = run(["curl", "--silent", "--show-error", "--max-time", "50", *map(str, arguments)],
                 env=clean_environment(), **options)
    assert result.returncode == 0, f"curl ended with {result.returncode}: {result.stderr}"
    return result.stdout


def through(proxy, *arguments: str):
    return curl("--proxy", proxy.url, *arguments)


def test_curl_with_a_proxy_gets_a_bearer_token_put_on_its_request(nginx_proxy, authlib):
    assert through(nginx_proxy, "http://api.internal/echo/authorization") == f"Bearer {authlib.tokens[0]}"


def test_curl_with_http_proxy_in_the_environment_needs_no_option(nginx_proxy, authlib):
    environment = clean_environment(http_proxy=nginx_proxy.url)
    result = run(["curl", "-sS", "http://api.internal/echo/authorization"], env=environment)
    assert result.stdout == f"Bearer {authlib.tokens[0]}"


def test_curl_with_a_base_url_reaches_the_route_under_its_mount(nginx_proxy, authlib):
    assert curl(f"{nginx_proxy.url}/api/echo/authorization") == f"Bearer {authlib.tokens[0]}"
    assert curl(f"{nginx_proxy.url}/api/echo/uri/a?b=c") == "GET /echo/uri/a?b=c"


def test_curl_speaking_http_1_0_is_served(nginx_proxy):
    output = through(nginx_proxy, "--http1.0", "--write-out", "%{http_code}", "http://api.internal/small.txt")
    assert output == "small\n200"


def test_curl_gets_the_head_of_a_file_without_its_body(nginx_proxy):
    head = through(nginx_proxy, "--head", "http://api.internal/65537.bin")
    assert head.startswith("HTTP/1.1 200") and "Content-Length: 65537" in head


def test_curl_uploads_a_file_of_known_length(nginx_proxy, nginx):
    source = nginx.www / f"{1 << 20}.bin"
    assert through(nginx_proxy, "-T", source, "-w", "%{http_code}", "http://api.internal/upload/length") == "201"
    assert (nginx.www / "upload/length").read_bytes() == source.read_bytes()


def test_curl_uploads_in_chunks(nginx_proxy, nginx):
    source = nginx.www / f"{1 << 20}.bin"
    status = through(nginx_proxy, "-T", source, "-H", "Transfer-Encoding: chunked", "-w", "%{http_code}",
                     "http://api.internal/upload/chunked")
    assert status == "201"
    assert (nginx.www / "upload/chunked").read_bytes() == source.read_bytes()


def test_curl_waiting_for_100_continue_uploads_without_delay(nginx_proxy, nginx):
    source = nginx.www / f"{1 << 20}.bin"
    timing = through(nginx_proxy, "-T", source, "-H", "Expect: 100-continue", "--expect100-timeout", "40",
                     "-w", "%{json}", "http://api.internal/upload/expected")
    assert json.loads(timing)["http_code"] == 201
    assert json.loads(timing)["time_total"] < 20, "curl gave up waiting for 100 Continue"
    assert (nginx.www / "upload/expected").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("base", ["http://api.internal", "mount"])
def test_curl_uses_one_connection_for_several_urls(nginx_proxy, base):
    base = f"{nginx_proxy.url}/api" if base == "mount" else base
    proxy = ["--proxy", nginx_proxy.url] if base == "http://api.internal" else []
    urls = [f"{base}/small.txt", f"{base}/1.bin", f"{base}/missing", f"{base}/65536.bin"]
    arguments = [part for url in urls for part in ["-o", "/dev/null", url]]
    output = curl(*proxy, "-w", "%{http_code} %{num_connects}\n", *arguments)
    assert output.split() == ["200", "1", "200", "0", "404", "0", "200", "0"]


def test_curl_downloads_a_hundred_megabytes_unchanged(nginx_proxy, tmp_path):
    through(nginx_proxy, "-o", tmp_path / "got", "http://api.internal/100000000.bin")
    got = content.Digest()
    with open(tmp_path / "got", "rb") as file:
        while data := file.read(1 << 20):
            got.write(data)
    assert got == content.digest(100_000_000)


def test_curl_resumes_a_download_with_a_range(nginx_proxy):
    output = through(nginx_proxy, "-r", "65530-", "-w", "%{http_code} %{size_download}", "-o", "/dev/null",
                     "http://api.internal/65537.bin")
    assert output == "206 7"


def test_a_redirect_is_left_to_curl(nginx_proxy):
    assert through(nginx_proxy, "-w", "%{http_code}", "-o", "/dev/null", "http://api.internal/redirect") == "302"


def test_curl_gets_the_response_to_an_upload_that_is_refused_early(start_proxy, origin, nginx):
    def refuse(connection):
        connection.head()
        connection.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull")
        connection.finish_sending()
        connection.expect_close()

    origin.otherwise = refuse
    proxy = start_proxy({"forward_to": origin.url})
    source = nginx.www / "100000000.bin"
    assert through(proxy, "-T", source, "-w", " %{http_code}", "http://api.internal/x") == "full 413"


@pytest.mark.parametrize("by_environment", [False, True], ids=["by options", "by variables"])
def test_curl_takes_http_and_https_urls(recipe, by_environment):
    if by_environment:
        settings, variables = [], recipe.variables | {"CURL_CA_BUNDLE": recipe.authority.bundle}
    else:
        settings, variables = ["--proxy", recipe.proxy.url, "--cacert", recipe.authority.root], {}
    for url in BOTH:
        assert recipe.run("curl", "--disable", "-sS", *settings, url, **variables) == "ok"
        assert recipe.run("curl", "--disable", "-sS", *settings, "--data-binary", TEXT, url, **variables) == "ok"
    recipe.expect("GET", "POST")


def test_curl_without_the_authority(recipe):
    said = recipe.distrusted("curl", "--disable", "-sS", "--proxy", recipe.proxy.url, HTTPS)
    assert "curl: (60) SSL certificate problem" in said
