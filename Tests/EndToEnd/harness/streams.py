"""Sockets on an asyncio loop, for thousands of connections at once."""

import asyncio
import socket
import struct
from typing import Awaitable, Callable

from . import wire


class Unexpected(Exception):
    """What no fault explains."""


class Stream:
    """A socket that is read message by message."""

    def __init__(self, sock: socket.socket):
        self._socket = sock
        self._buffer = b""
        self._loop = asyncio.get_running_loop()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def send(self, data: bytes) -> bool:
        """False when the other side has gone."""
        try:
            await self._loop.sock_sendall(self._socket, data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    async def trickle(self, data: bytes) -> None:
        """Sends each byte by itself; others have their turn often enough for the proxy to see many of them so."""
        for position in range(len(data)):
            if not await self.send(data[position : position + 1]):
                return
            if position % 4 == 0:
                await asyncio.sleep(0)

    async def _receive(self) -> bytes:
        try:
            return await self._loop.sock_recv(self._socket, 1 << 16)
        except ConnectionResetError:
            return b""

    async def message(self, parse):
        """The next message; raises `Incomplete` when the stream ends inside it or before."""
        while True:
            pieces = [self._buffer]
            reader = wire.Reader(lambda: pieces.pop() if pieces else b"")
            try:
                message = parse(reader)
            except wire.Incomplete:
                data = await self._receive()
                if not data:
                    raise
                self._buffer += data
                continue
            self._buffer = reader.buffered()
            return message

    async def until_end(self) -> None:
        while await self._receive():
            pass

    @property
    def has_more(self) -> bool:
        return bool(self._buffer)

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


async def serve(listener: socket.socket, converse: Callable[[Stream], Awaitable[None]]) -> None:
    """Accepts connections, each with a task of its own, until it is cancelled; then it ends all of them."""
    listener.setblocking(False)
    tasks = set()
    try:
        while True:
            accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = asyncio.create_task(converse(Stream(accepted)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    finally:
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
