internal import Addresses
internal import Encodings

/// The head of a request, as offsets into the parsed bytes.
///
/// It is reused from message to message and keeps the capacity of its arrays.
public struct RequestHead: ~Copyable, Sendable {
  /// The method as received.
  public internal(set) var method = ByteRange.empty
  /// The kind of method.
  public internal(set) var methodKind = Method.other
  /// The request target as received; ``RequestTarget/parse(_:target:method:)`` parses it.
  public internal(set) var target = ByteRange.empty
  /// The version of the request.
  public internal(set) var version = HTTPVersion.http11
  /// The field lines in order.
  public internal(set) var fields: [FieldLine] = []
  /// The length of the whole head, from the first byte given to the parser to the end of the empty line.
  public internal(set) var length = 0
  /// The length of empty lines before the request line (RFC 9112 section 2.2); included in `length`.
  public internal(set) var leading = 0
  /// The value of Host; nil in an HTTP/1.0 request without one.
  public internal(set) var host: ByteRange?
  /// The parsed value of Host. It is ignored if the target is in absolute form (RFC 9112 section 3.2.2).
  public internal(set) var authority: Authority?

  var facts = FieldFacts()

  /// An empty head with room for the fields of a usual message.
  public init() {
    fields.reserveCapacity(32)
  }

  /// How the end of the body is determined: `none`, `length` or `chunked`.
  public var framing: BodyFraming {
    if facts.isChunked { return .chunked }
    return facts.contentLength.map { .length($0) } ?? .none
  }

  /// Whether the client may wait for a 100 before it sends the body (RFC 9110 section 10.1.1): never in HTTP/1.0.
  public var expectsContinue: Bool {
    guard facts.expectsContinue, version == .http11 else { return false }
    return framing != .none && framing != .length(0)
  }

  /// Whether Expect is anything but a single `100-continue`; the response may then be 417.
  public var hasUnknownExpectation: Bool { facts.hasUnknownExpectation }

  /// Whether the connection may serve another request after this one.
  ///
  /// False for every HTTP/1.0 request: a proxy must not keep such a connection open (RFC 9112 section 9.3).
  public var wantsKeepAlive: Bool { version == .http11 && !facts.closes }

  /// Whether Connection names `close`: the client will send no further request.
  public var asksToClose: Bool { facts.closes }

  /// Whether Connection names the field of `line`, which then concerns only the proxy.
  public func isForConnection(_ line: FieldLine, _ bytes: Span<UInt8>) -> Bool {
    facts.options.contains { bytes.equalsIgnoringCase($0, line.name) }
  }

  /// Whether Connection names a field that would otherwise be forwarded.
  public var hasConnectionOptions: Bool { !facts.options.isEmpty }

  /// Whether the client offers to change the protocol: HTTP/1.1, Upgrade, and Connection naming it.
  public var hasUpgrade: Bool { version == .http11 && facts.connectionUpgrade && contains(.upgrade) }

  /// Whether the client accepts trailers (`TE: trailers`).
  public var acceptsTrailers: Bool { facts.acceptsTrailers && version == .http11 }

  /// Whether there is a field with this known name.
  public func contains(_ name: FieldName) -> Bool { facts.seen.contains(name) }

  /// The first field with this known name.
  public func first(_ name: FieldName) -> FieldLine? {
    guard contains(name) else { return nil }
    return fields.first { $0.known == name }
  }

  /// Resets everything, but keeps the capacity.
  mutating func removeAll() {
    length = 0
    leading = 0
    host = nil
    authority = nil
    fields.removeAll(keepingCapacity: true)
    facts.removeAll()
  }
}

extension RequestHead {
  /// Parses `method SP target SP version CRLF` at `start`, and reads no byte from `end` on.
  ///
  /// Returns where the next line begins, or nil if the line is incomplete; with `isLimit`, that is an error.
  mutating func scanRequestLine(
    _ bytes: Span<UInt8>, from start: Int, to end: Int, isLimit: Bool
  ) throws(WireError) -> Int? {
    var position = bytes.firstNotToken(from: start, to: end)
    guard position < end else {
      if isLimit { throw .methodTooLong }
      return nil
    }
    guard position > start, bytes[position] == space else {
      throw Self.methodFault(bytes[position], isFirst: position == start)
    }
    method = ByteRange(start..<position)

    let targetStart = position &+ 1
    position = bytes.firstNotVisible(from: targetStart, to: end)
    guard position < end else {
      if isLimit { throw .requestLineTooLong }
      return nil
    }
    guard bytes[position] == space, position > targetStart else {
      throw Self.targetFault(bytes[position], isFirst: position == targetStart)
    }
    target = ByteRange(targetStart..<position)

    guard let version = try HTTPVersion.scan(bytes, from: position &+ 1, to: end) else {
      if isLimit { throw .requestLineTooLong }
      return nil
    }
    position &+= 9
    guard position &+ 1 < end else {
      if position < end, bytes[position] != cr { throw Self.endFault(bytes[position]) }
      if isLimit { throw .requestLineTooLong }
      return nil
    }
    guard bytes[position] == cr else { throw Self.endFault(bytes[position]) }
    guard bytes[position &+ 1] == lf else { throw .bareCarriageReturn }
    self.version = version
    methodKind = Method.recognise(bytes, method)
    return position &+ 2
  }

  private static func methodFault(_ byte: UInt8, isFirst: Bool) -> WireError {
    switch byte {
    case 0x16 where isFirst: .tlsHandshake
    case lf: .bareLineFeed
    default: .malformedRequestLine
    }
  }

  private static func targetFault(_ byte: UInt8, isFirst: Bool) -> WireError {
    switch byte {
    case cr where !isFirst: .missingVersion
    case lf: .bareLineFeed
    case cr, space: .malformedRequestLine
    default: .invalidTargetByte
    }
  }

  private static func endFault(_ byte: UInt8) -> WireError {
    switch byte {
    case lf: .bareLineFeed
    case space, tab: .malformedRequestLine
    default: .malformedVersion
    }
  }
}

extension RequestHead {
  /// How many more times the request may be forwarded (RFC 9110 section 7.6.2); nil if it does not say, and for every method
  /// but OPTIONS and TRACE, for which the field means nothing. A number that is too large counts as the largest.
  ///
  /// Throws `malformedMaxForwards` if the field occurs twice or is not a number.
  public func maxForwards(_ bytes: Span<UInt8>) throws(WireError) -> UInt64? {
    guard methodKind == .options || methodKind == .trace, contains(.maxForwards) else { return nil }
    var found: UInt64?
    for line in fields where line.known == .maxForwards {
      guard found == nil, !line.value.isEmpty else { throw .malformedMaxForwards }
      var number: UInt64 = 0
      for offset in line.value.range {
        guard bytes[offset].isDigit else { throw .malformedMaxForwards }
        let (product, overflows) = number.multipliedReportingOverflow(by: 10)
        let (sum, overflowsAgain) = product.addingReportingOverflow(UInt64(bytes[offset] & 0x0f))
        number = overflows || overflowsAgain ? .max : sum
      }
      found = number
    }
    return found
  }
}

/// A sign that a browser sent a request for a page of another site (Fetch Metadata, RFC 6454).
public enum ForeignPageSign: Equatable, Sendable {
  /// `Sec-Fetch-Site` has this value.
  case site(ByteRange)
  /// `Origin` has this value: the page's origin is not the server that the request is for.
  case origin(ByteRange)
}

extension RequestHead {
  /// The first sign that a browser sent the request for a page of another site; nil if there is none, as for every client that
  /// is not a browser.
  ///
  /// - Parameters:
  ///   - bytes: the bytes that the head was parsed from.
  ///   - target: the target, whose host and scheme count if it is in absolute form.
  ///   - isSecure: whether the request came over TLS.
  public func foreignPageSign(
    _ bytes: Span<UInt8>, target: RequestTarget?, isSecure: Bool
  ) -> ForeignPageSign? {
    guard contains(.secFetchSite) || contains(.origin) else { return nil }
    for line in fields {
      switch line.known {
      case .secFetchSite:
        let site = bytes.extracting(line.value.range)
        // "none": the user typed the address.
        guard site.isText("same-origin") || site.isText("none") else { return .site(line.value) }
      case .origin:
        let isSecure = target?.scheme.map { $0 == .https } ?? isSecure
        guard let asked = target?.authority ?? authority, asked.isOrigin(line.value, isSecure: isSecure, bytes) else {
          return .origin(line.value)
        }
      default: continue
      }
    }
    return nil
  }
}

extension Authority {
  /// Whether the host always means this machine, whatever DNS says: a loopback address, or a name that RFC 6761 section 6.3
  /// reserves. If a browser uses another name for a loopback listener, something led it there, such as DNS rebinding.
  public func isThisMachine(_ bytes: Span<UInt8>) -> Bool {
    switch kind {
    case .ipv4(let address): IPAddress.v4(address).isLoopback
    case .ipv6(let address): IPAddress.v6(address).isLoopback
    case .name: isLocalhost(bytes)
    }
  }

  /// Whether the value of Origin at `range` is the origin of this host and port (RFC 6454 section 5).
  fileprivate func isOrigin(_ range: ByteRange, isSecure: Bool, _ bytes: Span<UInt8>) -> Bool {
    let scheme: StaticString = isSecure ? "https://" : "http://"
    let length = scheme.utf8CodeUnitCount
    guard range.count > length, bytes.equals(scheme, count: length, at: Int(range.start)),
      let origin = try? Authority.parse(bytes, ByteRange(Int(range.start) + length..<Int(range.end)))
    else { return false }
    let defaultPort: UInt16 = isSecure ? 443 : 80
    return (origin.port ?? defaultPort) == (port ?? defaultPort) && origin.hasSameHost(as: self, bytes)
  }

  private func hasSameHost(as other: Authority, _ bytes: Span<UInt8>) -> Bool {
    guard kind == other.kind else { return false }
    guard kind == .name else { return true }
    let (name, otherName) = (nameWithoutDot, other.nameWithoutDot)
    guard name.count == otherName.count else { return false }
    // Bytes of names that differ only in bit 5 are the two cases of a letter.
    return (0..<name.count).allSatisfy {
      bytes[Int(name.start) + $0] | 0x20 == bytes[Int(otherName.start) + $0] | 0x20
    }
  }
}

extension Span<UInt8> {
  /// Whether the bytes are exactly `text`, including case.
  fileprivate func isText(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    // Safe: a literal lives forever, and is as long as it says.
    return (0..<count).allSatisfy { unsafe self[$0] == text.utf8Start[$0] }
  }
}
