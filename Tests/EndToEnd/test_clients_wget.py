"""GNU Wget and the wget of BusyBox as legacy clients."""

from harness import content
from harness.output import run
from harness.proxy import clean_environment
from harness.recipe import BOTH, HTTPS, TEXT


def wget(proxy, *arguments: str) -> str:
    result = run(["wget", "--quiet", "--no-config", "--tries=1", "-O", "-", *map(str, arguments)],
                 env=clean_environment(http_proxy=proxy.url))
    assert result.returncode == 0, f"wget ended with {result.returncode}: {result.stderr}"
    return result.stdout


def test_wget_with_http_proxy_gets_a_bearer_token_put_on_its_request(nginx_proxy, authlib):
    assert wget(nginx_proxy, "http://api.internal/echo/authorization") == f"Bearer {authlib.tokens[0]}"


def test_wget_keeps_its_own_user_agent(nginx_proxy):
    assert wget(nginx_proxy, "http://api.internal/echo/agent").startswith("Wget/")


def test_wget_sends_another_method(nginx_proxy):
    output = wget(nginx_proxy, "--method=DELETE", "--content-on-error", "http://api.internal/echo/uri/7")
    assert output == "DELETE /echo/uri/7"


def test_wget_posts_a_body(proxy, origin):
    assert wget(proxy, "--post-data=a=1&b=2", "http://api.internal/form") == "ok"
    assert (origin.requests[0].method, origin.requests[0].body) == (b"POST", b"a=1&b=2")


def test_wget_posts_a_file(proxy, origin, nginx):
    assert wget(proxy, f"--post-file={nginx.www}/65537.bin", "http://api.internal/form") == "ok"
    assert origin.requests[0].body == content.content(65_537)


def test_wget_downloads_several_files_over_one_connection(nginx_proxy, tmp_path):
    result = run(["wget", "-nv", "--no-config", "--tries=1", "-P", str(tmp_path),
                  *[f"http://api.internal/{size}.bin" for size in [1, 65_536, 1 << 20]]],
                 env=clean_environment(http_proxy=nginx_proxy.url))
    assert result.returncode == 0, result.stderr
    for size in [1, 65_536, 1 << 20]:
        assert (tmp_path / f"{size}.bin").read_bytes() == content.content(size)


def test_wget_takes_http_and_https_urls(recipe):
    command = ["wget", "--quiet", "--no-config", "--tries=1", "-O", "-", f"--ca-certificate={recipe.authority.root}"]
    for url in BOTH:
        assert recipe.run(*command, url, **recipe.variables) == "ok"
        assert recipe.run(*command, f"--post-data={TEXT}", url, **recipe.variables) == "ok"
    recipe.expect("GET", "POST")


def test_wget_without_the_authority(recipe):
    said = recipe.distrusted("wget", "--no-config", "--tries=1", "-O", "-", HTTPS, **recipe.variables)
    assert "ERROR: The certificate of ‘api.internal’ is not trusted" in said


def test_busybox_sends_https_urls_as_they_are_and_closes_its_sending_side(start_proxy, origin, authlib):
    proxy = start_proxy({"forward_to": origin.url}, listen=[{"address": "127.0.0.1:0", "half_close": "serve"}])
    for url in BOTH:
        result = run(["busybox", "wget", "-q", "-O", "-", url], env=clean_environment(http_proxy=proxy.url))
        assert (result.returncode, result.stdout) == (0, "ok"), result.stderr
    assert [each.target for each in origin.requests] == [b"/orders?id=7"] * 2
    assert {each.value("authorization") for each in origin.requests} == {f"Bearer {authlib.tokens[0]}".encode()}
    # They are no tunnels: the client speaks plain HTTP to the proxy.
    assert [line["method"] for line in proxy.requests_logged(2)] == ["GET"] * 2


def test_busybox_posts_to_a_base_url(proxy, origin):
    command = ["busybox", "wget", "-q", "-O", "-", "--post-data", TEXT, f"{proxy.url}/api/orders"]
    assert run(command, env=clean_environment()).stdout == "ok"
    assert [(each.method, each.body) for each in origin.requests] == [(b"POST", TEXT.encode())]
