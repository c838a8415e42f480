"""apt as a legacy client, of a small repository; what it keeps is in the test's directory, not in the system's."""

import hashlib

import pytest

from harness.output import run

CONTROL = """\
Package: m2m-proxy-example
Version: 1.0
Architecture: all
Maintainer: Somebody <somebody@api.internal>
Description: nothing at all
"""


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> bytes:
    directory = tmp_path_factory.mktemp("package")
    (directory / "example/DEBIAN").mkdir(parents=True, mode=0o755)
    (directory / "example/DEBIAN/control").write_text(CONTROL)
    result = run(["dpkg-deb", "--build", "--root-owner-group", str(directory / "example"), str(directory / "example.deb")])
    assert result.returncode == 0, result.stderr
    return (directory / "example.deb").read_bytes()


@pytest.fixture
def files(package) -> dict[bytes, bytes]:
    digest = hashlib.sha256(package).hexdigest()
    index = (CONTROL + f"Filename: ./example.deb\nSize: {len(package)}\nSHA256: {digest}\n").encode()
    release = f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n".encode()
    return {b"/stable/./Packages": index, b"/stable/./Release": release, b"/stable/./example.deb": package}


@pytest.fixture
def repository(origin, files):
    """What the origin answers from now on."""
    def serve(connection):
        while not connection.at_end():
            content = files.get(connection.request().target)
            connection.answer(content or b"", "404 Not Found" if content is None else "200 OK")

    origin.otherwise = serve
    return files


@pytest.fixture
def apt(tmp_path, repository, recipe):
    """Runs apt-get on a system of its own: `apt("https", "update")`."""
    root = tmp_path / "apt"
    for directory in ["etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"]:
        (root / directory).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()

    def apt(scheme: str, *arguments: str, trust: str = ""):
        (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] {scheme}://api.internal/stable ./\n")
        (root / "apt.conf").write_text(
            f'Dir "{root}";\nDir::State::status "{root}/var/lib/dpkg/status";\n'
            f'Dir::Bin::methods "/usr/lib/apt/methods";\n'
            f'APT::Sandbox::User "";\nAcquire::http::Proxy::api.internal "{recipe.proxy.url}";\n'
            f'Acquire::https::Proxy::api.internal "{recipe.proxy.url}";\n'
            f'Acquire::Languages "none";\nAcquire::Retries "0";\n{trust}')
        return ["apt-get", "-o", "APT::Update::Error-Mode=any", *arguments], {"APT_CONFIG": root / "apt.conf", "LC_ALL": "C"}

    return apt


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_apt_updates_and_downloads(recipe, apt, authlib, origin, package, tmp_path, scheme):
    trust = f'Acquire::https::api.internal::CAInfo "{recipe.authority.root}";\n'
    command, variables = apt(scheme, "update", trust=trust)
    recipe.run(*command, **variables)
    command, variables = apt(scheme, "install", "--download-only", "--yes", "m2m-proxy-example", trust=trust)
    recipe.run(*command, **variables)
    assert (tmp_path / "apt/var/cache/apt/archives/m2m-proxy-example_1.0_all.deb").read_bytes() == package
    assert {b"/stable/./Packages", b"/stable/./example.deb"} <= {request.target for request in origin.requests}
    assert {request.value("authorization") for request in origin.requests} == {f"Bearer {authlib.tokens[0]}".encode()}


def test_apt_without_the_authority(recipe, apt):
    command, variables = apt("https", "update")
    assert "Certificate verification failed: The certificate is NOT trusted" in recipe.distrusted(*command, **variables)
