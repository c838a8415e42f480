"""An origin that authenticates connections as NTLM does (MS-NTHT): the user who logs on is that of all that follows.

It believes every user name and checks no password; the messages are real ones, so that curl can log on as well.
"""

import base64
import struct

from .client import get
from .origin import OriginConnection

_SIGNATURE = b"NTLMSSP\0"
# Unicode, target name, NTLM, always sign, extended session security, target information.
_FLAGS = 0x1 | 0x4 | 0x200 | 0x8000 | 0x80000 | 0x800000


def message_type(message: bytes) -> int:
    assert message[:8] == _SIGNATURE, message
    return struct.unpack_from("<I", message, 8)[0]


def negotiate() -> bytes:
    """The client's first message."""
    return _SIGNATURE + struct.pack("<IIQQ", 1, _FLAGS, 0, 0)


def challenge() -> bytes:
    """The server's answer to that."""
    name = "TEST".encode("utf-16-le")
    information = struct.pack("<HH", 2, len(name)) + name + struct.pack("<HH", 0, 0)
    start = 48
    return (_SIGNATURE + struct.pack("<IHHI", 2, len(name), len(name), start) + struct.pack("<I", _FLAGS) + b"12345678"
            + bytes(8) + struct.pack("<HHI", len(information), len(information), start + len(name)) + name + information)


def authenticate(user: str) -> bytes:
    """The client's second message."""
    name = user.encode("utf-16-le")
    nothing = struct.pack("<HHI", 0, 0, 64)
    return (_SIGNATURE + struct.pack("<I", 3) + nothing * 3 + struct.pack("<HHI", len(name), len(name), 64) + nothing * 2
            + struct.pack("<I", _FLAGS) + name)


def user_of(message: bytes) -> str:
    length, _, start = struct.unpack_from("<HHI", message, 36)
    flags = struct.unpack_from("<I", message, 60)[0]
    return message[start : start + length].decode("utf-16-le" if flags & 1 else "latin-1")


def field(message: bytes, scheme: str = "NTLM", name: str = "Authorization") -> str:
    return f"{name}: {scheme} {base64.b64encode(message).decode()}"


class ConnectionAuthentication:
    """The script of an origin's connections. Each belongs to a user once that has logged on; until then all is refused."""

    def __init__(self, scheme: str = "NTLM", *, field: str = "authorization", offer: str | None = None):
        self.scheme = scheme
        self.offer = offer or f"WWW-Authenticate: {scheme}"
        self._field = field

    def __call__(self, connection: OriginConnection) -> None:
        user, is_challenged = None, False
        while not connection.at_end():
            request = connection.request()
            value = (request.value(self._field) or b"").decode()
            scheme, _, data = value.partition(" ")
            if scheme.lower() == self.scheme.lower():
                message = base64.b64decode(data)
                user = None
                if message_type(message) == 1:
                    is_challenged = True
                    connection.answer(b"challenge", "401 Unauthorized",
                                      f"WWW-Authenticate: {self.scheme} {base64.b64encode(challenge()).decode()}")
                    continue
                user = user_of(message) if is_challenged else None
                is_challenged = False
            if user:
                connection.answer(f"{user} {request.target.decode()}".encode())
            else:
                connection.answer(b"who?", "401 Unauthorized", self.offer)


def log_on(client, user: str, target: str = "http://api.internal/", scheme: str = "NTLM", name: str = "Authorization", **more):
    """Goes through the handshake, and returns the answer to its last request."""
    answer = client.exchange(get(target, field(negotiate(), scheme, name), **more))
    assert (answer.status, answer.body) == (401, b"challenge"), (answer.head, answer.body)
    offered, _, data = answer.value("www-authenticate").decode().partition(" ")
    assert (offered, message_type(base64.b64decode(data))) == (scheme, 2)
    return client.exchange(get(target, field(authenticate(user), scheme, name), **more))
