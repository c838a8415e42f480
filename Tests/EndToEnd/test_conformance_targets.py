"""Request targets and Host: where a request goes is clear, or it goes nowhere."""

from harness.conformance import Denied, Forwarded, HOST, Refused, Table, target
from harness.edge import edge  # noqa: F401

table = Table()
add, refuse = table.add, table.refuse

# Targets

refuse("The target is in one of four forms, and a URI of the http or https scheme (RFC 9112 section 3.2).", {
    f"the target {text!r}": target(text) for text in [
        "case", "api.internal/case", "api.internal", "api.internal:80", ":80/case", "?case", "./case", "../case",
        "\\case", "http:", "http:/", "http:/api.internal/case", "http:api.internal/case", "http:///case",
        "http:////api.internal/case", "http:\\\\api.internal\\case", "http//api.internal/case",
        "://api.internal/case", "h ttp://api.internal/case", "ftp://api.internal/case", "ws://api.internal/case",
        "wss://api.internal/case", "file:///etc/passwd", "gopher://api.internal/case", "javascript:alert(1)",
        "data:,case", "urn:case", "mailto:a@api.internal", "httpx://api.internal/case", "xhttp://api.internal/case",
        "http+unix://api.internal/case", "http%3a//api.internal/case", "*/", "**", "*?x", "<http://api.internal/case>",
        '"/api/case"', "%2fapi%2fcase", "http://?case", "http://:80/case", "http://#case"]
})
refuse("* goes with OPTIONS alone (RFC 9112 section 3.2.4).", {"GET *": target("*"), "POST *": target("*", "POST")})
for text, sent in {
    "http://user@api.internal/case": "/case", "http://user:password@api.internal/case": "/case",
    "http://@api.internal/case": "/case", "http://:@api.internal/case": "/case",
    "http://evil.example@api.internal/case": "/case", "http://evil.example:80@api.internal/case": "/case",
    "http://user%40x@api.internal/": "/", "http://user:p^w@api.internal/@x": "/@x",
}.items():
    add(f"the target {text!r}", "A user name in a target is never sent on (RFC 9110 section 4.2.4).", target(text),
        Forwarded(f"GET {sent} HTTP/1.1".encode()))
for text in ["http://api.internal@evil.example/case", "http://api.internal:80@evil.example/",
             "http://api.internal:80@evil.example/case"]:
    add(f"the target {text!r}", "The host is what follows the user name (RFC 3986 section 3.2).", target(text),
        Denied(403))
refuse("Programs differ in where such a user name ends (RFC 3986 section 7.6).", {
    f"the target {text!r}": target(text) for text in [
        "http://a@b@api.internal/", "http://api.internal\\@evil.example/", "http://evil.example\\@api.internal/",
        "http://[::1]@api.internal/", "http://a%0d%0aX:y@api.internal/", "http://a%00@api.internal/",
        "http://a%3ab:c@api.internal/", "http://a%@api.internal/", "http://a%zz@api.internal/",
        "http://evil.example#@api.internal/", "http://api.internal#@evil.example/case"]
})
refuse("A host is a name of letters, digits, hyphens, underscores and dots, or an IP address (RFC 3986 section 3.2.2, "
       "and no looser).", {
    f"the host {host!r}": target(f"http://{host}/case") for host in [
        "api..internal", ".api.internal", "api.internal..", "..", ".", "api internal", "api_internal!", "api,internal",
        "api;internal", "api=internal", "(api.internal)", "$api.internal", "api*internal", "api'internal",
        "api%2einternal", "%61pi.internal", "api.internal%00", "api.internal%2f", "api.internal%23",
        "api.internal%3a80",
        "api.internal%40evil.example", "api.internal\\evil.example", "api|internal", "api^internal", "api`internal",
        "{api.internal}", "api\"internal", "<api.internal>", "api~internal", "api+internal", "api&internal",
        "[api.internal]", "[", "]", "[]", "[::1", "::1]", "::1", "[::1]x", "x[::1]", "[:::1]", "[1::2::3]", "[::12345]",
        "[::g]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[::1%25eth0]", "[fe80::1%eth0]", "[::1.2.3]",
        "[::256.1.1.1]", "[v1.fe80::a]", "[ ::1]", "[::1 ]", "[127.0.0.1]", "[::01.2.3.4]", "a" * 64 + ".internal",
        ".".join(["a" * 60] * 5)]
})
refuse("Numbers that programs read as different addresses are no hosts (RFC 3986 section 7.4).", {
    f"the host {host!r}": target(f"http://{host}/case") for host in [
        "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.01",
        "127.0.0.256", "127.0.0.1.", "1.2.3.4.5", "0", "1", "256", "4294967296", "0x", "127.0.0.0x1", "00.0.0.0",
        "127.000.000.001", "api.internal.1", "api.internal.0x1"]
})
refuse("A host of an international name is written in ASCII (RFC 3986 section 3.2.2).", {
    f"the host {host!r}": b"GET http://" + host + b"/case HTTP/1.1\r\n" + HOST + b"\r\n" for host in [
        "\u0430pi.internal".encode(), "api\u3002internal".encode(), "api\uff0einternal".encode(), b"\xe4pi.internal",
        "\u24d0pi.internal".encode(), "api.internal\u200b".encode(), "\u2488.internal".encode(), b"api.internal\xff"]
})
refuse("A port is a number from 1 to 65535 (RFC 3986 section 3.2.3, RFC 9110 section 4.2.1).", {
    f"the port {port!r}": target(f"http://api.internal:{port}/case") for port in [
        "0", "00", "00000", "65536", "65616", "99999", "4294967376", "18446744073709551696", "-1", "+80", "80x", "x80",
        "0x50", "8 0", "80:80", ":80", "80.0", "8e1", "80%00", "%38%30", "80;", "80,80", "http",
        "000000000000080"]
})
for port in ["", "80", "080", "00080", "443"]:
    add(f"the port {port!r}", "Leading zeros of a port, or no digits at all, change nothing (RFC 3986 section 3.2.3).",
        target(f"http://api.internal:{port}/case"), Forwarded())
for text, sent in {
    "http://api.internal/case#": "/case", "http://api.internal/case#x": "/case", "http://api.internal#": "/",
    "http://api.internal/?x#y": "/?x", "/api/case#x": "/case", "/api#": "/", "/api/case?x=#": "/case?x=",
    "http://api.internal/a#b#c/../d?e@f": "/a", 'http://api.internal/a#"<>\\%': "/a", "/api/case#/../../x": "/case",
}.items():
    add(f"the target {text!r}", "A fragment is never sent on (RFC 9112 section 3.2).", target(text),
        Forwarded(f"GET {sent} HTTP/1.1".encode()))
refuse("A fragment alone is no target (RFC 9112 section 3.2).", {
    f"the target {text!r}": target(text) for text in ["#", "#x", "*#x", "#/case"]})
add("the target '/#'", "Without its fragment it is the root, which is not mounted.", target("/#"), Denied(403))
refuse("A path contains pchar only, and % begins two hexadecimal digits (RFC 3986 section 3.3).", {
    f"the path {path!r}": target(f"http://api.internal{path}") for path in [
        "/%", "/%4", "/%zz", "/%4g", "/%g4", "/%%", "/%u0041", "/a%", "/%00", "/a%00b", "/% 20", "/a\\b", "/\\",  "/%-1",
        "/%+1", '/%"', "/%4{"]
})
refuse("A target has no control characters (RFC 9112 section 3.2).", {
    f"the path {path!r}": b"GET http://api.internal" + path + b" HTTP/1.1\r\n" + HOST + b"\r\n" for path in [
        b"/\x1f", b"/?\x01", b"/?a\tb", b"/\xc3\xa4\x7f", b"/\xc3\xa4\x01", b"/\xc3\xa4\\b", b"/\xc3\xa4%", b"/?\xe4\x00"]
})
for path, sent in {
    "/\u00e4".encode(): "/%C3%A4", b"/\xff": "/%FF", b"/\x80": "/%80", "/\u2025/x".encode(): "/%E2%80%A5/x",
    b"/?\xff": "/?%FF", b'/a"b': "/a%22b", b"/a<b": "/a%3Cb", b"/a>b": "/a%3Eb", b"/a|b^c`d{e}":
    "/a%7Cb%5Ec%60d%7Be%7D", b'/?q={"a":[1]}|^`<>': "/?q=%7B%22a%22:[1]%7D%7C%5E%60%3C%3E", b"/\xe4?%": "/%E4?%",
    b"/case?\\{": "/case?\\%7B",
}.items():
    add(f"the path {path!r}", "What a URL cannot have is percent-encoded (RFC 9112 section 3.2, RFC 3986 section 2.1).",
        b"GET http://api.internal" + path + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        Forwarded(f"GET {sent} HTTP/1.1".encode()))
for text in ["http://api.internal/../\u00e4", "/api/../\u00e4", "/api/..\u00c0\u00af\u00e4"]:
    add(f"the target {text!r}", "What a path is encoded to is judged like any other.",
        f"GET {text} HTTP/1.1\r\n".encode("latin-1") + HOST + b"\r\n",
        Denied(403) if text.startswith("/") else Forwarded(b"GET /../%E4 HTTP/1.1"))
for text, sent in {
    "http://api.internal": "/", "http://api.internal/": "/", "http://api.internal?": "/?",
    "http://api.internal?a=b": "/?a=b", "HTTP://api.internal/case": "/case", "hTtP://API.internal/case": "/case",
    "http://API.INTERNAL/Case": "/Case", "http://api.internal./case": "/case", "http://api.internal:/case": "/case",
    "https://api.internal/case": "/case", "HTTPS://api.internal:443/case": "/case", "/api/case": "/case",
    "/api": "/", "/api?x": "/?x", "/api//case": "//case", "http://api.internal//case": "//case",
    "http://api.internal//evil.example/x": "//evil.example/x", "http://api.internal/http://evil.example/":
    "/http://evil.example/", "http://api.internal/@evil.example": "/@evil.example",
    "http://api.internal/?@evil.example":
    "/?@evil.example", "http://api.internal/?http://evil.example/": "/?http://evil.example/",
    "http://api.internal/%2e%2e/x": "/%2e%2e/x", "http://api.internal/%0d%0aX:%20y": "/%0d%0aX:%20y",
    "http://api.internal/a;b=c": "/a;b=c", "http://api.internal/:80": "/:80", "http://api.internal/?%": "/?%",
    "http://api.internal/?%00": "/?%00", "http://api.internal/?a\\b": "/?a\\b",
    "http://api.internal/%ff%FF": "/%ff%FF", "http://api.internal/a[1]": "/a[1]",
}.items():
    add(f"the target {text!r}", "Scheme and host are case-insensitive, an empty path is /, and what is valid goes on "
        "as it is (RFC 9110 section 4.2.3, RFC 9112 section 3.2.1).", target(text),
        Forwarded(f"GET {sent} HTTP/1.1".encode()))
for text in ["http://evil.example/", "http://api.internal.evil.example/", "http://xapi.internal/", "http://api/",
             "http://api.internal:8080/", "http://127.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
             "http://localhost/", "http://0.0.0.0/", "http://169.254.169.254/latest/meta-data/", "http://api-internal/",
             "http://xn--pi-6kc.internal/", "https://api.internal:8443/", "/", "/apis", "/case", "/API/case",
             "/../api/case", "//api/case", "/api/../case", "/api/%2e%2e/case", "/api/..;/case", "/api/x/../../case",
             "/api/.%2e/case", "/api/%2e%2e%2fcase", "/%61pi/case", "/api/%252e%252e/case",
             "/api/%25252e.%2525252fcase", "/api/.%252e%255ccase", "/api/%c0%ae%c0%ae/case", "/api/..%c0%afcase",
             "/api/%C0%AE./case", "/api/..%c1%9ccase", "/api/%25c0%25ae%c0%ae/case", "/api/..%253bx/case"]:
    add(f"the target {text!r}", "What no route names is refused before anything is sent anywhere.",
        target(text), Denied(403))
add("OPTIONS *", "OPTIONS * asks a server itself, and goes where / is mounted only (RFC 9112 section 3.2.4).",
    target("*", "OPTIONS"), Denied(403))
add("OPTIONS without a path", "The last proxy sends OPTIONS * for a target without path and query (RFC 9112 section "
    "3.2.4).", target("http://api.internal", "OPTIONS"), Forwarded(b"OPTIONS * HTTP/1.1"))
add("OPTIONS of a path", "OPTIONS of a path goes on as such (RFC 9110 section 9.3.7).",
    target("http://api.internal/", "OPTIONS"), Forwarded(b"OPTIONS / HTTP/1.1"))
add("CONNECT", "No tunnel leads past a route that adds a token, and what was meant for one is no request (RFC 9931).",
    target("api.internal:443", "CONNECT"), Refused((403,)))
refuse("The target of CONNECT is host:port and nothing else (RFC 9112 section 3.2.3).", {
    f"CONNECT {text!r}": target(text, "CONNECT") for text in [
        "api.internal", "http://api.internal/", "/api/", "*", "api.internal:", "api.internal:0", "api.internal:65536",
        "user@api.internal:443", "api.internal:443/", ":443", "api.internal:443#"]
})

for method in ["TRACE", "trace", "Trace", "TRACK", "track"]:
    add(method, "The answer to TRACE would show the token, in whatever case a server takes it for TRACE (RFC 9110 "
        "section 9.3.8).", target("http://api.internal/case", method), Denied(405))
for method in ["connect", "Connect"]:
    add(f"{method} in odd case", "No server may take a request for CONNECT (RFC 9110 section 9.3.6).",
        target("api.internal:443", method), Refused((501,)))

# Host

refuse("An HTTP/1.1 request has exactly one valid Host (RFC 9112 section 3.2).", {
    name: b"GET " + text + b" HTTP/1.1\r\n" + hosts + b"\r\n"
    for text in [b"http://api.internal/case", b"/api/case"]
    for name, hosts in {
        f"no Host, {text!r}": b"", f"two Hosts, {text!r}": HOST + b"Host: evil.example\r\n",
        f"the same Host twice, {text!r}": HOST * 2, f"Host in two cases, {text!r}": HOST + b"hOST: api.internal\r\n",
        f"an empty Host, {text!r}": b"Host:\r\n", f"a list of Hosts, {text!r}": b"Host: api.internal, evil\r\n",
        f"a Host with a path, {text!r}": b"Host: api.internal/x\r\n",
        f"a Host with a scheme, {text!r}": b"Host: http://api.internal\r\n",
        f"a Host with a user, {text!r}": b"Host: user@api.internal\r\n",
        f"a Host with a space, {text!r}": b"Host: api.internal evil.example\r\n",
        f"a Host with a tab, {text!r}": b"Host: api.internal\tevil\r\n",
        f"a Host with a fragment, {text!r}": b"Host: api.internal#\r\n",
        f"a Host with a query, {text!r}": b"Host: api.internal?x\r\n",
        f"a Host with a bad port, {text!r}": b"Host: api.internal:x\r\n",
        f"a Host with port 0, {text!r}": b"Host: api.internal:0\r\n",
        f"a Host with port 65536, {text!r}": b"Host: api.internal:65536\r\n",
        f"a Host with two ports, {text!r}": b"Host: api.internal:80:80\r\n",
        f"a Host percent-encoded, {text!r}": b"Host: api%2einternal\r\n",
        f"a Host of odd bytes, {text!r}": b"Host: \xe4pi.internal\r\n",
        f"a Host in half a bracket, {text!r}": b"Host: [::1\r\n",
        f"a Host with a NUL, {text!r}": b"Host: api.internal\0\r\n",
        f"a Host that is folded, {text!r}": b"Host:\r\n api.internal\r\n",
        f"a Host in two lines, {text!r}": b"Host: api.internal\r\n .evil.example\r\n",
        f"a Host with a space before the colon, {text!r}": b"Host : api.internal\r\n",
        f"a Host with a space before it, {text!r}": b" Host: api.internal\r\n",
        f"a Host behind a space and another, {text!r}": HOST + b" Host: evil.example\r\n",
        f"a Host of two dots, {text!r}": b"Host: api..internal\r\n",
        f"a Host of a number, {text!r}": b"Host: 2130706433\r\n",
        f"a Host in quotes, {text!r}": b'Host: "api.internal"\r\n',
    }.items()
})
for host in [b"evil.example", b"other.internal:8443", b"127.0.0.1", b"[::1]:80", b"api.internal:1", b"API.INTERNAL"]:
    add(f"the target's host and Host: {host.decode()}", "A proxy ignores Host where the target names one, and writes "
        "its own (RFC 9112 section 3.2.2).", b"GET http://api.internal/case HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        Forwarded())
    # A public name that leads to a loopback listener is how a web page gets there (DNS rebinding).
    add(f"a path and Host: {host.decode()}", "Of a path it is the path that finds the route.",
        b"GET /api/case HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        Denied(403) if host == b"evil.example" else Forwarded())

test_request = table.tests()
