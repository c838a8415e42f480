"""Apache Axis 1.4, which ends most lines of its CONNECT with LF alone."""

import pytest

from harness.java import compiled, proxy_options, trust_options

LIBRARIES = [f"/usr/share/java/{name}.jar" for name in
             ["axis", "jaxrpc", "axis-saaj", "commons-discovery", "commons-logging", "wsdl4j"]]
ANSWER = (b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
          b'<done xmlns="urn:test">served</done></soapenv:Body></soapenv:Envelope>')


@pytest.fixture(scope="session")
def program(made_authority, tmp_path_factory) -> list[str]:
    """The options of `java` that run AxisCall and have it trust the authority."""
    directory = tmp_path_factory.mktemp("axis")
    trust = trust_options(directory / "truststore.p12", made_authority.root)
    return [*trust, "-cp", compiled("AxisCall", directory, *LIBRARIES), "AxisCall"]


def test_axis_calls_a_service_by_http_and_https(recipe, origin, program):
    def soap(connection):
        while not connection.at_end():
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
                            % len(ANSWER) + ANSWER)

    origin.otherwise = soap
    output = recipe.run("java", "-XX:TieredStopAtLevel=1", *proxy_options(recipe.proxy, "http", "https"), *program,
                        "http://api.internal/soap", "https://api.internal/soap")
    assert output.split() == ["served", "served"]
    assert [request.method for request in origin.requests] == [b"POST", b"POST"]
    assert all(b"order" in request.body for request in origin.requests)
    tokens = {request.value("authorization") for request in origin.requests}
    assert tokens == {f"Bearer {recipe.authlib.tokens[0]}".encode()}
    connect, = [line for line in recipe.proxy.requests_logged(3) if line["method"] == "CONNECT"]
    assert (connect["normalised"], connect["status"]) == ("bare_lf", "200")
