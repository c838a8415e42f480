internal import Addresses
internal import Encodings

/// The head of a request, as offsets into the bytes that it was parsed from.
///
/// Made to be reused from message to message: it keeps the capacity of its arrays.
public struct RequestHead: ~Copyable, Sendable {
  /// The method as it was received.
  public internal(set) var method = ByteRange.empty
  /// Which method that is.
  public internal(set) var methodKind = Method.other
  /// The request target as it was received; take it apart with ``RequestTarget/parse(_:target:method:)``.
  public internal(set) var target = ByteRange.empty
  /// The version of the request.
  public internal(set) var version = HTTPVersion.http11
  /// The field lines in their order.
  public internal(set) var fields: [FieldLine] = []
  /// Bytes of the whole head, from the first byte given to the parser up to the end of the empty line.
  public internal(set) var length = 0
  /// Bytes of empty lines before the request line (RFC 9112 2.2); they are part of `length`.
  public internal(set) var leading = 0
  /// The value of Host; nil in an HTTP/1.0 request without one.
  public internal(set) var host: ByteRange?
  /// The value of Host, taken apart. It decides nothing when the target is in absolute form (RFC 9112 3.2.2).
  public internal(set) var authority: Authority?

  var facts = FieldFacts()

  /// An empty head with room for the fields of a usual message.
  public init() {
    fields.reserveCapacity(32)
  }

  /// How the end of the body is found: `none`, `length` or `chunked`.
  public var framing: BodyFraming {
    if facts.isChunked { return .chunked }
    return facts.contentLength.map { .length($0) } ?? .none
  }

  /// Whether the client may wait for a 100 before it sends the body (RFC 9110 10.1.1): never in HTTP/1.0.
  public var expectsContinue: Bool {
    guard facts.expectsContinue, version == .http11 else { return false }
    return framing != .none && framing != .length(0)
  }

  /// Whether Expect is anything but a single `100-continue`, which may be answered with 417.
  public var hasUnknownExpectation: Bool { facts.hasUnknownExpectation }

  /// Whether the connection may serve another request after this one.
  ///
  /// False for every HTTP/1.0 request: a proxy must not keep such a connection open (RFC 9112 9.3).
  public var wantsKeepAlive: Bool { version == .http11 && !facts.closes }

  /// Whether Connection names `close`: the client will send no further request.
  public var asksToClose: Bool { facts.closes }

  /// Whether Connection names the field of `line`, which is then for the proxy alone.
  public func isForConnection(_ line: FieldLine, _ bytes: Span<UInt8>) -> Bool {
    facts.options.contains { bytes.equalsIgnoringCase($0, line.name) }
  }

  /// Whether Connection names a field that would otherwise be forwarded.
  public var hasConnectionOptions: Bool { !facts.options.isEmpty }

  /// Whether the client offers to change the protocol: HTTP/1.1, Upgrade, and Connection naming it.
  public var hasUpgrade: Bool { version == .http11 && facts.connectionUpgrade && contains(.upgrade) }

  /// Whether the client can make use of trailers (`TE: trailers`).
  public var acceptsTrailers: Bool { facts.acceptsTrailers && version == .http11 }

  /// Whether there is a field of this known name.
  public func contains(_ name: FieldName) -> Bool { facts.seen.contains(name) }

  /// The first field of this known name.
  public func first(_ name: FieldName) -> FieldLine? {
    guard contains(name) else { return nil }
    return fields.first { $0.known == name }
  }

  /// Forgets everything, but keeps the capacity.
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
  /// Reads `method SP target SP version CRLF` at `start`, looking at no byte from `end` on.
  ///
  /// Returns where the next line begins, or nil when the line is incomplete; with `isLimit`, that is an error.
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
  /// How many more times the request may be forwarded (RFC 9110 7.6.2): nil where it does not say, and for the methods
  /// for which it means nothing, all but OPTIONS and TRACE. What is beyond all numbers counts as the largest.
  ///
  /// Throws `malformedMaxForwards` where the field occurs twice, or is no number.
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

/// What shows that a browser sent a request for a page of another site (Fetch Metadata, RFC 6454).
public enum ForeignPageSign: Equatable, Sendable {
  /// `Sec-Fetch-Site` has this value: the browser says so.
  case site(ByteRange)
  /// `Origin` has this value: the page's origin is not the server that the request is for.
  case origin(ByteRange)
}

extension RequestHead {
  /// The first sign that a browser sent the request for a page of another site; nil where there is none, as from every client
  /// that is not a browser.
  ///
  /// - Parameters:
  ///   - bytes: those that the head was parsed from.
  ///   - target: the target, whose host and scheme decide if it is in absolute form.
  ///   - isSecure: whether the request came over TLS.
  public func foreignPageSign(
    _ bytes: Span<UInt8>, target: RequestTarget?, isSecure: Bool
  ) -> ForeignPageSign? {
    guard contains(.secFetchSite) || contains(.origin) else { return nil }
    for line in fields {
      switch line.known {
      case .secFetchSite:
        let site = bytes.extracting(line.value.range)
        // "none": a person typed the address.
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
  /// Whether the host always means this machine, whatever DNS says: a loopback address, or a name that RFC 6761 reserves
  /// (section 6.3). A browser that uses another name for a loopback listener was led there, by DNS rebinding for example.
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
    // A name has no byte but letters that differs in bit 5 from another one.
    return (0..<name.count).allSatisfy {
      bytes[Int(name.start) + $0] | 0x20 == bytes[Int(otherName.start) + $0] | 0x20
    }
  }
}

extension Span<UInt8> {
  /// Whether the bytes are `text`, in this very case.
  fileprivate func isText(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    // Safe: a literal lives forever, and is as long as it says.
    return (0..<count).allSatisfy { unsafe self[$0] == text.utf8Start[$0] }
  }
}
