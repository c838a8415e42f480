"""The upstreams of faults.py, and the network of their own that they are in."""

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
from pathlib import Path

LIVE, OTHER = "10.1.0.1", "10.1.0.2"
# Nothing answers at the first one, and at the second no process listens. getaddrinfo gives them first: all are addresses of this
# machine, between which it has no preference (RFC 6724), so that their order is that of /etc/hosts.
SILENT, REFUSING = "10.1.0.9", "10.1.0.8"
PORT, DELAYED_PORT = 8081, 8082


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def make_network(directory: Path) -> None:
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        sys.exit("faults: this is not a network of its own; start scripts/faults")
    ip("link", "set", "lo", "up")
    for address in [LIVE, OTHER, SILENT, REFUSING]:
        ip("address", "add", f"{address}/32", "dev", "lo")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    (directory / "hosts").write_text(
        f"127.0.0.1 localhost\n{SILENT} silent.test\n{LIVE} silent.test\n{REFUSING} refusing.test\n{LIVE} refusing.test\n"
        f"{LIVE} live.test\n")
    (directory / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    for name in ["hosts", "resolv.conf"]:
        subprocess.run(["mount", "--bind", str(directory / name), f"/etc/{name}"], check=True)


def fall_silent() -> list[socket.socket]:
    """The kernel answers nothing for a listener whose queue is full. Returns what must stay open for that."""
    listener = socket.create_server((SILENT, PORT), backlog=0)
    opened = [listener]
    for _ in range(16):
        filler = socket.socket()
        opened.append(filler)
        filler.settimeout(0.3)
        try:
            filler.connect((SILENT, PORT))
        except TimeoutError:
            return opened
    sys.exit("faults: this kernel has no silent addresses")


# Upstreams.


class Origin:
    """An HTTP/1.1 server; what it has open ends with it, by a reset where something was not read."""

    def __init__(self, address: str, port: int = PORT, keep: float = 600, announces: bool = False):
        self.address, self.port, self.keep, self.announces = address, port, keep, announces
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> "Origin":
        self._server = await asyncio.start_server(self._serve, self.address, self.port, backlog=1024, reuse_address=True)
        return self

    async def stop(self) -> None:
        """As when a process is killed."""
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.keep)
                await reader.readexactly(content_length(head))
                await asyncio.sleep(0.002)  # What it does for a request: a restart meets some of them.
                more = b"Keep-Alive: timeout=%d\r\n" % self.keep if self.announces else b""
                writer.write(b"HTTP/1.1 200 OK\r\n" + more + b"Content-Length: 2\r\n\r\nok")
                await writer.drain()
        except (OSError, EOFError, TimeoutError, asyncio.TimeoutError):
            pass  # It has ended, or has been idle for long.
        finally:
            self._writers.discard(writer)
            writer.close()


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


@contextlib.asynccontextmanager
async def relay(seconds: float, to: int):
    """Every byte, and the end, arrives `seconds` later, in both directions."""
    writers, tasks = set(), set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            other_reader, other_writer = await asyncio.open_connection(LIVE, to)
        except OSError:
            return writer.transport.abort()
        writers.update([writer, other_writer])
        await asyncio.gather(move(reader, other_writer), move(other_reader, writer))

    async def move(reader, writer):
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await reader.read(1 << 16)
            except OSError:
                data = b""
            loop.call_later(seconds, pass_on, writer, data)
            if not data:
                return

    def pass_on(writer, data):
        if not data:
            writer.close()
        elif not writer.is_closing():
            writer.write(data)

    server = await asyncio.start_server(serve, LIVE, DELAYED_PORT, backlog=1024)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)


class Names(asyncio.DatagramProtocol):
    """A DNS server for one name, whose address can change; TTL 1 s."""

    def __init__(self):
        self.address = LIVE

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        end = data.index(b"\0", 12) + 5
        kind = struct.unpack(">H", data[end - 4:end - 2])[0]
        answer = b""
        if kind == 1:
            answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(self.address)
        head = data[:2] + struct.pack(">HHHHH", 0x8580, 1, bool(answer), 0, 0)
        self.transport.sendto(head + data[12:end] + answer, sender)
