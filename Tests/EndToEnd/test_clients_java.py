"""Java's HttpURLConnection as a legacy client, configured as Java programs are: by system properties."""

from pathlib import Path

from harness.output import run
from harness.proxy import clean_environment

PROGRAM = Path(__file__).parent / "programs/Fetch.java"


def test_java_with_http_proxy_host_gets_posts_and_posts_in_chunks(proxy, origin, authlib):
    host, port = proxy.address
    text = "forty bytes of text, more than one chunk."
    result = run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", f"-Dhttp.proxyHost={host}",
                  f"-Dhttp.proxyPort={port}", str(PROGRAM), "http://api.internal/orders?id=7", text],
                 env=clean_environment())
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["GET 200 ok", "POST 200 ok", "POST in chunks 200 ok"]
    assert [(request.method, request.target) for request in origin.requests] == [
        (b"GET", b"/orders?id=7"), (b"POST", b"/orders?id=7"), (b"POST", b"/orders?id=7")]
    assert [request.body for request in origin.requests] == [b"", text.encode(), text.encode()]
    assert [request.framing for request in origin.requests] == ["none", "length", "chunked"]
    assert {request.value("authorization") for request in origin.requests} == {b"Bearer " + authlib.tokens[0].encode()}
