import Deliveries
import Testing

@testable import HTTPWire

@Suite("Request heads") struct RequestHeadTests {
  @Test("a usual request is taken apart")
  func usual() throws {
    let head = try request("GET /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\naccept:\t*/*  \r\nX-Empty:\r\n\r\n")
    #expect(head.method == "GET")
    #expect(head.kind == .get)
    #expect(head.target == "/a?b=c")
    #expect(head.version == .http11)
    #expect(head.fields == ["Host=example.com:8080", "accept=*/*", "X-Empty="])
    #expect(head.host == "example.com:8080")
    #expect(head.port == 8080)
    #expect(head.framing == .none)
    #expect(head.flags == ["keeps"])
  }

  @Test("bytes behind the head are left alone")
  func pipelined() throws {
    let first = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(try request(first + "GET /2 HTTP/1.1\r\n").length == first.utf8.count)
  }

  @Test("one parser and one head serve message after message, refused ones among them")
  func reused() throws {
    var parser = RequestHeadParser(limits: HeadLimits())
    var head = RequestHead()
    let full = bytes("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close, x-y\r\nX-Y: 1\r\n\r\n")
    let plain = bytes("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n")
    let broken = bytes("GET /3 HTTP/1.1\r\nHost: b\r\nContent-Length: x\r\n\r\n")
    for _ in 0..<2 {
      let first = parseRequest(full, in: [20, full.count], with: &parser, into: &head)
      #expect(first == parseRequest(full, in: [full.count]))
      #expect(parseRequest(broken, in: [broken.count], with: &parser, into: &head) == .refused(.malformedContentLength))
      parser.reset()
      let second = parseRequest(plain, in: [plain.count], with: &parser, into: &head)
      #expect(second == parseRequest(plain, in: [plain.count]))
    }
  }

  @Test("up to two empty lines before a request are skipped and counted", arguments: [(0, 0), (1, 2), (2, 4)])
  func emptyLines(lines: Int, leading: Int) throws {
    let message = String(repeating: "\r\n", count: lines) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    let head = try request(message)
    #expect(head.leading == leading)
    #expect(head.length == message.utf8.count)
    #expect(head.method == "GET")
  }

  @Test(
    "methods are recognised as they are written",
    arguments: [
      ("GET", Method.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("OPTIONS", .options),
      ("TRACE", .trace), ("trace", .trace), ("Trace", .trace), ("TRACK", .trace), ("track", .trace),
      ("CONNECT", .connect), ("connect", .connect), ("PATCH", .patch), ("TRACES", .other),
      ("RACE", .other), ("get", .other), ("GETS", .other), ("GE", .other),
      ("PROPFIND", .other), ("M-SEARCH", .other), ("!#$%&'*+-.^_`|~09", .other),
    ] as [(String, Method)])
  func methods(name: String, kind: Method) throws {
    let head = try request("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(head.method == name)
    #expect(head.kind == kind)
  }

  @Test("safe and idempotent methods are those of RFC 9110")
  func methodProperties() {
    #expect(Method.allCases.filter(\.isSafe) == [.get, .head, .options, .trace])
    #expect(Method.allCases.filter(\.isIdempotent) == [.get, .head, .put, .delete, .options, .trace])
  }

  @Test(
    "a minor version above 1 counts as 1.1",
    arguments: [("1.0", HTTPVersion.http10), ("1.1", .http11), ("1.2", .http11), ("1.9", .http11)]
      as [(String, HTTPVersion)])
  func versions(text: String, version: HTTPVersion) throws {
    #expect(try request("GET / HTTP/\(text)\r\nHost: a\r\n\r\n").version == version)
  }

  @Test(
    "how the body ends",
    arguments: [
      ("", BodyFraming.none), ("Content-Length: 0\r\n", .length(0)), ("content-LENGTH:  42 \r\n", .length(42)),
      ("Content-Length: 0000000000000000000000042\r\n", .length(42)),
      ("Content-Length: 9223372036854775799\r\n", .length(9_223_372_036_854_775_799)),
      ("Transfer-Encoding: chunked\r\n", .chunked), ("transfer-encoding:\tCHUNKED\t\r\n", .chunked),
      ("X-Content-Length: 5\r\n", .none), ("Content-Lengths: 5\r\n", .none),
    ] as [(String, BodyFraming)])
  func framing(fields: String, framing: BodyFraming) throws {
    #expect(try request("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n").framing == framing)
  }

  @Test(
    "what the fields say about the connection",
    arguments: [
      ("1.1", "", ["keeps"]), ("1.1", "Connection: close\r\n", []), ("1.1", "Connection: CLOSE\r\n", []),
      ("1.1", "Connection: keep-alive\r\n", ["keeps"]), ("1.1", "Connection: keep-alive, close\r\n", []),
      ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", []), ("1.1", "Connection:\r\n", ["keeps"]),
      ("1.1", "Connection: ,, close ,\r\n", []), ("1.1", "Connection: closed\r\n", ["keeps", "options"]),
      ("1.1", "Connection: x-a\r\n", ["keeps", "options"]),
      ("1.1", "Connection: TE, Upgrade, HTTP2-Settings, Transfer-Encoding\r\n", ["keeps"]),
      ("1.1", "Connection: host, content-length, authorization, via\r\n", ["keeps"]),
      ("1.1", "Proxy-Connection: close\r\n", ["keeps"]),
      ("1.1", "Upgrade: websocket\r\nConnection: Upgrade\r\n", ["keeps", "upgrade"]),
      ("1.1", "Upgrade: websocket\r\n", ["keeps"]), ("1.1", "Connection: upgrade\r\n", ["keeps"]),
      ("1.0", "Upgrade: websocket\r\nConnection: Upgrade\r\n", []),
      ("1.0", "", []), ("1.0", "Connection: keep-alive\r\n", []),
      ("1.0", "Connection: keep-alive, close\r\n", []),
      ("1.1", "TE: trailers\r\n", ["keeps", "trailers"]),
      ("1.1", "TE: gzip;q=0.5 , Trailers\r\n", ["keeps", "trailers"]),
      ("1.1", "TE: trailers;q=1\r\n", ["keeps"]), ("1.0", "TE: trailers\r\n", []),
      ("1.1", "Expect: 100-Continue\r\nContent-Length: 1\r\n", ["keeps", "expects"]),
      ("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", ["keeps", "expects"]),
      ("1.1", "Expect: 100-continue\r\n", ["keeps"]),
      ("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", ["keeps"]),
      ("1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", []),
      ("1.1", "Expect: 200-ok\r\n", ["keeps", "unknown expectation"]),
    ] as [(String, String, Set<String>)])
  func connection(version: String, fields: String, flags: Set<String>) throws {
    #expect(try request("POST / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n").flags == flags)
  }

  @Test("an HTTP/1.0 request needs no Host")
  func withoutHost() throws {
    let head = try request("GET / HTTP/1.0\r\n\r\n")
    #expect(head.host == nil)
  }

  @Test("values may contain tabs and bytes beyond ASCII, in any place")
  func values() throws {
    for length in 0..<40 {
      for position in 0..<length {
        var value = [UInt8](repeating: 0x61, count: length)
        value[position] = 0x09
        let inner = text(value).trimmed
        let head = try request("GET / HTTP/1.1\r\nHost: a\r\nX: \(text(value))\r\n\r\n")
        #expect(head.fields[1] == "X=\(inner)")
        value[position] = 0xff
        #expect(try request("GET / HTTP/1.1\r\nHost: a\r\nX: \(text(value))\r\n\r\n").fields[1] == "X=\(text(value))")
      }
    }
  }
}

extension String {
  /// Without the spaces and tabs around it.
  var trimmed: String {
    String(drop(while: { $0 == " " || $0 == "\t" }).reversed().drop(while: { $0 == " " || $0 == "\t" }).reversed())
  }

  @Test("a head that is used again remembers nothing of the message before")
  func reuse() throws {
    let full = [
      "POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Connection: close, keep-alive, date, upgrade, x",
      "Expect: 100-continue", "Expect: y", "TE: trailers", "Content-Type: text/event-stream", "", "",
    ].joined(separator: "\r\n")
    let plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    var used = RequestHead()
    var fresh = RequestHead()
    for message in [full, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", plain] {
      var parser = RequestHeadParser(limits: HeadLimits())
      let bytes = Array(message.utf8)
      #expect(try parser.parse(bytes.span, into: &used))
    }
    var parser = RequestHeadParser(limits: HeadLimits())
    let bytes = Array(plain.utf8)
    #expect(try parser.parse(bytes.span, into: &fresh))
    #expect("\(used.facts)" == "\(fresh.facts)")
  }
}
