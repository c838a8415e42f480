"""Request lines, and the versions in them: what is not to the letter is refused, and nothing of it goes on."""

from harness.conformance import fields, Forwarded, HOST, line, post, posted, Table, target
from harness.edge import edge  # noqa: F401

table = Table()
add, refuse = table.add, table.refuse

# The request line

refuse("A request line is method SP target SP version CRLF and nothing else (RFC 9112 section 3).", {
    "two spaces behind the method": line(b"GET  http://api.internal/case HTTP/1.1"),
    "two spaces before the version": line(b"GET http://api.internal/case  HTTP/1.1"),
    "a space behind the version": line(b"GET http://api.internal/case HTTP/1.1 "),
    "a space before the method": line(b" GET http://api.internal/case HTTP/1.1"),
    "a tab for a space": line(b"GET\thttp://api.internal/case\tHTTP/1.1"),
    "a vertical tab for a space": line(b"GET\x0bhttp://api.internal/case HTTP/1.1"),
    "a form feed before the version": line(b"GET http://api.internal/case\x0cHTTP/1.1"),
    "a no-break space for a space": line(b"GET\xa0http://api.internal/case HTTP/1.1"),
    "no method": line(b"http://api.internal/case HTTP/1.1"),
    "no target": line(b"GET HTTP/1.1"),
    "an empty target": line(b"GET  HTTP/1.1"),
    "a fourth word": line(b"GET http://api.internal/case HTTP/1.1 HTTP/1.1"),
    "a space in the target": line(b"GET http://api.internal/a b HTTP/1.1"),
    "a second request hidden in the target": line(b"GET http://api.internal/ HTTP/1.1 GET /next HTTP/1.1"),
    "a colon in the method": line(b"GET: http://api.internal/case HTTP/1.1"),
    "a slash in the method": line(b"GET/ http://api.internal/case HTTP/1.1"),
    "brackets in the method": line(b"G[E]T http://api.internal/case HTTP/1.1"),
    "quotes around the method": line(b'"GET" http://api.internal/case HTTP/1.1'),
    "a NUL in the method": line(b"GE\0T http://api.internal/case HTTP/1.1"),
    "a byte above ASCII in the method": line(b"G\xc9T http://api.internal/case HTTP/1.1"),
    "a control byte in the method": line(b"G\x7fT http://api.internal/case HTTP/1.1"),
    "a NUL in the target": line(b"GET http://api.internal/\0case HTTP/1.1"),
    "a DEL in the target": line(b"GET http://api.internal/\x7fcase HTTP/1.1"),
    "a bell in the target": line(b"GET http://api.internal/\x07case HTTP/1.1"),
    "a bare CR in the target": line(b"GET http://api.internal/\rcase HTTP/1.1"),
    "a bare CR before the CR LF": line(b"GET http://api.internal/case HTTP/1.1\r"),
    "a bare CR for a line end": b"GET http://api.internal/case HTTP/1.1\r" + HOST + b"\r\n",
    "a bare LF for a line end": b"GET http://api.internal/case HTTP/1.1\n" + HOST + b"\r\n",
    "LF CR for a line end": b"GET http://api.internal/case HTTP/1.1\n\r" + HOST + b"\r\n",
    "a line of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "an empty line of one LF first": b"\n" + line(b"GET http://api.internal/case HTTP/1.1"),
    "an empty line of one CR first": b"\r" + line(b"GET http://api.internal/case HTTP/1.1"),
    "a byte order mark first": b"\xef\xbb\xbf" + line(b"GET http://api.internal/case HTTP/1.1"),
    "many empty lines first": b"\r\n" * 20 + line(b"GET http://api.internal/case HTTP/1.1"),
    "a status line": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a field line first": b"X-First: 1\r\n" + line(b"GET http://api.internal/case HTTP/1.1"),
})
add("one empty line first", "An empty line before the request line is ignored (RFC 9112 section 2.2).",
    b"\r\n" + fields(), Forwarded())
add("a method of one's own", "Methods that a proxy does not know are forwarded (RFC 9110 section 9.1).",
    target("http://api.internal/case", "BREW"), Forwarded(b"BREW /case HTTP/1.1"))
add("a method of every token character", "A method is a token (RFC 9110 section 9.1).",
    target("http://api.internal/case", "!#$%&'*+-.^_`|~09aZ"), Forwarded(b"!#$%&'*+-.^_`|~09aZ /case HTTP/1.1"))
add("a lower-case method", "Methods are case-sensitive: get is not GET, and stays what it is (RFC 9110 section 9.1).",
    target("http://api.internal/case", "get"), Forwarded(b"get /case HTTP/1.1"))
refuse("A line may be too long for the server, which says so (RFC 9112 section 3).", {
    "an endless target": target("http://api.internal/" + "a" * 40_000),
    "an endless query": target("http://api.internal/?" + "a" * 40_000),
    "an endless host": target("http://" + "a" * 40_000 + "/"),
}, 414)
refuse("A method longer than any known gets 501 (RFC 9112 section 3).",
       {"an endless method": target("/api/", "A" * 40_000)}, 501, 414)
add("a request line of 8000 bytes", "A request line of 8000 bytes is within every limit (RFC 9112 section 3).",
    target("http://api.internal/" + "a" * 7960), Forwarded(b"GET /" + b"a" * 7960 + b" HTTP/1.1"))

# Versions

refuse("HTTP-version is HTTP/DIGIT.DIGIT in capitals (RFC 9112 section 2.3).", {
    f"the version {version!r}": line(b"GET http://api.internal/case " + version) for version in [
        b"http/1.1", b"Http/1.1", b"HTTP1.1", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/1,1", b"HTTP/11", b"HTTP/1.10",
        b"HTTP/01.1", b"HTTP/1.01", b"HTTP/ 1.1", b"HTTP /1.1", b"HTTP/1. 1", b"HTTP/+1.1", b"HTTP/-1.1", b"HTTP/1.1.1",
        b"HTTP/1.x", b"HTTP/x.1", b"HTTP/one", b"HTTPS/1.1", b"HTP/1.1", b"HTTP\\1.1", b"HTTP/1.1\0", b"\0HTTP/1.1",
        b"HTTP/\xb9.1", b"ICY/1.0", b"RTSP/1.0", b"HTTP/", b"HTTP", b"1.1", b"HTTP//1.1", b"HTTP/1.1;q=1", b"HTTP/1.1,"]
})
refuse("Another major version is not supported (RFC 9110 section 15.6.6).", {
    f"the version {version!r}": line(b"GET http://api.internal/case " + version) for version in [
        b"HTTP/0.9", b"HTTP/0.0", b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/2.1"]
}, 505)
refuse("The preface of HTTP/2 is no HTTP/1.1 request (RFC 9113 section 3.4).",
       {"the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"}, 505, 400)
refuse("HTTP/0.9 has no version, no fields and no way to tell where a request ends (RFC 9112 section 2.3).", {
    "HTTP/0.9": b"GET http://api.internal/case\r\n",
    "HTTP/0.9 with a path": b"GET /api/case\r\n",
    "HTTP/0.9 with fields": b"GET /api/case\r\n" + HOST + b"\r\n",
})
for minor in b"2", b"9":
    add(f"the version 1.{minor.decode()}", "A higher minor version is read as 1.1 and sent on as 1.1 (RFC 9110 "
        "sections 2.5 and 6.2).", fields(version=b"1." + minor), Forwarded())
add("HTTP/1.0", "An HTTP/1.0 request is sent on with our version, and its connection ends (RFC 9112 section 9.3).",
    fields(version=b"1.0"), Forwarded(keeps=False))
add("HTTP/1.0 with keep-alive", "A proxy keeps no connection to an HTTP/1.0 client (RFC 9112 section 9.3).",
    fields(b"Connection: keep-alive", version=b"1.0"), Forwarded(keeps=False))
add("HTTP/1.0 without Host", "Host is required of HTTP/1.1 only (RFC 9112 section 3.2).",
    b"GET http://api.internal/case HTTP/1.0\r\n\r\n", Forwarded(keeps=False))
add("HTTP/1.0 with a length", "Content-Length frames an HTTP/1.0 request (RFC 9112 section 6.3).",
    post(b"Content-Length: 3", body=b"abc", version=b"1.0"), posted(b"abc", "length", keeps=False))

test_request = table.tests()
