"""Where a request ends: Content-Length, Transfer-Encoding and chunks in every disguise of request smuggling."""

from harness.client import get
from harness.conformance import Broken, chunked, fields, Forwarded, post, posted, Table
from harness.edge import edge  # noqa: F401

table = Table()
add, refuse = table.add, table.refuse

# Content-Length

refuse("Content-Length is one number in decimal digits (RFC 9110 section 8.6, RFC 9112 section 6.3).", {
    f"the length {value!r}": post(b"Content-Length:" + value, body=b"abc") for value in [
        b"", b" ", b" +3", b" -3", b" -0", b" 0x3", b" 3x", b" x3", b" 3.0", b" 3e0", b" 3,", b" ,3", b" 3,3", b" 3, 3",
        b" 3, 4", b" 3 3", b" 3\t3", b" 3;3", b' "3"', b" '3'", b" 3\x0b", b" \x0c3", b" 3\0", b" \0", b" three",
        b" \xb3", b" \xd9\xa3", b" 3_0", b" 1 000", b" 0b11", b" 0o3", b" 3L", b" NaN", b" Infinity", b" 3\r\n ",
        b" (3)", b" 3:3", b" 3/3", b" 3%20"]
})
refuse("A length beyond all numbers is refused, never wrapped around (RFC 9112 section 6.3).", {
    f"the length {value}": post(b"Content-Length: %d" % value, body=b"abc") for value in [
        2**63, 2**64, 2**64 + 3, 2**32 * 2**32 * 10 + 3, 10**30 + 3, 10**400]
}, 413, 400)
refuse("Content-Length occurs once (RFC 9112 section 6.3).", {
    "two different lengths": post(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"),
    "two equal lengths": post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"),
    "two lengths, the first 0": post(b"Content-Length: 0", b"Content-Length: 40", body=b""),
    "two lengths in odd case": post(b"Content-Length: 3", b"content-lengtH: 4", body=b"abcd"),
    "two lengths apart": post(b"Content-Length: 3", b"X: y", b"Content-Length: 4", body=b"abcd"),
    "a good and a bad length": post(b"Content-Length: 3", b"Content-Length: x", body=b"abc"),
    "a good and an empty length": post(b"Content-Length: 3", b"Content-Length:", body=b"abc"),
})
refuse("A name that CGI and its kin read as a framing field is refused.", {
    "Content_Length": post(b"Content_Length: 3", body=b"abc"),
    "Content_Length beside Content-Length": post(b"Content-Length: 3", b"CONTENT_LENGTH: 4", body=b"abc"),
    "Transfer_Encoding": post(b"Transfer_Encoding: chunked", body=b"0\r\n\r\n"),
    "Transfer_Encoding beside Content-Length": post(b"Content-Length: 5", b"transfer_encoding: chunked",
                                                    body=b"0\r\n\r\n"),
})
for value, got in [(b"3", b"3"), (b"03", b"3"), (b"0000000003", b"3"), (b"0" * 300 + b"3", b"3")]:
    add(f"the length {value[:12]!r} of {len(value)}", "Leading zeros of a length mean nothing, and are not sent on.",
        post(b"Content-Length: " + value, body=b"abc"), posted(b"abc", "length", has=(b"Content-Length: " + got,)))
add("a length of 0", "A length of 0 is kept: the request has content, an empty one (RFC 9110 section 8.6).",
    post(b"Content-Length: 0"), posted(b"", "length"))
add("no length", "A request without framing has no content (RFC 9112 section 6.3).", post(), posted(b"", "none"))
add("GET with content", "Content of a GET is framed like any other (RFC 9110 section 9.3.1).",
    fields(b"Content-Length: 3") + b"abc", Forwarded(body=b"abc", framing="length"))
add("GET with chunks", "Content of a GET is framed like any other (RFC 9110 section 9.3.1).",
    fields(b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n", Forwarded(body=b"abc", framing="chunked"))
add("HEAD with content", "Content of a HEAD request is framed like any other (RFC 9110 section 9.3.2).",
    fields(b"Content-Length: 3", method=b"HEAD") + b"abc", Forwarded(b"HEAD /case HTTP/1.1", b"abc"), "HEAD")
add("content that looks like a request", "Content is content (RFC 9112 section 6.3).",
    post(b"Content-Length: %d" % len(get("/evil")), body=get("/evil")), posted(get("/evil"), "length"))
add("a field that looks like a length", "Only Content-Length is a length.",
    post(b"X-Content-Length: 9", b"Content-Length: 3", body=b"abc"), posted(b"abc", "length"))

# Transfer-Encoding

BEHIND_TE = b"0\r\n\r\n"
refuse("Transfer-Encoding is exactly chunked, once (RFC 9112 sections 6.1 and 7).", {
    f"the coding {value!r}": post(b"Transfer-Encoding:" + value, body=BEHIND_TE) for value in [
        b"", b" ", b" identity", b" xchunked", b" chunkedx", b" x-chunked", b" chunke", b" chunked,", b" ,chunked",
        b" chunked, chunked", b" chunked,chunked", b" identity, chunked", b" chunked, identity", b" gzip, chunked",
        b" chunked, gzip", b" gzip", b" deflate", b" compress", b" br", b" cow", b" chunked cow", b" cow chunked",
        b" cow, chunked", b" chunked;", b" chunked;q=1", b" chunked; foo=bar", b" ;chunked", b' "chunked"',
        b" 'chunked'",
        b" chunk\xc3\xa9d", b" chun\xe2\x84\xaaed", b" \x0bchunked", b" \x0cchunked", b" chunked\x0b", b" chunked\x0c",
        b" \0chunked", b" chunked\0", b" chu\0nked", b" chunked\x1f", b" chunked\x7f", b" \x08chunked", b" \xa0chunked",
        b" chunked\xa0", b" \xffchunked", b" chunked\rX: y", b" chunked\nX: y", b" chunked\r", b" chunked\x85",
        b" chunked:", b" :chunked", b" [chunked]", b" chunked/1", b" chunked (comment)", b" trailers, chunked",
        b" Chunked, CHUNKED", b" null", b" true", b" 0", b" \\x63hunked", b" c%68unked", b" chunked\r\n , gzip"]
}, 400, 501)
refuse("Transfer-Encoding occurs once.", {
    "two codings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=BEHIND_TE),
    "chunked and identity": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=BEHIND_TE),
    "identity and chunked": post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=BEHIND_TE),
    "chunked and cow": post(b"Transfer-Encoding: chunked", b"Transfer-encoding: cow", body=BEHIND_TE),
    "chunked and nothing": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding:", body=BEHIND_TE),
    "gzip and chunked": post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=BEHIND_TE),
}, 400, 501)
refuse("Content-Length and Transfer-Encoding together are the mark of smuggling (RFC 9112 section 6.3).", {
    name: message for name, message in {
        "CL.TE": post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nG"),
        "TE.CL": post(b"Transfer-Encoding: chunked", b"Content-Length: 3", body=b"8\r\nSMUGGLED\r\n0\r\n\r\n"),
        "CL.0": post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "both, agreeing": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "both, apart": post(b"Content-Length: 5", b"X: y", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "both in odd case": post(b"CONTENT-LENGTH: 5", b"transfer-encoding: CHUNKED", body=b"0\r\n\r\n"),
        "both, and Connection names one": post(b"Connection: Content-Length", b"Content-Length: 5",
                                               b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "both, and Connection names the other": post(b"Connection: Transfer-Encoding", b"Content-Length: 5",
                                                     b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "TE.TE with identity": post(b"Content-Length: 4", b"Transfer-Encoding: identity", body=b"abcd"),
        "TE.TE with cow": post(b"Content-Length: 4", b"Transfer-Encoding: xchunked", body=b"abcd"),
        "TE.TE with two": post(b"Content-Length: 4", b"Transfer-Encoding: chunked", b"Transfer-Encoding: x",
                               body=b"5c\r\n"),
        "both in HTTP/1.0": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n",
                                 version=b"1.0"),
    }.items()
}, 400, 501)
refuse("HTTP/1.0 has no transfer codings (RFC 9112 section 6.1).", {
    "chunked in HTTP/1.0": post(b"Transfer-Encoding: chunked", body=BEHIND_TE, version=b"1.0"),
    "chunked and keep-alive in HTTP/1.0": post(b"Connection: keep-alive", b"Transfer-Encoding: chunked", body=BEHIND_TE,
                                               version=b"1.0"),
})
for value in [b"chunked", b"Chunked", b"CHUNKED", b"cHuNkEd", b"  chunked", b"\tchunked", b"chunked  ",
              b" \tchunked\t "]:
    add(f"the coding {value!r}", "Names of codings are case-insensitive, and whitespace around a value is none of it "
        "(RFC 9112 section 7).", post(b"Transfer-Encoding:" + value, body=b"3\r\nabc\r\n0\r\n\r\n"),
        posted(b"abc", "chunked", has=(b"Transfer-Encoding: chunked",)))
add("Connection names the framing", "Connection has no say in framing (RFC 9110 section 7.6.1).",
    post(b"Connection: Content-Length", b"Content-Length: 3", body=b"abc"), posted(b"abc", "length"))
add("Connection names the coding", "Connection has no say in framing (RFC 9110 section 7.6.1).",
    post(b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
    posted(b"abc", "chunked"))

# Chunks

for name, body in {
    "no size": b"\r\nabc\r\n0\r\n\r\n", "a sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "0x": b"0x3\r\nabc\r\n0\r\n\r\n", "a space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "a space behind the size": b"3 \r\nabc\r\n0\r\n\r\n", "a tab behind the size": b"3\t\r\nabc\r\n0\r\n\r\n",
    "a space behind the last size": b"3\r\nabc\r\n0 \r\n\r\n", "an underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
    "a size that is no number": b"g\r\nabc\r\n0\r\n\r\n", "a size with a dot": b"3.\r\nabc\r\n0\r\n\r\n",
    "a NUL behind the size": b"3\0\r\nabc\r\n0\r\n\r\n", "a size in quotes": b'"3"\r\nabc\r\n0\r\n\r\n',
    "a bare LF behind the size": b"3\nabc\r\n0\r\n\r\n", "a bare CR behind the size": b"3\rabc\r\n0\r\n\r\n",
    "CR CR LF behind the size": b"3\r\r\nabc\r\n0\r\n\r\n", "LF CR behind the size": b"3\n\rabc\r\n0\r\n\r\n",
    "a bare LF behind the data": b"3\r\nabc\n0\r\n\r\n", "a bare CR behind the data": b"3\r\nabc\r0\r\n\r\n",
    "nothing behind the data": b"3\r\nabc0\r\n\r\n", "a space behind the data": b"3\r\nabc \r\n0\r\n\r\n",
    "two bytes for the line end": b"3\r\nabcXX0\r\n\r\n", "data longer than its size": b"2\r\nabc\r\n0\r\n\r\n",
    "a size of 17 digits": b"00000000000000003\r\nabc\r\n0\r\n\r\n", "a size that wraps 64 bits":
    b"10000000000000003\r\nabc\r\n0\r\n\r\n", "a size beyond 63 bits": b"8000000000000000\r\nabc\r\n0\r\n\r\n",
    "a size of all ones": b"FFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n", "an endless size": b"0" * 300 + b"3\r\nabc\r\n",
    "an extension without a name": b"3;\r\nabc\r\n0\r\n\r\n", "an extension without a value":
    b"3;a=\r\nabc\r\n0\r\n\r\n", "an extension with a bare LF": b"3;a\nabc\r\n0\r\n\r\n",
    "an extension with a bare CR": b"3;a\rb\r\nabc\r\n0\r\n\r\n", "an extension with a LF in quotes":
    b'3;a="\n"\r\nabc\r\n0\r\n\r\n', "an extension with CR LF in quotes": b'3;a="\r\n"\r\nabc\r\n0\r\n\r\n',
    "an extension with an open quote": b'3;a="b\r\nabc\r\n0\r\n\r\n', "an extension with a NUL":
    b"3;a\0\r\nabc\r\n0\r\n\r\n", "an extension behind a space alone": b"3 a\r\nabc\r\n0\r\n\r\n",
    "an extension behind a comma": b"3,a\r\nabc\r\n0\r\n\r\n",
    "an extension with two =": b"3;a=b=c\r\nabc\r\n0\r\n\r\n",
    "an extension of the last chunk with a bare LF": b"3\r\nabc\r\n0;a\n\r\n", "an endless extension":
    b"3;" + b"a" * 20_000 + b"\r\nabc\r\n0\r\n\r\n", "a bare LF behind the last size": b"3\r\nabc\r\n0\n\r\n",
    "a bare LF for the end": b"3\r\nabc\r\n0\r\n\n", "a bare CR for the end": b"3\r\nabc\r\n0\r\n\rX",
    "LFs only": b"3\nabc\n0\n\n", "a trailer without a colon": b"3\r\nabc\r\n0\r\nbad\r\n\r\n",
    "a trailer with a space before the colon": b"3\r\nabc\r\n0\r\nX : y\r\n\r\n", "a folded trailer":
    b"3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n", "a trailer with a NUL": b"3\r\nabc\r\n0\r\nX: \0\r\n\r\n",
    "a trailer with a bare LF": b"3\r\nabc\r\n0\r\nX: y\n\r\n", "a trailer with a bare CR":
    b"3\r\nabc\r\n0\r\nX: y\rZ: z\r\n\r\n",
    "a trailer that is a request": b"3\r\nabc\r\n0\r\nGET /evil HTTP/1.1\r\n\r\n",
    "whitespace for a trailer": b"3\r\nabc\r\n0\r\n \r\n\r\n", "a field of content for a size": b"X: y\r\n\r\n",
    "a request for a chunk": get("/evil"), "letters of full width": "\uff13\r\nabc\r\n0\r\n\r\n".encode(),
}.items():
    add(f"chunks: {name}", "A chunk is size CRLF data CRLF to the letter (RFC 9112 section 7.1).", chunked(body),
        Broken((400, 413, 431)))
for name, body in {
    "an endless trailer": b"3\r\nabc\r\n0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    "a thousand trailers": b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
}.items():
    add(f"chunks: {name}", "Trailers are bounded like heads.", chunked(body), Broken((400, 431)))
for name, body, got in [
    ("one", b"3\r\nabc\r\n0\r\n\r\n", b"abc"), ("none", b"0\r\n\r\n", b""), ("many",
    b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
                                                                        b"abc"),
    ("capital digits", b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"), ("small digits",
    b"a\r\n0123456789\r\n0\r\n\r\n",
                                                                        b"0123456789"),
    ("leading zeros", b"0003\r\nabc\r\n0000\r\n\r\n", b"abc"), ("a size of 16 digits",
    b"0" * 15 + b"3\r\nabc\r\n0\r\n\r\n",
                                                              b"abc"),
    ("an extension", b"3;a\r\nabc\r\n0\r\n\r\n", b"abc"), ("an extension with a value",
    b"3;a=b\r\nabc\r\n0;c=d\r\n\r\n",
                                                         b"abc"),
    ("a long extension", b"3;" + b"a" * 2000 + b"=" + b"b" * 2000 + b"\r\nabc\r\n0\r\n\r\n", b"abc"),
    ("an extension in quotes", b'3;a="b;\\"0"\r\nabc\r\n0\r\n\r\n', b"abc"),
    ("an extension with whitespace", b"3 ; a = b ; c\r\nabc\r\n0\r\n\r\n", b"abc"),
    ("line ends as data", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    ("data that looks like the end", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    ("a trailer", b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", b"abc"),
]:
    add(f"chunks: {name}", "Chunks are taken apart and written anew, without extensions (RFC 9112 section 7.1.1).",
        chunked(body), posted(got, "chunked"))

test_request = table.tests()
