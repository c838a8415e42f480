import Bytes
import Deliveries
import HTTPWire
import Testing

@Suite("Protocols that a connection may change to") struct UpgradeProtocolsTests {
  private func offered(_ fields: String, version: String = "1.1") throws -> [String] {
    let message = bytes("GET /a HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n")
    var parser = RequestHeadParser(limits: HeadLimits())
    var head = RequestHead()
    #expect(try parser.parse(message.span, into: &head))
    return head.offeredProtocols(message.span).map { text(message, $0) }
  }

  private func chosen(_ fields: String, version: String = "1.1") throws -> [String] {
    let message = bytes("HTTP/\(version) 101 Switching Protocols\r\n\(fields)\r\n")
    var parser = ResponseHeadParser(limits: HeadLimits())
    var head = ResponseHead()
    #expect(try parser.parse(message.span, into: &head))
    return head.chosenProtocols(message.span).map { text(message, $0) }
  }

  private let named = "Connection: upgrade\r\n"

  @Test("are those of all Upgrade fields, in their order")
  func lists() throws {
    #expect(try offered(named + "Upgrade: websocket\r\n") == ["websocket"])
    #expect(
      try offered("Upgrade: a/1 ,\t, B\r\nX: y\r\nupgrade: c\r\nconnection: x, UPGRADE\r\n") == ["a/1", "B", "c"])
    #expect(try chosen(named + "Upgrade: b, a/1\r\n") == ["b", "a/1"])
  }

  @Test("are none without Connection, in HTTP/1.0, and where one is malformed")
  func none() throws {
    for fields in [
      "Upgrade: a\r\n", named, named + "Upgrade:\r\n", named + "Upgrade: a b\r\n", named + "Upgrade: a, b;c\r\n",
      named + "Upgrade: a/\r\n", named + "Upgrade: /1\r\n", named + "Upgrade: a/1/2\r\n", named + "Upgrade: \"a\"\r\n",
      named + "Upgrade: a\r\nUpgrade: b c\r\n",
      named + "Upgrade: \(Array(repeating: "a", count: 17).joined(separator: ","))\r\n",
    ] {
      #expect(try offered(fields) == [], "\(fields)")
      #expect(try chosen(fields) == [], "\(fields)")
    }
    #expect(try offered(named + "Upgrade: a\r\n", version: "1.0") == [])
    #expect(try chosen(named + "Upgrade: a\r\n", version: "1.0") == [])
    #expect(try offered(named + "Upgrade: \(Array(repeating: "a", count: 16).joined(separator: ","))\r\n").count == 16)
  }

  @Test("are neither HTTP nor TLS, when they are offered")
  func neverOffered() throws {
    #expect(
      try offered(named + "Upgrade: h2c, H2C, HTTP/2.0, http/3, TLS/1.0, tls, h2, h2x, xh2c, tlsx\r\n")
        == ["h2x", "xh2c", "tlsx"])
  }

  @Test("are compared without the case of letters, version and all")
  func same() {
    let first = bytes("WebSocket/13")
    let second = bytes("..websocket/13websocket/14")
    func isSame(_ range: Range<Int>) -> Bool {
      first.span.isSameProtocol(ByteRange(0..<first.count), as: ByteRange(range), in: second.span)
    }
    #expect(isSame(2..<14))
    #expect(!isSame(14..<26))
    #expect(!isSame(2..<11))
  }

  @Test("are written in one field, and named in Connection")
  func written() throws {
    let message = bytes("a/1,b")
    let ranges = [ByteRange(0..<3), ByteRange(4..<5)]
    for (besideTE, connection) in [(false, "Upgrade"), (true, "TE, Upgrade")] {
      let output = ByteBuffer(capacity: 1024)
      var writer = HeadWriter(output)
      writer.upgrade(to: ranges, message.span, besideTE: besideTE)
      try writer.end()
      #expect(text(of: output) == "Upgrade: a/1, b\r\nConnection: \(connection)\r\n\r\n")
    }
  }

  @Test("are not written where there is no room for all of it")
  func room() throws {
    let message = bytes("a/1,b")
    for capacity in 0..<"Upgrade: a/1, b\r\nConnection: Upgrade\r\n\r\n".utf8.count {
      let output = ByteBuffer(capacity: capacity)
      var writer = HeadWriter(output)
      writer.upgrade(to: [ByteRange(0..<3), ByteRange(4..<5)], message.span)
      let error = #expect(throws: WireError.self) { try writer.end() }
      #expect(error == .headTooLarge && output.isEmpty)
    }
  }
}
