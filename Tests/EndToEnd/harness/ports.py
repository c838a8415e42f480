"""Ports for servers that cannot be told to take any free one."""

import os
import random
import socket

# Below the ports that the system gives out itself (32768 and above), a part for each worker: nothing else takes them.
_FIRST, _SIZE = 20_000, 1_000
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
_next = random.Random().randrange(_SIZE)


def free_port() -> int:
    """A port on which nothing listens, at any address."""
    global _next
    for _ in range(_SIZE):
        _next = (_next + 1) % _SIZE
        port = _FIRST + _worker * _SIZE + _next
        try:
            for family, address in [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]:
                with socket.socket(family) as probe:
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    # Connections of earlier servers that wait for their end are no hindrance.
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
            return port
        except OSError:
            continue
    raise AssertionError(f"no port is free from {_FIRST + _worker * _SIZE} on")
