"""Bodies that show where bytes were lost, doubled or swapped, at any size and without holding them in memory."""

import random
import zlib
from typing import Iterator

_PRIME = 1_000_003
_BLOCK = random.Random(20260923).randbytes(_PRIME)
_DOUBLE = memoryview(_BLOCK + _BLOCK)

SIZES = [0, 1, 65_535, 65_536, 65_537, 1 << 20, 100_000_000]


def pieces(size: int, piece: int = 1 << 18) -> Iterator[memoryview]:
    """`size` bytes of content in pieces; the period is a prime, so that no lost buffer goes unnoticed."""
    sent = 0
    while sent < size:
        offset = sent % _PRIME
        length = min(piece, size - sent)
        yield _DOUBLE[offset : offset + length]
        sent += length


def content(size: int) -> bytes:
    return b"".join(pieces(size))


class Digest:
    """Length and CRC of a stream; two equal digests mean two equal bodies."""

    def __init__(self):
        self.length = 0
        self.crc = 0

    def write(self, data) -> None:
        self.length += len(data)
        self.crc = zlib.crc32(data, self.crc)

    def __eq__(self, other) -> bool:
        return (self.length, self.crc) == (other.length, other.crc)

    def __repr__(self) -> str:
        return f"{self.length} bytes, crc {self.crc:08x}"


_digests: dict[int, Digest] = {}


def digest(size: int) -> Digest:
    """The digest of `content(size)`."""
    if size not in _digests:
        result = Digest()
        for piece in pieces(size):
            result.write(piece)
        _digests[size] = result
    return _digests[size]


def chunked(data: bytes, piece: int = 8_000, trailers: bytes = b"") -> bytes:
    """`data` in the chunked coding, complete with its last chunk and `trailers` (whole lines)."""
    chunks = [data[at : at + piece] for at in range(0, len(data), piece)]
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + trailers + b"\r\n"
