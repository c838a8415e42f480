"""Field lines, what they may contain, and which of them stay on the connection."""

from harness.conformance import chunked, Denied, fields, Forwarded, HOST, post, posted, Table
from harness.edge import edge  # noqa: F401

table = Table()
add, refuse = table.add, table.refuse

# Field lines

refuse("No whitespace between a field name and its colon (RFC 9112 section 5.1).", {
    f"a space before the colon of {name!r}": fields(name + b" : x") for name in [b"X", b"Accept", b"Authorization"]
} | {"a tab before the colon": fields(b"X\t: x"), "a length with a space before the colon":
    post(b"Content-Length : 3", body=b"abc"), "a coding with a space before the colon":
    post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"), "a coding with a tab before the colon":
    post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"),
    "a coding with a vertical tab before the colon": post(b"Transfer-Encoding\x0b: chunked", body=b"0\r\n\r\n")})
refuse("Folded field lines are refused (RFC 9112 section 5.2).", {
    "a folded line": fields(b"X: a\r\n b"), "a line folded with a tab": fields(b"X: a\r\n\tb"),
    "a folded empty value": fields(b"X:\r\n b"), "a fold of spaces alone": fields(b"X: a\r\n  "),
    "a folded length": post(b"Content-Length:\r\n 3", body=b"abc"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"),
    "a coding folded with a tab": post(b"Transfer-Encoding:\r\n\tchunked", body=b"0\r\n\r\n"),
    "a coding hidden in a fold": post(b"X: a\r\n Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "a length hidden in a fold": post(b"X: a\r\n\tContent-Length: 5", body=b"hello"),
    "Authorization in a fold": fields(b"X: a\r\n Authorization: Bearer mine"),
    "whitespace before the first field": b"GET http://api.internal/case HTTP/1.1\r\n X: y\r\n" + HOST + b"\r\n",
    "a tab before the first field": b"GET http://api.internal/case HTTP/1.1\r\n\tX: y\r\n" + HOST + b"\r\n",
    "a line of spaces": fields(b"   "), "a line of a tab": fields(b"\t"), "a space before the empty line": fields(b" "),
})
refuse("A field name is a token (RFC 9110 section 5.1).", {
    f"the field name {name!r}": fields(name + b": x") for name in [
        b"", b"X Y", b"X\0Y", b"X\x01", b"X\x7f", b"X\xe4", b"X/Y", b"X(Y)", b"X,Y", b"X;Y", b"X<Y>", b"X=Y", b"X?Y",
        b"X@Y", b"X[Y]", b"X{Y}", b'"X"', b"X\\Y", b"\0", b"\xff", b"Content\xadLength", b"Content-Length\0",
        b"Transfer-Encoding\0", b"\x0bTransfer-Encoding", b"Transfer\tEncoding", b"Transfer Encoding", b"X\x0b"]
} | {"a line without a colon": fields(b"Transfer-Encoding chunked"), "a word alone": fields(b"X")})
refuse("A value contains no CR, LF or NUL, and no other control byte but HTAB (RFC 9110 section 5.5).", {
    f"byte {byte:#04x} {where}": fields(value) for byte in [*range(9), *range(11, 32), 127]
    if byte != 13 for where, value in {
        "in a value": b"X: a" + bytes([byte]) + b"b", "before a value": b"X:" + bytes([byte]) + b"b",
        "behind a value": b"X: a" + bytes([byte])}.items()
})
refuse("A CR stands before LF and nowhere else, and LF ends no line without it (RFC 9112 section 2.2).", {
    "a bare CR in a value": fields(b"X: a\rb"), "a bare CR before a value": fields(b"X:\rb"),
    "a bare CR behind a value": fields(b"X: a\r"), "a bare LF in a value": fields(b"X: a\nb"),
    "a field behind a bare CR": fields(b"X: a\rTransfer-Encoding: chunked"),
    "a field behind a bare LF": fields(b"X: a\nTransfer-Encoding: chunked"),
    "a field behind LF CR": fields(b"X: a\n\rY: b"), "a field behind CR CR LF": fields(b"X: a\r\r\nY: b"),
    "an end of the head of bare LFs": b"GET http://api.internal/case HTTP/1.1\r\nHost: api.internal\n\n",
    "an end of the head of CR LF LF": b"GET http://api.internal/case HTTP/1.1\r\n" + HOST + b"\n",
    "an end of the head of LF CR LF": b"GET http://api.internal/case HTTP/1.1\r\nHost: api.internal\n\r\n",
    "an end of the head of CR CR": b"GET http://api.internal/case HTTP/1.1\r\nHost: api.internal\r\r",
    "an end of the head of CR LF CR CR LF": b"GET http://api.internal/case HTTP/1.1\r\n" + HOST + b"\r\r\n",
    "LFs for all line ends": b"GET http://api.internal/case HTTP/1.1\nHost: api.internal\n\n",
    "CRs for all line ends": b"GET http://api.internal/case HTTP/1.1\rHost: api.internal\r\r",
    "fields with LFs": fields(b"X: 1", b"Y: 2", ending=b"\n"),
    "a name behind a bare LF": fields(b"\nX: 1"), "a name behind a bare CR": fields(b"\rX: 1"),
    "a NUL line": fields(b"\0"), "a NUL before the empty line": fields(b"X: 1\r\n\0"),
})
refuse("A head beyond the limits is refused as such (RFC 6585 section 5).", {
    "an endless field": fields(b"X: " + b"a" * 40_000), "an endless field name": fields(b"X" * 40_000 + b": a"),
    "a large head": fields(*[b"X-%d: " % n + b"v" * 1000 for n in range(40)]), "a thousand fields": fields(
        *[b"X: 1"] * 1000), "endless whitespace": fields(b"X:" + b" " * 40_000 + b"a"),
    "endless Host": b"GET /api/ HTTP/1.1\r\nHost: " + b"a" * 40_000 + b"\r\n\r\n",
}, 431)
for name, sent, got in [
    ("whitespace around a value", b"X:  \t a \t ", b"X: a"), ("no whitespace before a value", b"X:a", b"X: a"),
    ("an empty value", b"X:", b"X: "), ("a value of spaces", b"X:    ", b"X: "),
    ("whitespace in a value", b"X: a \t b", b"X: a \t b"), ("bytes above ASCII", b"X: \x80\xff\xc3\xa4",
    b"X: \x80\xff\xc3\xa4"),
    ("colons in a value", b"X: a:b: c", b"X: a:b: c"), ("every token character in a name", b"!#$%&'*+-.^_`|~09aZ: x",
                                                        b"!#$%&'*+-.^_`|~09aZ: x"),
    ("a value like a request", b"X: GET /next HTTP/1.1", b"X: GET /next HTTP/1.1"),
    ("encoded line ends in a value", b"X: a%0d%0aY: b\\r\\n", b"X: a%0d%0aY: b\\r\\n"),
]:
    add(name, "A value goes on without the whitespace around it, and otherwise as it is (RFC 9112 section 5.1).",
        fields(sent), Forwarded(has=(got,)))

# Connection, and what goes no further

for name, sent, has, lacks in [
    ("Connection names a field", [b"Connection: X-Hop", b"X-Hop: 1", b"X-Kept: 2"], [b"X-Kept: 2"], [b"x-hop"]),
    ("Connection names fields in odd case", [b"cOnnection: x-HOP , ,\tx-two", b"X-Hop: 1", b"X-TWO: 1"], [],
    [b"x-hop", b"x-two"]),
    ("Connection in several lines", [b"Connection: X-Hop", b"Connection: X-Two", b"X-Hop: 1", b"X-Two: 1"], [],
    [b"x-hop", b"x-two"]),
    ("Connection behind what it names", [b"X-Hop: 1", b"Connection: X-Hop"], [], [b"x-hop"]),
    ("Connection names nothing", [b"Connection:", b"X-Kept: 1"], [b"X-Kept: 1"], []),
    ("Connection names Host, Via and Authorization", [b"Connection: Host, Via, Authorization", b"Via: 1.1 before"],
    [b"Via: 1.1 before"], []),
    ("Keep-Alive", [b"Keep-Alive: timeout=5, max=1000"], [], [b"keep-alive"]),
    ("Proxy-Connection", [b"Proxy-Connection: keep-alive"], [], [b"proxy-connection"]),
    ("Proxy-Authorization", [b"Proxy-Authorization: Basic eDp5"], [], [b"proxy-authorization"]),
    ("Proxy, which CGI takes for a setting", [b"Proxy: http://evil.example/"], [], [b"proxy"]),
    ("Upgrade without Connection", [b"Upgrade: h2c"], [], [b"upgrade"]),
    ("TE", [b"TE: gzip, deflate;q=0.5", b"Connection: TE"], [], [b"te"]),
    ("TE: trailers", [b"TE: trailers", b"Connection: TE"], [b"TE: trailers"], []),
    ("Trailer", [b"Trailer: X-Later"], [b"Trailer: X-Later"], []),
    ("Via of others", [b"Via: 1.0 fred, 1.1 p.example"], [b"Via: 1.0 fred, 1.1 p.example"], []),
]:
    add(name, "Fields of the connection go no further, and what Connection names goes with them; Via grows (RFC 9110 "
        "section 7.6).", fields(*sent), Forwarded(has=tuple(has), lacks=tuple(lacks)))
ASKED = [b"Connection: Upgrade", b"Upgrade: websocket"]
for name, sent, has, keeps in [
    ("Upgrade", ASKED, [b"Upgrade: websocket", b"Connection: Upgrade"], None),
    ("Upgrade in odd case", [b"connection:UPGRADE,\tx", b"uPGRADE: \tWebSocket ", b"X: y"],
     [b"Upgrade: WebSocket", b"Connection: Upgrade"], None),
    ("Upgrade in two lines", [*ASKED, b"Upgrade: foo/2 , ,bar"], [b"Upgrade: websocket, foo/2, bar"], None),
    ("Upgrade with TE", [*ASKED, b"TE: trailers"], [b"Connection: TE, Upgrade", b"TE: trailers"], None),
    ("Upgrade that Connection names twice", [b"Connection: Upgrade", *ASKED], [b"Connection: Upgrade"], None),
    ("Upgrade to h2c", [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"], [], None),
    ("Upgrade to h2c among others", [*ASKED, b"Upgrade: h2c"], [b"Upgrade: websocket"], None),
    ("Upgrade that is malformed", [b"Connection: Upgrade", b"Upgrade: websocket;q=1"], [], None),
    ("Upgrade with a quoted string", [b"Connection: Upgrade", b'Upgrade: "websocket"'], [], None),
    ("Connection: upgrade without Upgrade", [b"Connection: Upgrade"], [], True),
    ("Upgrade that Connection does not name", [b"Upgrade: websocket", b"Connection: x-upgrade"], [], True),
]:
    add(name, "Upgrade is written anew, without HTTP and TLS, or left out (RFC 9110 section 7.8). What comes behind such a "
        "request before its answer is no request (RFC 9931; see test_upgrade.py).", fields(*sent),
        Forwarded(has=tuple(has), lacks=() if has else (b"upgrade",), keeps=keeps))
add("Upgrade with content", "The end of the content could not be told from the new protocol: Upgrade is left out.",
    post(*ASKED, b"Content-Length: 3", body=b"abc"), posted(b"abc", "length", lacks=(b"upgrade",), keeps=None), "POST")
add("Upgrade with chunks", "The end of the content could not be told from the new protocol: Upgrade is left out.",
    chunked(b"3\r\nabc\r\n0\r\n\r\n", *ASKED), posted(b"abc", "chunked", lacks=(b"upgrade",), keeps=None), "POST")
add("Upgrade and close", "Behind the answer there will be nothing: Upgrade is left out.",
    fields(*ASKED, b"Connection: close"), Forwarded(lacks=(b"upgrade",), keeps=False))
add("Upgrade in HTTP/1.0", "Upgrade in HTTP/1.0 is ignored (RFC 9110 section 7.8).",
    fields(*ASKED, version=b"1.0"), Forwarded(lacks=(b"upgrade",), keeps=False))
refuse("Connection is a list of tokens (RFC 9110 section 7.6.1).", {
    f"Connection: {value!r}": fields(b"Connection: " + value) for value in [
        b'"X-Hop"', b"X Hop", b"X-Hop;", b"X-Hop: 1", b"\xe4", b"a=b", b"(x)", b", ".join([b"x"] * 200)]
})
add("Connection: close", "The connection ends with the answer, and nothing behind the request is one (RFC 9112 section "
    "9.6).", fields(b"Connection: close"), Forwarded(keeps=False))
add("Connection: close among others", "The connection ends with the answer (RFC 9112 section 9.6).",
    fields(b"Connection: keep-alive, X, CLOSE"), Forwarded(keeps=False))

# Expect

refuse("An expectation that is not 100-continue is refused: servers disagree about whether content follows (RFC 9110 "
       "section 10.1.1).", {
    f"Expect: {b', and '.join(values)!r}": post(
        *[b"Expect:" + value for value in values], b"Content-Length: 3", body=b"abc")
    for values in [
        [b""], [b" 100"], [b" continue"], [b" 100-continue-x"], [b" y 100-continue"], [b" 100-continue, 100-continue"],
        [b" 100-continue,"], [b" 100-continue;q=1"], [b' "100-continue"'], [b" 100 continue"], [b" 200-ok"], [b" x=y"],
        [b" 100-continue", b" 100-continue"], [b" 100-continue", b" x"], [b" x", b" 100-continue"],
        [b" 100-continue", b""]]
}, 417)
for value in [b"100-continue", b"100-Continue", b"  100-CONTINUE\t"]:
    add(f"Expect: {value!r} with content", "The expectation of 100-continue goes on (RFC 9110 section 10.1.1).",
        post(b"Expect: " + value, b"Content-Length: 3", body=b"abc"),
        Forwarded(b"POST /case HTTP/1.1", b"abc", has=(b"Expect: " + value.strip(),)))
for name, message, method in [
    ("in HTTP/1.0", post(b"Expect: 100-continue", b"Content-Length: 3", body=b"abc", version=b"1.0"), b"POST"),
    ("with GET", fields(b"Expect: 100-continue"), b"GET"), ("with a length of 0", post(
        b"Expect: 100-continue", b"Content-Length: 0"), b"POST"),
]:
    add(f"Expect: 100-continue {name}", "Without content, or in HTTP/1.0, the expectation means nothing (RFC 9110 "
        "section 10.1.1).", message, Forwarded(method + b" /case HTTP/1.1", b"abc" if name == "in HTTP/1.0" else b"",
                                       lacks=(b"expect",), keeps=name != "in HTTP/1.0"))

# Max-Forwards

OPTIONS = b"OPTIONS http://api.internal/case HTTP/1.1\r\n" + HOST
for name, value, left in [("1", b"1", b"0"), ("10", b"10", b"9"), ("007", b"007", b"6"),
                          ("beyond all numbers", b"9" * 40, b"18446744073709551614")]:
    add(f"OPTIONS with Max-Forwards: {name}", "Max-Forwards of OPTIONS is counted down (RFC 9110 section 7.6.2).",
        OPTIONS + b"Max-Forwards: " + value + b"\r\n\r\n",
        Forwarded(b"OPTIONS /case HTTP/1.1", has=(b"Max-Forwards: " + left,)))
add("OPTIONS with Max-Forwards: 1 that Connection names", "Connection does not stop the count.",
    OPTIONS + b"Connection: Max-Forwards\r\nMax-Forwards: 1\r\n\r\n",
    Forwarded(b"OPTIONS /case HTTP/1.1", has=(b"Max-Forwards: 0",)))
for value in [b"0", b"000"]:
    add(f"OPTIONS with Max-Forwards: {value.decode()}", "At 0 the proxy answers itself (RFC 9110 section 7.6.2).",
        OPTIONS + b"Max-Forwards: " + value + b"\r\n\r\n", Denied(200))
add("OPTIONS * with Max-Forwards: 0", "At 0 the proxy answers itself (RFC 9110 section 7.6.2).",
    b"OPTIONS http://api.internal HTTP/1.1\r\n" + HOST + b"Max-Forwards: 0\r\n\r\n", Denied(200))
refuse("Max-Forwards is one number (RFC 9110 section 7.6.2).", {
    f"OPTIONS with Max-Forwards: {value!r}": OPTIONS + b"Max-Forwards:" + value + b"\r\n\r\n" for value in [
        b"", b" -1", b" +1", b" 1, 2", b" 1\r\nMax-Forwards: 1", b" 0\r\nMax-Forwards: 5", b" 0x1", b" 1.0", b" one"]
})
add("GET with Max-Forwards: 0", "It means something to OPTIONS and TRACE only (RFC 9110 section 7.6.2).",
    fields(b"Max-Forwards: 0"), Forwarded(has=(b"Max-Forwards: 0",)))

test_request = table.tests()
