"""git as a legacy client: clone and push, to a server that git itself is."""

import pytest

from harness.git_server import GitServer
from harness.recipe import Recipe

AS_USER = ["-c", "user.name=Somebody", "-c", "user.email=somebody@api.internal"]
# Neither the user's nor the system's own settings.
ALONE = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


@pytest.fixture
def server(tmp_path):
    server = GitServer(tmp_path / "server")
    yield server
    server.stop()


@pytest.fixture
def git(start_proxy, made_authority, origin, authlib, server, tmp_path):
    """Runs git, by way of a proxy in front of the server."""
    proxy = start_proxy({"forward_to": server.url, "tunnel": "intercept"}, interception=made_authority.settings)
    recipe = Recipe(proxy, origin, authlib, made_authority)

    def git(*arguments, **variables):
        return recipe.run("git", "-C", tmp_path, *arguments, **ALONE, **variables)

    git.recipe = recipe
    return git


def check(git, server, url, settings, variables, tmp_path):
    git(*settings, "clone", "--quiet", url, "clone", **variables)
    # Of many chunks: git sends what is larger than http.postBuffer without its length.
    (tmp_path / "clone/file").write_bytes(bytes(range(256)) * 4096)
    git("-C", "clone", "add", "file")
    git("-C", "clone", *AS_USER, "commit", "--quiet", "--message=A file")
    git("-C", "clone", *settings, "-c", "core.compression=0", "-c", "http.postBuffer=65536", "push", "--quiet", "origin",
        "HEAD:main", **variables)
    git(*settings, "clone", "--quiet", "--branch=main", url, "again", **variables)
    assert (tmp_path / "again/file").read_bytes() == (tmp_path / "clone/file").read_bytes()
    assert len(server.authorizations) >= 6
    assert set(server.authorizations) == {f"Bearer {git.recipe.authlib.tokens[0]}"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_git_by_its_configuration(git, server, tmp_path, scheme):
    recipe = git.recipe
    settings = ["-c", f"http.proxy={recipe.proxy.url}", "-c", f"http.sslCAInfo={recipe.authority.root}"]
    check(git, server, f"{scheme}://api.internal/team/project.git", settings, {}, tmp_path)


def test_git_by_variables(git, server, tmp_path):
    variables = git.recipe.variables | {"GIT_SSL_CAINFO": git.recipe.authority.bundle}
    check(git, server, "https://api.internal/team/project.git", [], variables, tmp_path)


def test_git_without_the_authority(git, server):
    recipe = git.recipe
    said = recipe.distrusted("git", "ls-remote", "https://api.internal/team/project.git", **recipe.variables, **ALONE)
    assert "server certificate verification failed" in said
    assert server.authorizations == []
