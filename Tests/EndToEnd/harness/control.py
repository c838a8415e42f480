"""Commands for a running proxy, and what stands in for it at its control socket."""

import contextlib
import ctypes
import json
import os
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from .output import run
from .proxy import clean_environment
from .waiting import PATIENCE


def command(proxy, *arguments: str, config: bool = True, environment: dict = {}, **options) -> subprocess.CompletedProcess:
    """Runs a command for `proxy`, in its directory."""
    more = ["--config", "proxy.conf"] if config else []
    return run([str(proxy.binary), *arguments, *more], cwd=proxy.directory,
               env=clean_environment(**environment), **options)


def status(proxy, *arguments: str) -> dict:
    result = command(proxy, "status", "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def place(proxy) -> str:
    """Where it takes commands, as it says at start."""
    return re.search(r"^control +unix:(\S+)$", proxy.messages.text, re.M)[1]


def connect(name: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect("\0" + name[1:] if name.startswith("@") else name)
    return client


def with_directory(run_directory) -> dict:
    return {"environment": {"RUNTIME_DIRECTORY": str(run_directory)}}


@contextlib.contextmanager
def responding(path: Path, *responses: bytes):
    """A process of this user at the socket `path` that says this to one client after the other, and nothing to the next."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(PATIENCE)
        received = []

        def serve():
            for response in [*responses, None]:
                client, _ = listener.accept()
                stack.enter_context(client)
                received.append(client.recv(4096))
                if response is not None:
                    client.sendall(response)
                    client.close()

        server = threading.Thread(target=serve)
        server.start()
        yield received
        server.join()


@contextlib.contextmanager
def stopped(thread: int):
    """One thread of another process stands still, as a debugger has it."""
    libc = ctypes.CDLL(None, use_errno=True)
    seize, interrupt, detach, every_child = 0x4206, 0x4207, 17, 0x40000000

    def trace(request: int) -> None:
        none = ctypes.c_void_p()
        if libc.ptrace(ctypes.c_long(request), ctypes.c_long(thread), none, none) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    try:
        trace(seize)
    except PermissionError:
        pytest.skip("other processes cannot be traced here")
    try:
        trace(interrupt)
        assert os.waitpid(thread, every_child)[0] == thread
        yield
    finally:
        trace(detach)
