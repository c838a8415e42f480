"""How others read the same bytes: h11, and llhttp (Node's parser, through httptools)."""

from dataclasses import dataclass, field

import h11
import httptools


class Refused(Exception):
    """The other implementation takes the bytes for no message; the text says why. What it read before is kept."""

    def __init__(self, reason: str, before: list["Reading"] = []):
        super().__init__(reason)
        self.before = before


@dataclass
class Reading:
    """A message as one program read it: names in lower case, in their order."""

    method: bytes = b""
    target: bytes = b""
    status: int = 0
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


def h11_requests(data: bytes) -> list[Reading]:
    """The requests in `data`, one after another; the last may not be whole."""
    readings = []
    while data:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(data)
        try:
            reading = _h11(connection)
        except Refused as refusal:
            raise Refused(str(refusal), readings) from None
        if reading is None:
            break
        readings.append(reading)
        if not reading.whole:
            break
        data = connection.trailing_data[0]
    return readings


def h11_answer(data: bytes, method: bytes = b"GET") -> Reading:
    """The final answer in `data`, behind which the connection ends."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    reading = _h11(connection)
    if reading is None:
        raise Refused("no answer")
    return reading


def _h11(connection: h11.Connection) -> Reading | None:
    reading = None
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                reading = Reading(method=event.method, target=event.target, fields=list(event.headers))
            elif isinstance(event, h11.Response):
                reading = Reading(status=event.status_code, fields=list(event.headers))
            elif isinstance(event, h11.Data):
                reading.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                reading.whole = True
                return reading
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return reading
    except h11.RemoteProtocolError as error:
        if reading is not None and not reading.whole and "complete message body" in str(error):
            return reading
        raise Refused(f"h11: {error}") from None


class _Callbacks:
    def __init__(self):
        self.readings: list[Reading] = []
        self.parser = None
        self._past_head = False

    def on_message_begin(self):
        self.readings.append(Reading())
        self._past_head = False

    def on_url(self, url: bytes):
        self.readings[-1].target += url

    def on_header(self, name: bytes, value: bytes):
        if not self._past_head:  # What comes later are trailers.
            self.readings[-1].fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self):
        self._past_head = True
        if isinstance(self.parser, httptools.HttpRequestParser):
            self.readings[-1].method = self.parser.get_method()
        else:
            self.readings[-1].status = self.parser.get_status_code()

    def on_body(self, body: bytes):
        self.readings[-1].body += body

    def on_message_complete(self):
        self.readings[-1].whole = True


def llhttp_requests(data: bytes) -> list[Reading]:
    return _llhttp(data, httptools.HttpRequestParser)


def llhttp_answer(data: bytes) -> Reading:
    try:
        readings = _llhttp(data, httptools.HttpResponseParser)
    except Refused as refusal:
        # What is behind the answer is no part of it.
        if not any(reading.status >= 200 and reading.whole for reading in refusal.before):
            raise
        readings = refusal.before
    readings = [reading for reading in readings if reading.status >= 200]
    if not readings:
        raise Refused("no answer")
    reading = readings[0]
    # The end of the connection is the end of such a body; httptools has no call to tell it.
    if not reading.values(b"content-length") and not reading.values(b"transfer-encoding"):
        reading.whole = True
    return reading


def _llhttp(data: bytes, parser) -> list[Reading]:
    callbacks = _Callbacks()
    callbacks.parser = parser(callbacks)
    try:
        callbacks.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise Refused(f"llhttp: {error}", callbacks.readings) from None
    return callbacks.readings
