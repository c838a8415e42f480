"""What fails while upstreams fail: the same load through m2m-proxy, nginx and haproxy. Started by scripts/faults, in namespaces
of its own: nothing here can reach another machine, and /etc/hosts and /etc/resolv.conf are files of this run."""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from faulty_upstreams import (DELAYED_PORT, LIVE, OTHER, PORT, REFUSING, SILENT, Names, Origin, content_length, fall_silent,
                              make_network, relay)

PROXY_PORT = 8080
PATIENCE = 20.0
RATE = 300


# Proxies.

NGINX = """daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s; keepalive_requests 100000; {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=4096; {resolver}
    location / {{ {target} proxy_http_version 1.1; proxy_set_header Connection ""; proxy_connect_timeout 10s; }}
  }}
}}
"""
HAPROXY = """global
  maxconn 4096
{resolvers}
defaults
  mode http
  retries 3
  option redispatch
  timeout connect 10s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:{port}
  default_backend origin
backend origin
{servers}
"""
M2M = """listen: 127.0.0.1:{port}
admin: off
log: {{ access: off }}
upstream: {{ {settings} }}
routes: [{{ name: origin, mount: /, forward_to: "http://{host}:{upstream}", credentials: none }}]
"""
# What the documentation says for an upstream that closes without a word.
SHORTER = "m2m-proxy, idle: 500ms"


@dataclass
class Fault:
    name: str
    title: str
    host: str = "live.test"
    addresses: tuple = (LIVE,)
    upstream: int = PORT
    moves: bool = False
    bursts: bool = False


FAULTS = [
    Fault("none", "no fault"),
    Fault("restarts", "the upstream restarts every 2 s"),
    Fault("silent", "one address of two is silent", "silent.test", (SILENT, LIVE)),
    Fault("refusing", "one address of two refuses", "refusing.test", (REFUSING, LIVE)),
    Fault("moves", "the name moves, and the old address dies", "moving.test", (LIVE,), moves=True),
    Fault("closes", "closes after 1 s without a request, without a word, 20 ms away", upstream=DELAYED_PORT, bursts=True),
    Fault("announces", "the same, and says so (Keep-Alive)", upstream=DELAYED_PORT, bursts=True),
]


def configure(peer: str, fault: Fault, directory: Path) -> list[str]:
    values = {"port": PROXY_PORT, "directory": directory, "host": fault.host, "upstream": fault.upstream}
    if peer in ["m2m-proxy", SHORTER]:
        values["settings"] = "idle: 500ms" if peer == SHORTER else "reuse: on"
        (directory / "proxy.conf").write_text(M2M.format(**values))
        return [os.environ["M2M_PROXY"], "run", "--config", str(directory / "proxy.conf")]
    if peer == "nginx":
        values["upstream"] = f"upstream origin {{ server {fault.host}:{fault.upstream}; keepalive 64; }}"
        values |= {"resolver": "", "target": "proxy_pass http://origin;"}
        if fault.moves:
            # The open version resolves again for a variable alone, and keeps no connections then.
            values |= {"upstream": "", "resolver": "resolver 127.0.0.1 valid=1s ipv6=off;",
                       "target": f"set $origin {fault.host}; proxy_pass http://$origin:{fault.upstream};"}
        (directory / "nginx.conf").write_text(NGINX.format(**values))
        return ["nginx", "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(directory / "nginx.conf")]
    resolvers = "resolvers dns\n  nameserver own 127.0.0.1:53\n  hold valid 1s\n  timeout resolve 1s\n" if fault.moves else ""
    servers = [f"  server s{number} {address}:{fault.upstream} check"
               for number, address in enumerate(fault.addresses)]
    if fault.moves:
        servers = [f"  server s0 {fault.host}:{fault.upstream} check resolvers dns init-addr last,libc,none"]
    (directory / "haproxy.conf").write_text(HAPROXY.format(port=PROXY_PORT, resolvers=resolvers, servers="\n".join(servers)))
    return ["haproxy", "-db", "-f", str(directory / "haproxy.conf")]


@contextlib.asynccontextmanager
async def running(peer: str, fault: Fault):
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        directory = Path(name)
        os.chmod(directory, 0o755)
        with open(directory / "output", "wb") as output:
            process = subprocess.Popen(configure(peer, fault, directory), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            for _ in range(int(PATIENCE / 0.05)):
                await asyncio.sleep(0.05)
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", PROXY_PORT)
                    writer.close()
                    break
                if process.poll() is not None:
                    break
            else:
                sys.exit(f"faults: {peer} does not listen")
            if process.poll() is not None:
                sys.exit(f"faults: {peer} ended:\n" + (directory / "output").read_text(errors="replace"))
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# The load.


@dataclass
class Figures:
    failed: dict = field(default_factory=lambda: {"GET": 0, "POST": 0})
    times: list = field(default_factory=list)

    def percentile(self, share: float) -> float:
        return sorted(self.times)[min(len(self.times) - 1, int(len(self.times) * share))] * 1000

    @property
    def all_failed(self) -> int:
        return sum(self.failed.values())


class Client:
    """Connections to the proxy that are kept while they work."""

    def __init__(self, figures: Figures):
        self.figures = figures
        self.idle: list = []

    async def send(self, method: str) -> None:
        began = time.monotonic()
        try:
            works = await asyncio.wait_for(self._exchange(method), PATIENCE)
        except (OSError, EOFError, TimeoutError, asyncio.TimeoutError):
            works = False
        self.figures.times.append(time.monotonic() - began)
        if not works:
            self.figures.failed[method] += 1

    async def _exchange(self, method: str) -> bool:
        connection = self.idle.pop() if self.idle else None
        reader, writer = connection or await asyncio.open_connection("127.0.0.1", PROXY_PORT)
        try:
            content = b"x" * 100 if method == "POST" else b""
            length = b"Content-Length: 100\r\n" if content else b""
            writer.write(method.encode() + b" /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % PROXY_PORT + length + b"\r\n" + content)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(content_length(head))
            status, ends = head.split(b" ")[1], b"connection: close" in head.lower()
        except BaseException:
            writer.close()
            raise
        if ends or reader.at_eof():
            writer.close()
        else:
            self.idle.append((reader, writer))
        return status == b"200"


async def load(fault: Fault, requests: int, figures: Figures) -> None:
    client, tasks, order = Client(figures), [], random.Random(18)
    loop = asyncio.get_running_loop()
    began = loop.time()
    if fault.bursts:
        # All connections have been idle for about a second when the next burst comes.
        size, at = 60, began
        for number in range(requests):
            if number and number % size == 0:
                at += order.uniform(0.96, 1.06)
            method = "POST" if number % 2 else "GET"
            tasks.append(asyncio.create_task(later(at - loop.time(), client.send(method))))
    else:
        for number in range(requests):
            await asyncio.sleep(max(0, began + number / RATE - loop.time()))
            tasks.append(asyncio.create_task(client.send("POST" if number % 2 else "GET")))
    await asyncio.gather(*tasks)


async def later(seconds: float, job) -> None:
    await asyncio.sleep(max(0, seconds))
    await job


async def measure(fault: Fault, peer: str, requests: int, names: Names) -> Figures:
    figures = Figures()
    names.address = LIVE
    keep = 1 if fault.bursts else 600
    async with contextlib.AsyncExitStack() as stack:
        origin = await Origin(LIVE, keep=keep, announces=fault.name == "announces").start()
        stack.push_async_callback(origin.stop)
        if fault.bursts:
            await stack.enter_async_context(relay(0.02, PORT))
        if fault.moves:
            other = await Origin(OTHER).start()
            stack.push_async_callback(other.stop)
        await stack.enter_async_context(running(peer, fault))
        trouble = asyncio.create_task(make_trouble(fault, origin, names))
        try:
            await load(fault, requests, figures)
        finally:
            trouble.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await trouble
    return figures


async def make_trouble(fault: Fault, origin: Origin, names: Names) -> None:
    if fault.name == "restarts":
        while True:
            await asyncio.sleep(2)
            await origin.stop()
            await asyncio.sleep(0.1)  # Until the new process listens.
            await origin.start()
    if fault.moves:
        await asyncio.sleep(3)
        names.address = OTHER
        await asyncio.sleep(2)
        await origin.stop()


# The table.


def row(fault: Fault, peer: str, figures: Figures, best: int) -> str:
    ratio = "" if not peer.startswith("m2m-proxy") else "0" if figures.all_failed == 0 else f"{figures.all_failed / max(1, best):.2f}"
    cells = [fault.title, peer, figures.failed["GET"], figures.failed["POST"], figures.all_failed, ratio,
             *[f"{figures.percentile(share):.0f}" for share in [0.5, 0.99]], f"{max(figures.times) * 1000:.0f}"]
    return "| " + " | ".join(map(str, cells)) + " |"


async def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="these alone; --list prints them")
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--peers", default="m2m-proxy,nginx,haproxy")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        return print("\n".join(f"{fault.name:12}{fault.title}" for fault in FAULTS))
    unknown = set(arguments.faults) - {fault.name for fault in FAULTS}
    if unknown:
        sys.exit(f"faults: unknown: {', '.join(unknown)}")
    peers = [peer for peer in arguments.peers.split(",") if peer == "m2m-proxy" or shutil.which(peer)]
    with tempfile.TemporaryDirectory(prefix="faults-network-") as directory:
        make_network(Path(directory))
        silent = fall_silent()
        _, names = await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=("127.0.0.1", 53))
        print(f"Failed of {arguments.requests} requests, half of them POST; milliseconds of all.\n")
        print("| Fault | Proxy | GET | POST | All | To the better of the others | p50 | p99 | Longest |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        for fault in FAULTS:
            if arguments.faults and fault.name not in arguments.faults:
                continue
            more = [SHORTER] if fault.name == "closes" and "m2m-proxy" in peers else []
            found = {peer: await measure(fault, peer, arguments.requests, names) for peer in [*more, *peers]}
            others = [figures.all_failed for peer, figures in found.items() if not peer.startswith("m2m-proxy")]
            for peer, figures in found.items():
                print(row(fault, peer, figures, min(others, default=0)), flush=True)
        for each in silent:
            each.close()


if __name__ == "__main__":
    asyncio.run(main())
