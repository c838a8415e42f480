"""Java programs as legacy clients: compiled, and with a keystore of the authorities that they trust."""

from pathlib import Path

from .output import run
from .proxy import clean_environment

_PROGRAMS = Path(__file__).parent.parent / "programs"


def compiled(name: str, directory: Path, *libraries: str) -> str:
    """The class path of programs/`name`.java, whose classes are put into `directory`."""
    path = ":".join([*libraries, str(directory)])
    result = run(["javac", "-J-XX:TieredStopAtLevel=1", "-nowarn", "-cp", path, "-d", str(directory), str(_PROGRAMS / f"{name}.java")],
                 env=clean_environment())
    assert result.returncode == 0, result.stderr
    return path


def trust_options(keystore: Path, root: Path) -> list[str]:
    """Options of `java` that have it trust `root` and nothing else; `keystore` is made unless it is there."""
    if not keystore.exists():
        result = run(["keytool", "-importcert", "-noprompt", "-storetype", "PKCS12", "-keystore", str(keystore), "-storepass",
                      "changeit", "-alias", "m2m-proxy", "-file", str(root)], env=clean_environment())
        assert result.returncode == 0, result.stdout
    return [f"-Djavax.net.ssl.trustStore={keystore}", "-Djavax.net.ssl.trustStorePassword=changeit"]


def proxy_options(proxy, *schemes: str) -> list[str]:
    """Options of `java` that have it use `proxy` for URLs of these schemes."""
    host, port = proxy.address
    return [f"-D{scheme}.{name}" for scheme in schemes for name in [f"proxyHost={host}", f"proxyPort={port}"]]
