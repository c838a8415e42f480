"""A network of the test's own: it has loopback and nothing else, and every address that there is leads to this machine.

The main thread of the tests changes into it. What that thread starts from then on, threads and processes, is in it as well.
"""

import contextlib
import ctypes
import os
import shutil
import socket
from pathlib import Path

import pytest

from .output import run

_CLONE_NEWNET = 0x40000000
_THREAD = "/proc/thread-self/ns/net"
_C = ctypes.CDLL(None, use_errno=True)


class OwnNetwork:
    def __init__(self, hosts: Path):
        self._hosts = hosts
        self._namespace = os.readlink(_THREAD)

    def lead(self, **names: str) -> None:
        """These names, with "." written as "_", lead to these addresses; there are no others."""
        self._hosts.write_text("".join(f"{address} {name.replace('_', '.')}\n" for name, address in names.items()))

    @property
    def launcher(self) -> list[str]:
        """What starts a process to which these names are known, as those of /etc/hosts."""
        return ["unshare", "--mount", "sh", "-ec", f'mount --bind {self._hosts} /etc/hosts; exec "$@"', "sh"]

    def expect(self, pid: int) -> None:
        """The process is in this network, and in no other."""
        assert os.readlink(f"/proc/{pid}/ns/net") == self._namespace


@contextlib.contextmanager
def own_network(hosts: Path):
    """The test is skipped where there can be no such network."""
    if not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("there is no ip (iproute2), or no unshare, to make a network of our own with")
    before = os.open(_THREAD, os.O_RDONLY | os.O_CLOEXEC)
    name = os.readlink(_THREAD)
    try:
        if _C.unshare(_CLONE_NEWNET) != 0:
            pytest.skip(f"no network of our own is to be had here: {os.strerror(ctypes.get_errno())}")
        try:
            # Whatever happens, nothing is sent from any other network.
            assert os.readlink(_THREAD) != name
            assert [interface for _, interface in socket.if_nameindex()] == ["lo"]
            for command in ["link set lo up", "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo"]:
                result = run(["ip", *command.split()])
                assert result.returncode == 0, result.stderr
            yield OwnNetwork(hosts)
        finally:
            if _C.setns(before, _CLONE_NEWNET) != 0:
                pytest.exit(f"there is no way back: {os.strerror(ctypes.get_errno())}", returncode=1)
    finally:
        os.close(before)
