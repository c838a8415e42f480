internal import Encodings

/// A parsed request target (RFC 9112 section 3.2), as offsets.
public struct RequestTarget: Sendable, Equatable {
  /// The four forms of a target.
  public enum Form: Sendable {
    /// `/path?query`: what clients send to an origin server.
    case origin
    /// `http://host/path?query`: what clients send to a proxy.
    case absolute
    /// `host:port`: the target of CONNECT.
    case authority
    /// `*`: OPTIONS for the server as a whole.
    case asterisk
  }

  /// The schemes that a target may have.
  public enum Scheme: Sendable {
    /// `http`, port 80 by default.
    case http
    /// `https`, port 443 by default.
    case https

    /// The default port.
    public var defaultPort: UInt16 { self == .http ? 80 : 443 }
  }

  /// The form of the target.
  public internal(set) var form: Form
  /// The scheme of the absolute form.
  public internal(set) var scheme: Scheme?
  /// Host and port of the absolute and the authority form.
  public internal(set) var authority: Authority?
  /// The path. Empty in the authority form, and in an absolute form such as `http://host?query`, where `/` must be sent.
  public internal(set) var path = ByteRange.empty
  /// The part after the first `?`; nil if there is none.
  public internal(set) var query: ByteRange?
  /// Path and query together, with the `?`.
  public internal(set) var pathAndQuery = ByteRange.empty
  /// Whether path or query have visible characters that must be percent-encoded before they are forwarded; see
  /// ``NormalisedTarget``.
  public internal(set) var hasUnwiseBytes = false

  /// The host of the absolute and the authority form, without brackets; empty in the other forms.
  public var host: ByteRange { authority?.host ?? .empty }
  /// The port of the absolute and the authority form, if given.
  public var port: UInt16? { authority?.port }
  /// Whether the host is an IPv6 address.
  public var isIPv6Literal: Bool { authority?.isIPv6Literal ?? false }

  /// Whether an absolute form has nothing after its authority: `OPTIONS` is then forwarded as `*` (RFC 9112 section 3.2.4).
  public var isWithoutPathAndQuery: Bool { form == .absolute && pathAndQuery.isEmpty }
}

extension RequestTarget {
  /// Parses the target at `range` of a request with `method`.
  ///
  /// The path may contain what RFC 3986 allows, and ``[]^`{|}``, which programs send unencoded; two hexadecimal digits must
  /// follow `%`, and `%00` is rejected. The query may contain every visible ASCII character but `#`, and is not parsed: nothing
  /// here depends on it. Dot segments and empty segments are kept.
  public static func parse(
    _ bytes: Span<UInt8>, target range: ByteRange, method: Method
  ) throws(WireError) -> RequestTarget {
    guard !range.isEmpty else { throw .invalidTarget }
    let start = Int(range.start)
    if method == .connect {
      let authority: Authority
      do throws(WireError) { authority = try Authority.parse(bytes, range) } catch {
        throw hasURLParts(bytes, range) ? .invalidConnectTarget : error
      }
      guard authority.port != nil else { throw .missingPort }
      return RequestTarget(form: .authority, authority: authority)
    }
    if bytes[start] == UInt8(ascii: "/") {
      var target = RequestTarget(form: .origin)
      try target.parsePathAndQuery(bytes, range)
      return target
    }
    if bytes[start] == UInt8(ascii: "*"), range.count == 1 {
      guard method == .options else { throw .asteriskWithoutOptions }
      return RequestTarget(form: .asterisk)
    }
    return try parseAbsolute(bytes, range)
  }

  /// Whether the target of a CONNECT has parts that only a URL has.
  private static func hasURLParts(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
    range.range.contains { isAuthorityEnd(bytes[$0]) }
  }

  /// Parses `host[:port]`, by the rules of the target and the Host field.
  public static func parseAuthority(_ bytes: Span<UInt8>, _ range: ByteRange) throws(WireError) -> Authority {
    try Authority.parse(bytes, range)
  }

  private static func parseAbsolute(_ bytes: Span<UInt8>, _ range: ByteRange) throws(WireError) -> RequestTarget {
    let start = Int(range.start)
    let end = Int(range.end)
    var target = RequestTarget(form: .absolute)
    var position = start
    if range.count >= 7, bytes.equals("http://", count: 7, at: start) {
      target.scheme = .http
      position += 7
    } else if range.count >= 8, bytes.equals("https://", count: 8, at: start) {
      target.scheme = .https
      position += 8
    } else {
      throw schemeFault(bytes, range)
    }
    let authorityStart = position
    while position < end, !isAuthorityEnd(bytes[position]) { position += 1 }
    target.authority = try Authority.parse(bytes, ByteRange(authorityStart..<position))
    try target.parsePathAndQuery(bytes, ByteRange(position..<end))
    return target
  }

  private static func isAuthorityEnd(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
  }

  /// The error for a URI of another scheme, or for text that is no URI.
  private static func schemeFault(_ bytes: Span<UInt8>, _ range: ByteRange) -> WireError {
    for offset in range.range where bytes[offset] == UInt8(ascii: ":") {
      let scheme = ByteRange(Int(range.start)..<offset)
      let isOurs = bytes.equals("http", ignoringCaseAt: scheme) || bytes.equals("https", ignoringCaseAt: scheme)
      let isURI = offset + 2 < Int(range.end) && bytes[offset + 1] == UInt8(ascii: "/") && !scheme.isEmpty
      return isURI && !isOurs ? .unsupportedScheme : .invalidTarget
    }
    return .invalidTarget
  }

  private mutating func parsePathAndQuery(_ bytes: Span<UInt8>, _ range: ByteRange) throws(WireError) {
    let end = Int(range.end)
    var position = Int(range.start)
    pathAndQuery = range
    while position < end {
      let byte = bytes[position]
      if ByteClass.contains(byte, ByteClass.path) {
        position &+= 1
      } else if byte == UInt8(ascii: "%") {
        try Self.checkPercent(bytes, at: position, end)
        position += 3
      } else if byte == UInt8(ascii: "?") {
        break
      } else if ByteClass.contains(byte, ByteClass.unwiseInPath) {
        hasUnwiseBytes = true
        position += 1
      } else {
        throw byte == UInt8(ascii: "#") ? .fragment : .invalidPathByte
      }
    }
    path = ByteRange(Int(range.start)..<position)
    guard position < end else { return }
    let query = ByteRange(position + 1..<end)
    for offset in query.range where !ByteClass.contains(bytes[offset], ByteClass.query) {
      guard ByteClass.contains(bytes[offset], ByteClass.unwise) else {
        throw bytes[offset] == UInt8(ascii: "#") ? .fragment : .invalidTargetByte
      }
      hasUnwiseBytes = true
    }
    self.query = query
  }

  private static func checkPercent(_ bytes: Span<UInt8>, at position: Int, _ end: Int) throws(WireError) {
    guard position + 2 < end, let high = bytes[position + 1].hexValue,
      let low = bytes[position + 2].hexValue, high | low != 0
    else { throw .invalidPercentEncoding }
  }
}
