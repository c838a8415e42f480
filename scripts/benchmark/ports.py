"""Ports for what listens. Below those that the kernel gives to outgoing connections: thousands of those come and go."""

import itertools
import socket
from pathlib import Path

_FIRST = 21_000
_candidates = itertools.count(_FIRST)


def free_port() -> int:
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in _candidates:
        if _FIRST < lowest_outgoing <= port:
            break
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise SystemExit("bench: no free port")
