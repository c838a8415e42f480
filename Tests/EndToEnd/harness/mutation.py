"""Messages that are nearly well-formed, the same for the same seed."""

import random

INTERESTING = (list(b"\r\n\t :;,=0159aAfFxX-_/\\?#%@[].\"*chunked") + [0x00, 0x0B, 0x7F, 0x80, 0xFF])
SNIPPETS = [
    b"\r\n", b"\r\n\r\n", b"\n", b"Content-Length: 3\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n", b"Host: b\r\n", b"0\r\n\r\n", b"Connection: close\r\n", b"X-A : b\r\n",
    b" folded\r\n", b"chunked", b", chunked", b"+", b"00", b";x=y", b"HTTP/1.0", b"HTTP/1.1", b"%2e%2e/",
]


def mutated(message: bytes, choose: random.Random) -> bytes:
    changed = bytearray(message)
    for _ in range(choose.choice([1, 1, 1, 2, 3])):
        position = choose.randrange(len(changed))
        kind = choose.randrange(6)
        if kind == 0:
            changed[position] = choose.choice(INTERESTING)
        elif kind == 1:
            changed.insert(position, choose.choice(INTERESTING))
        elif kind == 2:
            del changed[position]
        elif kind == 3:
            piece = changed[position : position + choose.randrange(1, 13)]
            at = choose.randrange(len(changed))
            changed[at:at] = piece
        else:
            # Where lines begin, most of what it means for two parsers to differ begins.
            lines = [0] + [at + 2 for at in range(len(changed) - 1) if changed[at : at + 2] == b"\r\n"]
            at = choose.choice(lines) if kind == 4 else position
            changed[at:at] = choose.choice(SNIPPETS)
    return bytes(changed)
