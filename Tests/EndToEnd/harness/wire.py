"""A strict reader of HTTP/1.x, for both ends of the proxy: what RFC 9112 does not allow, it does not accept."""

import re
from dataclasses import dataclass, field
from typing import Callable, Optional

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\x21-\x7e\x80-\xff]?(?:[\t \x21-\x7e\x80-\xff]*"
                    rb"[\x21-\x7e\x80-\xff])?)[ \t]*")
_STATUS = re.compile(rb"HTTP/(1\.[01]) ([1-5]\d\d) ([\t \x21-\x7e\x80-\xff]*)")
_REQUEST = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/(1\.[01])")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t \x21-\x7e\x80-\xff]*)?")

HEAD_LIMIT = 256 * 1024


class Incomplete(Exception):
    """The stream ended, or was reset, inside a message."""


class Malformed(Exception):
    """Bytes that are no HTTP/1.x message."""


class Reader:
    """Takes messages off a stream. `receive` returns bytes, and `b""` at the end; a reset ends the stream too."""

    def __init__(self, receive: Callable[[], bytes]):
        self._receive = receive
        self._buffer = bytearray()
        self._reset = False

    def _more(self) -> bool:
        try:
            data = self._receive()
        except ConnectionResetError:
            self._reset = True
            return False
        self._buffer += data
        return bool(data)

    def at_end(self) -> bool:
        """Whether the stream is over; waits until that is known."""
        return not self._buffer and not self._more()

    def head(self) -> bytes:
        """Everything up to and with the empty line."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise Malformed("endless head")
            if not self._more():
                raise Incomplete(f"the stream ended inside a head: {bytes(self._buffer)!r}")
        return self._take(end + 4)

    def line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise Malformed("endless line")
            if not self._more():
                raise Incomplete(f"the stream ended inside a line: {bytes(self._buffer)!r}")
        return self._take(end + 2)[:-2]

    def copy(self, length: int, sink) -> None:
        while length:
            if not self._buffer and not self._more():
                raise Incomplete(f"the stream ended {length} bytes before the end of the body")
            piece = self._take(min(length, len(self._buffer)))
            sink.write(piece)
            length -= len(piece)

    def copy_to_end(self, sink) -> None:
        while not self.at_end():
            sink.write(self.take_buffered())
        if self._reset:
            raise Incomplete("the stream was reset, so that its end is not the end of the body")

    def copy_chunked(self, sink) -> list[tuple[bytes, bytes]]:
        """Decodes a chunked body and returns its trailers."""
        while True:
            line = self.line()
            if not (match := _CHUNK.fullmatch(line)):
                raise Malformed(f"chunk size {line!r}")
            size = int(match[1], 16)
            if size == 0:
                break
            self.copy(size, sink)
            if (end := self.line()) != b"":
                raise Malformed(f"{end!r} after a chunk")
        trailers = []
        while line := self.line():
            trailers.append(parse_field(line))
        return trailers

    def exactly(self, length: int) -> bytes:
        """The next `length` bytes."""
        while len(self._buffer) < length:
            if not self._more():
                raise Incomplete(f"the stream ended after {bytes(self._buffer)!r}")
        return self._take(length)

    @property
    def was_reset(self) -> bool:
        """Whether the stream has ended with a reset."""
        return self._reset

    def buffered(self) -> bytes:
        """What has arrived and was not taken yet."""
        return bytes(self._buffer)

    def take_buffered(self) -> bytes:
        return self._take(len(self._buffer))

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken


class Whole:
    """A sink that keeps everything."""

    def __init__(self):
        self._data = bytearray()

    def write(self, data) -> None:
        self._data += data

    def bytes(self) -> bytes:
        return bytes(self._data)


@dataclass
class Message:
    head: bytes
    start_line: bytes
    fields: list[tuple[bytes, bytes]]
    version: bytes = b""
    body: bytes = b""
    framing: str = "none"
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def values(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def value(self, name: str) -> Optional[bytes]:
        """The field's value, None without it; several of them are a mistake."""
        values = self.values(name)
        assert len(values) < 2, f"{len(values)} {name} fields in {self.head!r}"
        return values[0] if values else None

    @property
    def lines(self) -> list[bytes]:
        """The field lines as they were sent."""
        return self.head[:-4].split(b"\r\n")[1:]


@dataclass
class Request(Message):
    method: bytes = b""
    target: bytes = b""


@dataclass
class Answer(Message):
    status: int = 0
    reason: bytes = b""
    interim: list["Answer"] = field(default_factory=list)

    @property
    def proxy_status(self) -> bytes | None:
        """Proxy-Status without the identifier of the request, which is another one each time."""
        value = self.value("proxy-status")
        return value and re.sub(rb'; request_id="[^"]+"$', b"", value)

    @property
    def body_without_id(self) -> bytes:
        """The body of a problem without the identifier of the request."""
        return re.sub(rb', "request_id": "[^"]+"', b"", self.body)


def parse_field(line: bytes) -> tuple[bytes, bytes]:
    if not (match := _FIELD.fullmatch(line)):
        raise Malformed(f"field line {line!r}")
    return match[1], match[2]


def _fields(head: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    start, *lines = head[:-4].split(b"\r\n")
    return start, [parse_field(line) for line in lines]


def parse_request(head: bytes) -> Request:
    start, fields = _fields(head)
    if not (match := _REQUEST.fullmatch(start)):
        raise Malformed(f"request line {start!r}")
    return Request(head, start, fields, version=match[3], method=match[1], target=match[2])


def parse_answer(head: bytes) -> Answer:
    start, fields = _fields(head)
    if not (match := _STATUS.fullmatch(start)):
        raise Malformed(f"status line {start!r}")
    return Answer(head, start, fields, version=match[1], status=int(match[2]), reason=match[3])


def _length(message: Message) -> Optional[int]:
    lengths, codings = message.values("content-length"), message.values("transfer-encoding")
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Malformed(f"framing of {message.head!r}")
        message.framing = "chunked"
        return None
    if lengths:
        if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
            raise Malformed(f"framing of {message.head!r}")
        message.framing = "length"
        return int(lengths[0])
    return None


def _read_body(reader: Reader, message: Message, length: Optional[int], sink) -> None:
    keep = sink or Whole()
    if message.framing == "chunked":
        message.trailers = reader.copy_chunked(keep)
    elif message.framing == "close":
        reader.copy_to_end(keep)
    elif length:
        reader.copy(length, keep)
    if sink is None:
        message.body = keep.bytes()


def read_request_body(reader: Reader, request: Request, sink=None) -> Request:
    _read_body(reader, request, _length(request), sink)
    return request


def read_request(reader: Reader, sink=None) -> Request:
    return read_request_body(reader, parse_request(reader.head()), sink)


def read_answer_head(reader: Reader, may_switch: bool = False) -> Answer:
    """The head of the final answer, or, where it may, of the 101 behind which HTTP ends."""
    interim = []
    while True:
        answer = parse_answer(reader.head())
        if answer.status >= 200 or (answer.status == 101 and may_switch):
            answer.interim = interim
            return answer
        if answer.status == 101 or answer.values("content-length") or answer.values("transfer-encoding"):
            raise Malformed(f"interim answer {answer.head!r}")
        interim.append(answer)


def read_answer(reader: Reader, to: str = "GET", sink=None) -> Answer:
    answer = read_answer_head(reader)
    length = _length(answer)
    if to == "HEAD" or answer.status in (204, 304):
        return answer
    if answer.framing == "none":
        answer.framing = "close"
    _read_body(reader, answer, length, sink)
    return answer
