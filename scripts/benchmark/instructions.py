"""Instructions for each request, counted by callgrind: the figure that a busy machine does not change, so that a threshold
can be kept in the repository. Only what runs in user space is counted, and one request at a time is sent: it is not what
a request costs under load, but it tells when the way of a request has become longer. The profiles are left
in the output directory, for callgrind_annotate."""

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

from .failure import Failure
from .load.request import request
from .peers import Role, Running
from .peers.m2m_proxy import M2MProxy, configuration
from .ports import free_port
from .process import Process
from .site import Site

_FILE = Path(__file__).with_suffix(".json")
_WARM_UP = 200
_REQUESTS = 2_000
_WAYS = {"plain": Role(), "tls": Role(tls_upstream=True)}


def check(site: Site, out: Path, is_set: bool) -> int:
    kept = json.loads(_FILE.read_text()) if _FILE.exists() else {"tolerance_percent": 3, "instructions_per_request": {}}
    counted = {name: _count(site, out, name, role) for name, role in _WAYS.items()}
    if is_set:
        kept["instructions_per_request"] = counted
        _FILE.write_text(json.dumps(kept, indent=2) + "\n")
    code = 0
    for name, count in counted.items():
        threshold = kept["instructions_per_request"].get(name)
        if threshold is None:
            raise Failure(f"{_FILE.name} has no {name}: scripts/bench --instructions --set writes it")
        change = (count / threshold - 1) * 100
        verdict = "ok"
        if change > kept["tolerance_percent"]:
            verdict, code = f"TOO MANY: {kept['tolerance_percent']} % more are tolerated", 1
        elif change < -kept["tolerance_percent"]:
            verdict = "ok, and so many fewer that --set should keep it so"
        print(f"instructions/request  {name:<6} {count:>8,}  kept: {threshold:,}  ({change:+.1f} %)  {verdict}")
    return code


def _count(site: Site, out: Path, name: str, role: Role) -> int:
    directory, port = site.new_directory(f"instructions-{name}"), free_port()
    written = directory / "callgrind.out"
    command = [site.programs.need("valgrind"), "--tool=callgrind", f"--callgrind-out-file={written}", "--quiet",
               _without_debug_information(site, directory)]
    process = M2MProxy().launch_with(configuration(site, role, port), site, role, directory, command)
    with Running(process.wait_for_port(port), port, directory):
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            message = request(site, "/orders/small")
            _send(connection, message, _WARM_UP)
            _command(site, process, "zero")
            _send(connection, message, _REQUESTS)
            _command(site, process, "dump")
    profile = out / f"callgrind.{name}.out"
    shutil.copyfile(written.with_suffix(".out.1"), profile)
    totals = re.findall(r"^totals: (\d+)", profile.read_text(), re.M)
    return round(int(totals[0]) / _REQUESTS)


def _without_debug_information(site: Site, directory: Path) -> Path:
    """The program as valgrind can read it: it gives up on what this compiler writes for debuggers."""
    stripped = directory / "m2m-proxy"
    subprocess.run([site.programs.need("strip"), "--strip-debug", "-o", stripped, site.programs.proxy], check=True,
                   timeout=60)
    return stripped


def _send(connection: socket.socket, message: bytes, count: int) -> None:
    length = None
    for _ in range(count):
        connection.sendall(message)
        received = b""
        while b"\r\n\r\n" not in received or len(received) < length:
            piece = connection.recv(65536)
            if not piece:
                raise Failure("m2m-proxy closed the connection")
            received += piece
            head, separator, _ = received.partition(b"\r\n\r\n")
            if separator:
                if not head.startswith(b"HTTP/1.1 200"):
                    raise Failure(f"answered with {received[:300]!r}")
                length = len(head) + 4 + int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])


def _command(site: Site, process: Process, command: str) -> None:
    result = subprocess.run([site.programs.need("vgdb"), f"--pid={process.pid}", command], capture_output=True, text=True,
                            timeout=60)
    if result.returncode != 0:
        raise Failure(f"vgdb {command}: {result.stderr}")
