"""Apache Axis 1.4, which ends most lines of its CONNECT with LF alone."""

from pathlib import Path

import pytest

from harness.output import run
from harness.proxy import clean_environment
from harness.wire import read_request

LIBRARIES = [f"/usr/share/java/{name}.jar" for name in
             ["axis", "jaxrpc", "axis-saaj", "commons-discovery", "commons-logging", "wsdl4j"]]
ANSWER = (b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
          b'<done xmlns="urn:test">served</done></soapenv:Body></soapenv:Envelope>')


@pytest.fixture(scope="session")
def class_path(tmp_path_factory) -> str:
    classes = tmp_path_factory.mktemp("axis")
    path = ":".join([*LIBRARIES, str(classes)])
    source = Path(__file__).parent / "programs/AxisCall.java"
    result = run(["javac", "-nowarn", "-cp", path, "-d", str(classes), str(source)], env=clean_environment())
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture(scope="session")
def keystore(made_authority, tmp_path_factory):
    file = tmp_path_factory.mktemp("keystore") / "truststore.p12"
    result = run(["keytool", "-importcert", "-noprompt", "-storetype", "PKCS12", "-keystore", str(file), "-storepass",
                  "changeit", "-alias", "m2m-proxy", "-file", str(made_authority.root)], env=clean_environment())
    assert result.returncode == 0, result.stdout
    return file


def test_axis_calls_a_service_by_http_and_https(recipe, origin, class_path, keystore):
    def soap(connection):
        while not connection.at_end():
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
                            % len(ANSWER) + ANSWER)

    origin.otherwise = soap
    host, port = recipe.proxy.address
    properties = [f"-D{scheme}.{name}" for scheme in ["http", "https"] for name in [f"proxyHost={host}", f"proxyPort={port}"]]
    trust = [f"-Djavax.net.ssl.trustStore={keystore}", "-Djavax.net.ssl.trustStorePassword=changeit"]
    output = recipe.run("java", "-XX:TieredStopAtLevel=1", *properties, *trust, "-cp", class_path, "AxisCall",
                        "http://api.internal/soap", "https://api.internal/soap")
    assert output.split() == ["served", "served"]
    assert [request.method for request in origin.requests] == [b"POST", b"POST"]
    assert all(b"order" in request.body for request in origin.requests)
    tokens = {request.value("authorization") for request in origin.requests}
    assert tokens == {f"Bearer {recipe.authlib.tokens[0]}".encode()}
    connect, = [line for line in recipe.proxy.requests_logged(3) if line["method"] == "CONNECT"]
    assert (connect["normalised"], connect["status"]) == ("bare_lf", "200")
