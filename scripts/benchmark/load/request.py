"""Requests as they go over the wire."""

from ..site import Site


def request(site: Site, path: str, content: bytes = b"", chunk: int = 0, *fields: str, method: str = "GET") -> bytes:
    """With `chunk`, the content is sent in chunks of that size."""
    framing = []
    if chunk:
        framing = ["Transfer-Encoding: chunked"]
        pieces = [content[start:start + chunk] for start in range(0, len(content), chunk)]
        content = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    elif content:
        framing = [f"Content-Length: {len(content)}"]
    lines = [f"{method} {path} HTTP/1.1", f"Host: {site.origin.authority(False)}", "User-Agent: bench", "Accept: */*",
             *framing, *fields]
    return "".join(line + "\r\n" for line in lines).encode() + b"\r\n" + content
