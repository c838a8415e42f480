/// The field names that the proxy knows, recognised in any case while a head is parsed.
public enum FieldName: UInt8, Sendable, CaseIterable {
  /// Any other name.
  case other
  /// Any other name that begins with `Proxy-`: for proxies only, never forwarded.
  case proxyOther
  /// `Proxy`, which CGI programs would take for the variable `HTTP_PROXY`.
  case proxy

  /// Names with a meaning of their own.
  case te, via, age, host, date, link, range, pragma, expect, origin, cookie, trailer, upgrade, ifMatch, ifRange
  case expires, location, forwarded, connection, keepAlive, setCookie, retryAfter, ifNoneMatch
  case contentType, maxForwards, proxyStatus, authorization, contentRange, cacheControl
  case contentLength, secFetchSite, http2Settings, ifModifiedSince, ifUnmodifiedSince
  case contentEncoding, contentLocation, wwwAuthenticate, proxyConnection, transferEncoding, proxyAuthenticate
  case proxyAuthorization, authenticationInfo, proxyAuthenticationInfo, destination, requestID
}

extension FieldName {
  /// The name for the token at `range`, in any case.
  @inline(__always)
  static func recognise(_ bytes: Span<UInt8>, _ range: ByteRange) -> FieldName {
    let start = Int(range.start)
    let count = range.count
    @inline(__always) func matches(_ literal: StaticString) -> Bool {
      bytes.equals(literal, count: literal.utf8CodeUnitCount, at: start)
    }
    // The length first: then at most three comparisons of eight bytes tell most names apart from every name here.
    switch count {
    case 2:
      if matches("te") { return .te }
    case 3:
      if matches("via") { return .via }
      if matches("age") { return .age }
    case 4:
      if matches("host") { return .host }
      if matches("date") { return .date }
      if matches("link") { return .link }
    case 5:
      if matches("range") { return .range }
      if matches("proxy") { return .proxy }
    case 6:
      if matches("origin") { return .origin }
      if matches("expect") { return .expect }
      if matches("cookie") { return .cookie }
      if matches("pragma") { return .pragma }
    case 7:
      if matches("upgrade") { return .upgrade }
      if matches("trailer") { return .trailer }
      if matches("expires") { return .expires }
    case 8:
      if matches("location") { return .location }
      if matches("if-match") { return .ifMatch }
      if matches("if-range") { return .ifRange }
    case 9:
      if matches("forwarded") { return .forwarded }
    case 10:
      if matches("connection") { return .connection }
      if matches("keep-alive") { return .keepAlive }
      if matches("set-cookie") { return .setCookie }
    case 11:
      if matches("retry-after") { return .retryAfter }
      if matches("destination") { return .destination }
    case 12:
      if matches("content-type") { return .contentType }
      if matches("max-forwards") { return .maxForwards }
      if matches("proxy-status") { return .proxyStatus }
      if matches("x-request-id") { return .requestID }
    case 13:
      if matches("authorization") { return .authorization }
      if matches("cache-control") { return .cacheControl }
      if matches("content-range") { return .contentRange }
      if matches("if-none-match") { return .ifNoneMatch }
    case 14:
      if matches("content-length") { return .contentLength }
      if matches("sec-fetch-site") { return .secFetchSite }
      if matches("http2-settings") { return .http2Settings }
    case 16:
      if matches("content-encoding") { return .contentEncoding }
      if matches("content-location") { return .contentLocation }
      if matches("www-authenticate") { return .wwwAuthenticate }
      if matches("proxy-connection") { return .proxyConnection }
    case 17:
      if matches("transfer-encoding") { return .transferEncoding }
      if matches("if-modified-since") { return .ifModifiedSince }
    case 18:
      if matches("proxy-authenticate") { return .proxyAuthenticate }
    case 19:
      if matches("proxy-authorization") { return .proxyAuthorization }
      if matches("authentication-info") { return .authenticationInfo }
      if matches("if-unmodified-since") { return .ifUnmodifiedSince }
    case 25:
      if matches("proxy-authentication-info") { return .proxyAuthenticationInfo }
    default: break
    }
    if count > 6, bytes.equals("proxy-", count: 6, at: start) { return .proxyOther }
    return .other
  }

  /// Whether the unknown name at `range` is a framing field to software that treats `_` like `-` (CGI, WSGI).
  static func isDisguisedFraming(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
    switch range.count {
    case 14: matchesWithUnderscores("content-length", bytes, range)
    case 17: matchesWithUnderscores("transfer-encoding", bytes, range)
    default: false
    }
  }

  private static func matchesWithUnderscores(
    _ literal: StaticString, _ bytes: Span<UInt8>, _ range: ByteRange
  ) -> Bool {
    literal.withUTF8Buffer { wanted in
      for (index, offset) in range.range.enumerated() {
        let byte = bytes[offset] == UInt8(ascii: "_") ? UInt8(ascii: "-") : bytes[offset] | 0x20
        guard unsafe byte == wanted[index] else { return false }
      }
      return true
    }
  }
}

/// A set of known field names.
public struct FieldNameSet: Sendable, Equatable, ExpressibleByArrayLiteral {
  @usableFromInline var bits: UInt64

  /// No name.
  public static let none = FieldNameSet(bits: 0)

  init(bits: UInt64) { self.bits = bits }

  /// The names given.
  @inlinable
  public init(arrayLiteral names: FieldName...) {
    bits = 0
    for name in names { insert(name) }
  }

  /// Whether `name` is in the set.
  @inlinable
  public func contains(_ name: FieldName) -> Bool {
    bits & (1 << UInt64(name.rawValue)) != 0
  }

  /// Whether the two sets share a name.
  func intersects(_ other: FieldNameSet) -> Bool { bits & other.bits != 0 }

  /// Adds `name`.
  @inlinable
  public mutating func insert(_ name: FieldName) {
    bits |= 1 << UInt64(name.rawValue)
  }

  /// Removes `name`.
  @inlinable
  public mutating func remove(_ name: FieldName) {
    bits &= ~(1 << UInt64(name.rawValue))
  }

  /// The names in this set or in `other`.
  @inlinable
  public func union(_ other: FieldNameSet) -> FieldNameSet {
    var both = self
    both.bits |= other.bits
    return both
  }

  /// This set without `name`.
  @inlinable
  public func subtracting(_ name: FieldName) -> FieldNameSet {
    var rest = self
    rest.remove(name)
    return rest
  }
}

extension FieldNameSet {
  /// Fields that concern one connection only (RFC 9110 section 7.6.1), `Proxy-*`, and names that CGI takes for settings.
  public static let hopByHop: FieldNameSet = [
    .connection, .keepAlive, .te, .transferEncoding, .upgrade, .http2Settings, .proxyConnection, .proxyAuthorization,
    .proxyAuthenticate, .proxyAuthenticationInfo, .proxyOther, .proxy,
  ]

  /// Fields that determine where a message or its connection ends, or what follows it: read them exactly or not at all.
  static let framesOrConnects: FieldNameSet = [
    .contentLength, .transferEncoding, .trailer, .te, .connection, .keepAlive, .proxyConnection, .upgrade,
    .http2Settings,
  ]

  /// The fields of a request that are not forwarded: hop-by-hop fields, and those that are written again, Host and
  /// Authorization. Content-Length stays in its place, as the parsed number. `Trailer` is kept; drop it too if the body does
  /// not stay chunked.
  public static let notForwardedInRequests = hopByHop.union([.host, .authorization, .proxyStatus])

  /// The fields of a response that are not forwarded: hop-by-hop fields. `Proxy-Status` and Content-Length are kept.
  public static let notForwardedInResponses = hopByHop

  /// Fields of a response that are or contain references.
  static let links: FieldNameSet = [.location, .contentLocation, .link]

  /// Fields of a response that may concern the connection that it arrived on.
  static let aboutConnection: FieldNameSet = [.wwwAuthenticate, .keepAlive]

  /// Names that Connection cannot remove: fields that are dropped or written again anyway, and Via, without which a loop would
  /// not be detected.
  static let connectionCannotRemove = hopByHop.union([.host, .contentLength, .authorization, .via])

  /// Fields that do not belong in a trailer section (RFC 9110 section 6.5.1): framing, routing, authentication, request
  /// modifiers, response control, and how to read the content.
  static let notAllowedInTrailers = hopByHop.union([
    .host, .contentLength, .authorization, .via, .age, .date, .range, .pragma, .expect, .cookie, .setCookie, .trailer,
    .ifMatch, .ifRange, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .expires, .location, .forwarded, .origin,
    .retryAfter, .contentType, .contentRange, .contentEncoding, .cacheControl, .maxForwards, .secFetchSite,
    .wwwAuthenticate, .authenticationInfo, .proxyStatus,
  ])
}
