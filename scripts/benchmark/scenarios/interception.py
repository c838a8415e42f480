"""TLS of clients: m2m-proxy ends it inside CONNECT, nginx as the server that a client is told to use instead."""

from pathlib import Path

from ..load.request import request
from ..peers import Peer, Role, Running
from ..site import Site
from .idle import COLUMNS as MEMORY
from .idle import with_connections
from .requests import COLUMNS, under_load
from .scenario import Scenario, Values, against_peers

_ROLE = Role(tls_upstream=True, tls_clients=True)
_HANDSHAKING = 16
"""As many as open connections at once: wrk opens them one after the other through a proxy, and that is enough."""


def _under_load(site: Site, peer: Peer, connections: int, *fields: str) -> Values:
    message = request(site, "/orders/small", *fields, tls=True)
    with peer.start(site, _ROLE) as running:
        port = site.origin.port(tls=True) if peer.intercepts else running.port
        return under_load(site, running, message, connections, url=f"https://localhost:{port}/",
                          environment=_through(site, running) if peer.intercepts else {})


def _through(site: Site, running: Running) -> dict[str, str]:
    library: Path = site.programs.compile_c("through_proxy", "-shared", "-fPIC")
    return {"LD_PRELOAD": str(library), "BENCH_TARGET_PORT": str(site.origin.port(tls=True)),
            "BENCH_PROXY_PORT": str(running.port)}


def _idle(site: Site, peer: Peer) -> Values:
    with peer.start(site, _ROLE) as running:
        return with_connections(site, running, 500, tls=True,
                                connect_to=site.origin.authority(tls=True) if peer.intercepts else None)


SCENARIOS = [
    Scenario("intercept-keepalive", "https:// clients, 64 keep-alive connections, responses of 1 KB, TLS 1.3 upstream: "
             "m2m-proxy intercepts, nginx is the server",
             against_peers(["m2m-proxy", "nginx"], lambda site, peer: _under_load(site, peer, 64)), COLUMNS, "cpu"),
    Scenario("intercept-new", "https:// clients, a full handshake for each request (with CONNECT before it where it is "
             "intercepted; the certificate is there), TLS 1.3 upstream",
             against_peers(["m2m-proxy", "nginx"],
                           lambda site, peer: _under_load(site, peer, _HANDSHAKING, "Connection: close")), COLUMNS, "cpu"),
    Scenario("intercept-idle", "500 idle https:// connections, each after one request",
             against_peers(["m2m-proxy", "nginx", "mitmproxy"], _idle), MEMORY, "connection"),
]
