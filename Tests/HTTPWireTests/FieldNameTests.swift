import Deliveries
import HTTPWire
import Testing

@Suite("Field names") struct FieldNameTests {
  private static let names: [(String, FieldName)] = [
    ("TE", .te), ("Via", .via), ("Age", .age), ("Host", .host), ("Date", .date), ("Link", .link), ("Range", .range),
    ("Proxy", .proxy),
    ("Origin", .origin), ("Expect", .expect), ("Cookie", .cookie), ("Pragma", .pragma), ("Upgrade", .upgrade),
    ("Trailer", .trailer), ("Expires", .expires), ("Location", .location), ("If-Match", .ifMatch),
    ("If-Range", .ifRange), ("Forwarded", .forwarded), ("Connection", .connection), ("Keep-Alive", .keepAlive),
    ("Set-Cookie", .setCookie), ("Retry-After", .retryAfter), ("Destination", .destination),
    ("Content-Type", .contentType),
    ("Max-Forwards", .maxForwards), ("Proxy-Status", .proxyStatus), ("X-Request-Id", .requestID),
    ("Authorization", .authorization),
    ("Cache-Control", .cacheControl), ("Content-Range", .contentRange), ("If-None-Match", .ifNoneMatch),
    ("Content-Length", .contentLength), ("Sec-Fetch-Site", .secFetchSite), ("HTTP2-Settings", .http2Settings),
    ("Content-Encoding", .contentEncoding), ("Content-Location", .contentLocation),
    ("WWW-Authenticate", .wwwAuthenticate),
    ("Proxy-Connection", .proxyConnection), ("Transfer-Encoding", .transferEncoding),
    ("If-Modified-Since", .ifModifiedSince), ("Proxy-Authenticate", .proxyAuthenticate),
    ("Proxy-Authorization", .proxyAuthorization), ("Authentication-Info", .authenticationInfo),
    ("If-Unmodified-Since", .ifUnmodifiedSince), ("Proxy-Authentication-Info", .proxyAuthenticationInfo),
    ("Proxy-Anything", .proxyOther), ("Proxy-X", .proxyOther),
  ]

  /// What a response says `name` is. Framing and connection fields get a value that they accept.
  private func recognise(_ name: String) throws(WireError) -> FieldName? {
    let value = name.lowercased() == "content-length" ? "1" : "chunked"
    let message = bytes("HTTP/1.1 200 OK\r\n\(name): \(value)\r\n\r\n")
    var parser = ResponseHeadParser(limits: HeadLimits())
    var head = ResponseHead()
    guard try parser.parse(message.span, into: &head), let line = head.fields.first else { return nil }
    return line.known
  }

  @Test("known names are recognised in any case", arguments: names)
  func known(name: String, expected: FieldName) throws {
    for spelling in [name, name.lowercased(), name.uppercased()] {
      #expect(try recognise(spelling) == expected)
    }
  }

  @Test("every known name is in the list above")
  func complete() {
    let listed = Set(Self.names.map(\.1))
    #expect(FieldName.allCases.filter { $0 != .other && !listed.contains($0) } == [])
  }

  @Test("a name that differs in one byte is another name", arguments: names)
  func different(name: String, expected: FieldName) throws {
    for position in name.indices where expected != .proxyOther {
      // Two bytes that differ from others in the bit of the case alone, and one more.
      for replacement in ["~", "^", "_", "z"] where String(name[position]).lowercased() != replacement {
        let changed = name.replacingCharacter(at: position, with: replacement)
        let known = try? recognise(changed)
        #expect(known != expected, "\(changed)")
      }
    }
    #expect(try recognise(name + "s") != expected || expected == .proxyOther)
    #expect(try recognise(String(name.dropLast())) != expected || expected == .proxyOther)
  }

  @Test("a set holds what was put in")
  func sets() {
    var set: FieldNameSet = [.via, .proxyAuthenticationInfo]
    #expect(FieldName.allCases.filter { set.contains($0) } == [.via, .proxyAuthenticationInfo])
    set.remove(.via)
    set.insert(.other)
    #expect(FieldName.allCases.filter { set.contains($0) } == [.other, .proxyAuthenticationInfo])
    #expect(set.union([.te]).subtracting(.other) == [.te, .proxyAuthenticationInfo])
    #expect(FieldName.allCases.filter { FieldNameSet.none.contains($0) } == [])
  }
}

extension String {
  func replacingCharacter(at index: Index, with replacement: String) -> String {
    self[..<index] + replacement + self[self.index(after: index)...]
  }
}
