"""WebSocket clients and servers as people use them: Python's websockets and aiohttp, and curl."""

import asyncio
import contextlib
import threading

import aiohttp
import aiohttp.web
import pytest
import websockets.sync.client
import websockets.sync.server
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.output import run
from harness.proxy import clean_environment
from harness.waiting import PATIENCE

MB = 1 << 20


@contextlib.contextmanager
def websockets_server(context=None):
    """Echoes every message, says hello with what the handshake asked for, and closes when it is told to."""
    def serve(connection):
        request = connection.request
        connection.send(f"{request.path} {request.headers['Authorization']}")
        for message in connection:
            if message == "close":
                return connection.close(4321, "as you wish")
            connection.send(message)

    with websockets.sync.server.serve(serve, "127.0.0.1", 0, ssl=context, max_size=16 * MB) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield "%s:%d" % server.socket.getsockname()
        server.shutdown()
        thread.join(PATIENCE)


def connect(uri: str, proxy: str | None = None, **more):
    return websockets.sync.client.connect(uri, proxy=proxy, max_size=16 * MB, open_timeout=PATIENCE, **more)


# This server ends TLS without close_notify. Its clients get its Close frame all the same.
@pytest.mark.parametrize(("scheme", "truncation", "error"), [
    ("http", None, None), ("https", "reject", "tunnel_broken"), ("https", "accept", None)])
def test_websockets_with_a_base_url_has_its_token(
        start_proxy, tls_context, authority, authlib, scheme, truncation, error):
    with websockets_server(tls_context if scheme == "https" else None) as server:
        proxy = start_proxy({"forward_to": f"{scheme}://{server}", "tls_truncation": truncation},
                            tls={"ca_file": str(authority.file)})
        uri = proxy.url.replace("http:", "ws:") + "/api/chat?room=1"
        with connect(uri) as client:
            assert client.recv(PATIENCE) == f"/chat?room=1 Bearer {authlib.tokens[0]}"
            for message in ["ä", b"\0\xff", "x" * (5 * MB), ""]:
                client.send(message)
                assert client.recv(PATIENCE) == message
            assert client.ping().wait(PATIENCE)
            client.send("close")
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(PATIENCE)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4321, "as you wish")
    line = proxy.requests_logged(1)[0]
    assert (line["status"], line["upgrade"], line["path"]) == ("101", "websocket", "/api/chat")
    if truncation == "accept" and "reset" in line.get("detail", ""):
        return  # The server closed its socket before it read the proxy's close_notify: that is a reset, as it should be.
    assert line.get("error") == error


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_websockets_with_a_proxy_asks_for_a_tunnel_and_has_its_token_inside(start_proxy, interception, authlib, scheme):
    with websockets_server() as server:
        proxy = start_proxy({"tunnel": "intercept", "forward_to": f"http://{server}"}, interception=interception.settings)
        with connect(f"{scheme}://api.internal/chat", proxy.url,
                     ssl=interception.context() if scheme == "wss" else None) as client:
            assert client.recv(PATIENCE) == f"/chat Bearer {authlib.tokens[0]}"
            message = "x" * (5 * MB)
            client.send(message)
            assert client.recv(PATIENCE) == message
            client.send("close")
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(PATIENCE)
        assert closed.value.rcvd.code == 4321
    lines = proxy.requests_logged(2)
    assert [(line["method"], line["host"], line["status"]) for line in lines] == [
        ("CONNECT", "api.internal", "200"), ("GET", "api.internal", "101")]
    assert all("error" not in line for line in lines)


def test_websockets_hears_why_it_was_refused(start_proxy, refusing_port):
    proxy = start_proxy({"forward_to": f"http://127.0.0.1:{refusing_port}"})
    with pytest.raises(InvalidStatus) as refused:
        connect(proxy.url.replace("http:", "ws:") + "/api/chat")
    answer = refused.value.response
    assert answer.status_code == 502 and b"hint" in answer.body and "m2m-proxy" in answer.headers["Proxy-Status"]


def test_many_at_once(start_proxy):
    with websockets_server() as server:
        proxy = start_proxy({"forward_to": f"http://{server}"})
        uri = proxy.url.replace("http:", "ws:") + "/api/chat"
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(uri)) for _ in range(50)]
            for number, client in enumerate(clients):
                client.recv(PATIENCE)
                client.send(f"message {number}")
            assert [client.recv(PATIENCE) for client in clients] == [f"message {number}" for number in range(50)]
            assert proxy.sample("m2m_proxy_tunnels", route="api") == 50
    assert all("error" not in line for line in proxy.requests_logged(50))


@contextlib.asynccontextmanager
async def aiohttp_server():
    async def chat(request):
        socket = aiohttp.web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        await socket.send_str(f"{request.path_qs} {request.headers['Authorization']}")
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    async def events(request):
        response = aiohttp.web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(5):
            await response.write(b"data: %d\n\n" % number)
        return response

    application = aiohttp.web.Application()
    application.router.add_get("/chat", chat)
    application.router.add_get("/events", events)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield "%s:%d" % runner.addresses[0][:2]
    await runner.cleanup()


@pytest.mark.parametrize("as_proxy", [True, False], ids=["as a proxy", "as a base URL"])
def test_aiohttp_at_both_ends(start_proxy, authlib, as_proxy):
    async def talk():
        async with aiohttp_server() as server, aiohttp.ClientSession() as session:
            proxy = await asyncio.to_thread(start_proxy, {"forward_to": f"http://{server}"})
            base = "http://api.internal" if as_proxy else f"{proxy.url}/api"
            options = {"proxy": proxy.url} if as_proxy else {}
            async with session.ws_connect(f"{base}/chat?a=b", protocols=["chat"], **options) as client:
                assert client.protocol == "chat"
                assert await client.receive_str(timeout=PATIENCE) == f"/chat?a=b Bearer {authlib.tokens[0]}"
                await client.send_str("hello")
                assert await client.receive_str(timeout=PATIENCE) == "hello"
            # The same session goes on with ordinary requests, and with events.
            async with session.get(f"{base}/events", **options) as answer:
                assert [line async for line in answer.content if line != b"\n"] == [b"data: %d\n" % n for n in range(5)]
            return proxy

    proxy = asyncio.run(talk())
    # The WebSocket's line comes when both of its ends have gone, which may be after the next request.
    lines = {line["status"]: line.get("upgrade") for line in proxy.requests_logged(2)}
    assert lines == {"101": "websocket", "200": None}


def test_curl_shows_the_switch_and_what_comes_behind_it(start_proxy, origin):
    origin.script(lambda connection: (connection.switch("websocket", behind=b"hello"), connection.finish_sending(),
                                      connection.expect_close()))
    proxy = start_proxy({"forward_to": origin.url})
    result = run(["curl", "-sS", "--include", "--no-buffer", "--max-time", "50", "-H", "Connection: Upgrade",
                  "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
                  "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"{proxy.url}/api/chat"], env=clean_environment())
    assert result.stdout.startswith("HTTP/1.1 101 Switching Protocols") and result.stdout.endswith("hello"), result
