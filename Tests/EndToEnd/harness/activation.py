"""Starts a program as systemd does that is activated by sockets, and hears what a service says of itself.

    python activation.py SOCKET... -- PROGRAM ARGUMENTS

A SOCKET is `NAME=KIND=ADDRESS`: web=stream=127.0.0.1:8080, app=stream=/run/app.sock, x=datagram=127.0.0.1:53. The
program takes the place of this process, which so knows its number: LISTEN_PID, unless that is set already.
"""

import os
import socket
import sys

from harness.waiting import PATIENCE

FIRST = 3


class Notices:
    """What a service says by sd_notify."""

    def __init__(self, name: str):
        """`name` is a path, or begins with "@": no file then."""
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        self._socket.settimeout(PATIENCE)

    def next(self) -> str:
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        self._socket.close()


def activated(*sockets: str) -> list[str]:
    """The command in front of a program that is given these sockets."""
    return [sys.executable, "-m", "harness.activation", *sockets, "--"]


def make(kind: str, address: str) -> socket.socket:
    """As systemd makes them: blocking, and listening unless they are for datagrams."""
    host, _, port = address.rpartition(":")
    family = socket.AF_UNIX if "/" in address else socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        # BindIPv6Only=both: [::] takes IPv4 as well.
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(address if family == socket.AF_UNIX else (host, int(port)))
    if kind == "stream":
        made.listen()
    return made


def main() -> None:
    split = sys.argv.index("--")
    described = [argument.split("=", 2) for argument in sys.argv[1:split]]
    # Out of the way first: a descriptor that is moved must not take the place of one that is still to be moved.
    made = [os.dup2(make(kind, address).detach(), 100 + index) for index, (_, kind, address) in enumerate(described)]
    for index, number in enumerate(made):
        os.dup2(number, FIRST + index, inheritable=True)
    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(made)),
                   "LISTEN_FDNAMES": ":".join(name for name, _, _ in described)} | os.environ
    os.closerange(FIRST + len(made), 1024)
    program = sys.argv[split + 1 :]
    os.execve(program[0], program, environment)


if __name__ == "__main__":
    main()
