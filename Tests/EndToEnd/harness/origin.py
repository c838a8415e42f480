"""An origin on a raw socket: what each connection does is a script, and every byte it gets is kept."""

import contextlib
import errno
import fcntl
import queue
import socket
import ssl
import struct
import termios
import threading
from typing import Callable

from . import wire
from .waiting import PATIENCE, Changes

Script = Callable[["OriginConnection"], None]


class OriginConnection:
    """One connection, seen from a script: read a head, read a body, send bytes, close, reset, hold."""

    def __init__(self, origin: "RawOrigin", connection: socket.socket):
        self.received = bytearray()
        # Of this end: which one the proxy connected to, where the origin listens on all of them.
        self.address = connection.getsockname()[0]
        self._origin = origin
        self._socket = connection
        self._socket.settimeout(PATIENCE)
        self.reader = wire.Reader(self._receive)

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(1 << 18)
        except ssl.SSLEOFError:
            data = b""
        if self._origin.keep_bytes:
            self.received += data
        return data

    def head(self) -> wire.Request:
        return self._origin.note(wire.parse_request(self.reader.head()))

    def body(self, request: wire.Request, sink=None) -> wire.Request:
        return wire.read_request_body(self.reader, request, sink)

    def request(self, sink=None) -> wire.Request:
        """A whole request; noted when its body is complete."""
        request = wire.parse_request(self.reader.head())
        return self._origin.note(self.body(request, sink))

    def at_end(self) -> bool:
        """Whether the proxy has closed; waits until that or something else happens."""
        return self.reader.at_end()

    def expect_close(self) -> None:
        """Waits until the proxy closes or resets the connection; what still arrives is discarded."""
        while not self.at_end():
            self.reader.take_buffered()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self, body: bytes = b"ok", status: str = "200 OK", *fields: str) -> None:
        lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"]
        self.send("".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n" + body)

    def switch(self, protocol: str = "websocket", *fields: str, behind: bytes = b"") -> wire.Request:
        """A request, and a 101 that changes to `protocol`, with `behind` in the same write."""
        request = self.request()
        lines = ["HTTP/1.1 101 Switching Protocols", f"Upgrade: {protocol}", "Connection: Upgrade", *fields]
        self.send("".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n" + behind)
        return request

    @contextlib.contextmanager
    def in_one_piece(self):
        """What is sent meanwhile arrives together, if it is not too much."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        yield
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def end_tls(self) -> None:
        """Sends close_notify, and does not wait for the proxy's."""
        self._socket.settimeout(0)
        try:
            self._socket.unwrap()
        except ssl.SSLWantReadError:
            self._socket.settimeout(PATIENCE)

    def finish_sending(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            # The proxy has seen enough, and has ended the connection already.
            if error.errno != errno.ENOTCONN:
                raise

    def close(self) -> None:
        self._socket.close()

    def end(self) -> None:
        """Ends it from outside its script, which sees the end of the stream."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It has ended already.

    def unread(self) -> int:
        """How many bytes wait that the script has not taken."""
        try:
            waiting = fcntl.ioctl(self._socket.fileno(), termios.FIONREAD, struct.pack("i", 0))
        except (OSError, ValueError):
            return 0  # Closed.
        return struct.unpack("i", waiting)[0]

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def hold(self, event: threading.Event) -> None:
        """Does nothing until the test lets it go on."""
        assert event.wait(PATIENCE), "the hold was not ended"


def answer_everything(connection: OriginConnection) -> None:
    """What a connection does without a script: 200 to each request until the proxy closes."""
    while not connection.at_end():
        connection.request()
        connection.answer()


class RawOrigin:
    def __init__(self, context: ssl.SSLContext | None = None, everywhere: bool = False,
                 address: str = "127.0.0.1", port: int = 0):
        """Listens on `address`, or on every address of this machine's network, of both families."""
        self.requests: list[wire.Request] = []
        self.connections: list[OriginConnection] = []
        self.errors: list[BaseException] = []
        self.finished = 0
        self.keep_bytes = True
        self.otherwise: Script = answer_everything
        self._context = context
        self._changes = Changes()
        self._scripts: queue.SimpleQueue[Script] = queue.SimpleQueue()
        if everywhere:
            self._listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
        else:
            self._listener = socket.create_server((address, port), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://{self.authority}"

    def script(self, *scripts: Script) -> None:
        """The next connections follow these, one each; `otherwise` serves those after them."""
        for script in scripts:
            self._scripts.put(script)

    def note(self, request: wire.Request) -> wire.Request:
        with self._changes:
            self.requests.append(request)
        return request

    def wait_for_requests(self, count: int) -> list[wire.Request]:
        self._changes.wait_for(lambda: len(self.requests) >= count, f"{count} requests at the origin")
        return self.requests

    def wait_for_finished(self, count: int) -> None:
        """Until `count` connections have come to the end of their scripts."""
        self._changes.wait_for(lambda: self.finished >= count, f"the end of {count} connections at the origin")
        self.check()

    def check(self) -> None:
        """Raises what went wrong in a script."""
        if self.errors:
            raise self.errors[0]

    def refuse(self) -> None:
        """From now on connections are refused, and those that there are end."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            connection.end()

    def listen_again(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self._threads.append(threading.Thread(target=self._accept, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        listener = self._listener
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                script = self._scripts.get_nowait()
            except queue.Empty:
                script = self.otherwise
            thread = threading.Thread(target=self._serve, args=[raw, script], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket, script: Script) -> None:
        try:
            with raw:
                raw.settimeout(PATIENCE)
                stream = self._context.wrap_socket(raw, server_side=True) if self._context else raw
                with stream:
                    connection = OriginConnection(self, stream)
                    with self._changes:
                        self.connections.append(connection)
                    script(connection)
        except ssl.SSLError:
            pass  # A handshake that the proxy refused; the test looks at the proxy's side.
        except BaseException as error:
            self.errors.append(error)
        finally:
            with self._changes:
                self.finished += 1

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a script of the origin does not end"
        self.check()
