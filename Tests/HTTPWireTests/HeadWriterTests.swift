import Bytes
import Deliveries
import HTTPWire
import Testing

/// Forwards a request as the proxy does: target and Host as given, its fields, framing, a token, Via.
func forwardRequest(
  _ message: String, capacity: Int = 65_536, dropping: FieldNameSet = .notForwardedInRequests,
  alsoDropping name: String? = nil
) throws -> String {
  let message = bytes(message)
  var parser = RequestHeadParser(limits: HeadLimits())
  var head = RequestHead()
  guard try parser.parse(message.span, into: &head) else { throw Unexpected(outcome: "incomplete") }
  let output = ByteBuffer(capacity: capacity)
  var writer = HeadWriter(output)
  writer.beginRequest(method: message.span.extracting(head.method.range))
  writer.target("/base")
  writer.target(message.span.extracting(head.target.range))
  writer.endRequestLine()
  writer.host(bytes("up.example").span, port: 8443)
  writer.forwardFields(of: head, message.span, dropping: dropping, alsoDropping: name.map(bytes))
  if head.framing == .chunked { writer.chunkedFraming() }
  writer.line(bytes("Authorization: Bearer ").span, bytes("ours").span)
  writer.via(head.version, viaName.span)
  try writer.end()
  return text(of: output)
}

/// Forwards a response as the proxy does.
func forwardResponse(_ message: String, answering method: Method = .get, capacity: Int = 65_536) throws -> String {
  let message = bytes(message)
  var parser = ResponseHeadParser(limits: HeadLimits())
  var head = ResponseHead()
  guard try parser.parse(message.span, into: &head) else { throw Unexpected(outcome: "incomplete") }
  let output = ByteBuffer(capacity: capacity)
  var writer = HeadWriter(output)
  writer.statusLine(head.status, reason: message.span.extracting(head.reason.range))
  writer.forwardFields(of: head, message.span)
  if head.framing(answering: method) == .chunked { writer.chunkedFraming() }
  writer.via(head.version, viaName.span)
  writer.connectionClose()
  try writer.end()
  return text(of: output)
}

private let viaName = Array("m2m-proxy".utf8)

@Suite("Writing heads") struct HeadWriterTests {
  private let begin = "GET /base/a HTTP/1.1\r\nHost: up.example:8443\r\n"
  private let end = "Authorization: Bearer ours\r\nVia: 1.1 m2m-proxy\r\n\r\n"

  private func forwarded(_ fields: String) throws -> String {
    try forwardRequest("GET /a HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
  }

  @Test("a field of a given name is dropped, however it is written, and no other one")
  func alsoDropped() throws {
    let message =
      "GET /a HTTP/1.1\r\nHost: a\r\nX-Token: 1\r\nX: 2\r\nx_tOKEN:3\r\nX-Tokens: 4\r\nX-Toke\u{60}: 5\r\n\r\n"
    let forwarded = try forwardRequest(message, alsoDropping: "x-Token")
    #expect(forwarded == begin + "X: 2\r\nX-Tokens: 4\r\nX-Toke\u{60}: 5\r\n" + end)
    #expect(try forwardRequest(message).contains("X-Token: 1\r\nX: 2\r\nx_tOKEN: 3\r\n"))
  }

  @Test("fields keep their order, their case and their values")
  func kept() throws {
    let fields = "uSER-aGENT: x\r\nX-A: 1,  2\r\nAccept: */*\r\nX-A: \u{e9}\tb\r\nx-empty: \r\n"
    #expect(try forwarded(fields) == begin + fields + end)
  }

  @Test("whitespace around a value is not forwarded")
  func whitespace() throws {
    #expect(
      try forwarded("A:1\r\nB: 2\r\nC: \t 3 \t\r\nD:\t4\r\nE:\r\n") == begin + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: \r\n"
        + end)
  }

  @Test(
    "fields of the connection and of the proxy alone are dropped, wherever they stand",
    arguments: [
      "Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic x",
      "Proxy-Anything: x", "PROXY-X: y", "Proxy: http://evil", "TE: trailers", "Upgrade: websocket",
      "HTTP2-Settings: x",
      "Authorization: Bearer theirs", "AUTHORIZATION: Bearer theirs", "Proxy-Status: x", "Proxy-Authenticate: x",
      "Proxy-Authentication-Info: x", "Authorization:a\r\nauthorization: b",
      "Connection: Authorization\r\nAuthorization: x",
    ])
  func dropped(line: String) throws {
    for place in 0...2 {
      var lines = ["A: 1", "B: 2"]
      lines.insert(line, at: place)
      let fields = lines.map { $0 + "\r\n" }.joined()
      #expect(try forwarded(fields) == begin + "A: 1\r\nB: 2\r\n" + end)
    }
  }

  @Test("what Connection names is dropped, in any case, and nothing that frames or routes")
  func named() throws {
    let fields =
      "X-A: 1\r\nConnection: close, x-a , Cookie\r\nx-A:2\r\nX-AB: 3\r\ncookie: 4\r\nConnection: X-C\r\nX-C: 5\r\n"
    #expect(try forwarded(fields) == begin + "X-AB: 3\r\n" + end)
    let message =
      "POST /a HTTP/1.1\r\nHost: a\r\nVia: 1.1 b\r\n"
      + "Connection: Host, Content-Length, Via, Authorization\r\nContent-Length: 05\r\n\r\n"
    #expect(
      try forwardRequest(message)
        == "POST /base/a HTTP/1.1\r\nHost: up.example:8443\r\nVia: 1.1 b\r\nContent-Length: 5\r\n" + end)
  }

  @Test("Content-Length stays where and as it was written, but for zeros in front", arguments: ["0", "7", "007", "00"])
  func length(value: String) throws {
    let message = "POST /a HTTP/1.1\r\nHost: a\r\nA: 1\r\ncontent-LENGTH: \(value)\r\nB: 2\r\n\r\n"
    #expect(
      try forwardRequest(message)
        == "POST /base/a HTTP/1.1\r\nHost: up.example:8443\r\nA: 1\r\ncontent-LENGTH: \(Int(value)!)\r\nB: 2\r\n" + end)
  }

  @Test("a chunked request stays chunked, once")
  func chunkedRequest() throws {
    let message = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\nTrailer: X\r\n\r\n"
    let expected =
      "POST /base/a HTTP/1.1\r\nHost: up.example:8443\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n" + end
    #expect(try forwardRequest(message) == expected)
    let without = FieldNameSet.notForwardedInRequests.union([.trailer])
    #expect(try forwardRequest(message, dropping: without) == expected.replacing("Trailer: X\r\n", with: ""))
  }

  @Test("a response is written in our version, with its reason, its fields, our framing and Via")
  func response() throws {
    let message =
      "HTTP/1.0 203 It \u{e9} is\r\nServer: x\r\nConnection: x-a, keep-alive\r\nX-A: 1\r\n"
      + "Keep-Alive: x\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 003\r\n"
      + "Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nWWW-Authenticate: x\r\n\r\n"
    #expect(
      try forwardResponse(message)
        == "HTTP/1.1 203 It \u{e9} is\r\nServer: x\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
        + "Content-Length: 3\r\nWWW-Authenticate: x\r\nVia: 1.0 m2m-proxy\r\nConnection: close\r\n"
        + "\r\n"
    )
  }

  @Test("whitespace before a colon is not forwarded, and hides no field from the rules")
  func blanksBeforeColon() throws {
    let message =
      "HTTP/1.1 200\r\nConnection: x-a\r\nA: 1\r\nSet-Cookie : a\r\nB :2\r\nC\t: 3\r\nD \t :\r\nX-A : 4\r\n"
      + "Proxy-Authenticate : x\r\nProxy-Status : m2m-proxy\r\n\r\n"
    #expect(
      try forwardResponse(message)
        == "HTTP/1.1 200 \r\nA: 1\r\nSet-Cookie: a\r\nB: 2\r\nC: 3\r\nD: \r\nVia: 1.1 m2m-proxy\r\n"
        + "Connection: close\r\n\r\n")
  }

  @Test("an upstream cannot use the proxy's name")
  func proxyStatus() throws {
    let message =
      "HTTP/1.1 200\r\nProxy-Status: other; error=x\r\nProxy-Status: m2m-proxy; error=y\r\n"
      + "Proxy-Status: a, \"M2M-Proxy\";b\r\n\r\n"
    #expect(
      try forwardResponse(message)
        == "HTTP/1.1 200 \r\nProxy-Status: other; error=x\r\nVia: 1.1 m2m-proxy\r\nConnection: close\r\n\r\n")
  }

  @Test("interim heads are written without framing")
  func interim() throws {
    let message = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 0\r\n\r\n"
    #expect(
      try forwardResponse(message)
        == "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nVia: 1.1 m2m-proxy\r\nConnection: close\r\n\r\n")
  }

  @Test("lines of our own")
  func own() throws {
    let output = ByteBuffer(capacity: 1000)
    output.append("before" as StaticString)
    var writer = HeadWriter(output)
    writer.statusLine(502, reason: "Bad Gateway")
    writer.field("Content-Type", "application/problem+json")
    writer.field("Retry-After", 5)
    writer.field("X", bytes("y").span)
    writer.host(bytes("::1").span, isIPv6Literal: true, port: 80)
    writer.host(bytes("a").span, port: nil)
    writer.field("Content-Length", UInt64.max)
    writer.chunkedFraming()
    let other = Array("other".utf8)
    writer.via(.http10, other.span)
    try writer.end()
    #expect(
      text(of: output)
        == "beforeHTTP/1.1 502 Bad Gateway\r\nContent-Type: application/problem+json\r\n"
        + "Retry-After: 5\r\nX: y\r\nHost: [::1]:80\r\nHost: a\r\n"
        + "Content-Length: 18446744073709551615\r\nTransfer-Encoding: chunked\r\nVia: 1.0 other\r\n\r\n"
    )
  }

  @Test("a head that does not fit is taken back whole, and reported, at whatever line the room ends")
  func full() throws {
    let requestMessage = "POST /a HTTP/1.1\r\nHost: a\r\nA: 1\r\nB:  2\r\nTE: x\r\nC: 3\r\nContent-Length: 5\r\n\r\n"
    let responseMessage = "HTTP/1.1 200 OK\r\nA: 1\r\nB:  2\r\nTransfer-Encoding: chunked\r\n\r\n"
    let needed = try forwardRequest(requestMessage).utf8.count
    for capacity in 0..<needed {
      #expect(throws: WireError.headTooLarge) { try forwardRequest(requestMessage, capacity: capacity) }
    }
    for capacity in 0..<(try forwardResponse(responseMessage).utf8.count) {
      #expect(throws: WireError.headTooLarge) { try forwardResponse(responseMessage, capacity: capacity) }
    }
    let output = ByteBuffer(capacity: 20)
    output.append("before" as StaticString)
    var writer = HeadWriter(output)
    writer.statusLine(200, reason: "OK")
    writer.field("A", "b")
    #expect(throws: WireError.headTooLarge) { try writer.end() }
    #expect(text(of: output) == "before")
  }
}
