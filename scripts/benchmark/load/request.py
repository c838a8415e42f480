"""Requests as they go over the wire."""

from ..site import Site


def request(site: Site, path: str, *fields: str, method: str = "GET", content: bytes = b"", chunk: int = 0,
            tls: bool = False) -> bytes:
    """With `chunk`, the content is sent in chunks of that size; with `tls`, it is for the origin's port with TLS."""
    framing = []
    if chunk:
        framing = ["Transfer-Encoding: chunked"]
        pieces = [content[start:start + chunk] for start in range(0, len(content), chunk)]
        content = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    elif content:
        framing = [f"Content-Length: {len(content)}"]
    lines = [f"{method} {path} HTTP/1.1", f"Host: {site.origin.authority(tls)}", "User-Agent: bench", "Accept: */*",
             *framing, *fields]
    return "".join(line + "\r\n" for line in lines).encode() + b"\r\n" + content
