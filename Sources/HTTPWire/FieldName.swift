/// The field names that mean something to a proxy, recognised in any case while a head is parsed.
public enum FieldName: UInt8, Sendable, CaseIterable {
  /// Any other name.
  case other
  /// `Proxy-` and anything else: for proxies only, never forwarded.
  case proxyOther
  /// `Proxy`, which CGI programs would take for the setting `HTTP_PROXY`.
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
  /// The name that the token at `range` is, in any case.
  @inline(__always)
  static func recognise(_ bytes: Span<UInt8>, _ range: ByteRange) -> FieldName {
    let start = Int(range.start)
    let count = range.count
    @inline(__always) func matches(_ literal: StaticString) -> Bool {
      bytes.equals(literal, count: literal.utf8CodeUnitCount, at: start)
    }
    // Lengths first: most names are told apart from every name here by at most three comparisons of eight bytes.
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

  /// Whether the unknown name at `range` reads as a framing field to software that takes `_` for `-` (CGI, WSGI).
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

  /// Whether a name is in both sets.
  func intersects(_ other: FieldNameSet) -> Bool { bits & other.bits != 0 }

  /// Adds `name`.
  @inlinable
  public mutating func insert(_ name: FieldName) {
    bits |= 1 << UInt64(name.rawValue)
  }

  /// Takes `name` away.
  @inlinable
  public mutating func remove(_ name: FieldName) {
    bits &= ~(1 << UInt64(name.rawValue))
  }

  /// The names that are in this set or in `other`.
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
  /// Fields that mean something on one connection only (RFC 9110 7.6.1), `Proxy-*`, and what CGI takes for a setting.
  public static let hopByHop: FieldNameSet = [
    .connection, .keepAlive, .te, .transferEncoding, .upgrade, .http2Settings, .proxyConnection, .proxyAuthorization,
    .proxyAuthenticate, .proxyAuthenticationInfo, .proxyOther, .proxy,
  ]

  /// Fields that say where a message or its connection ends, or what goes on with it: read to the letter or not at all.
  static let framesOrConnects: FieldNameSet = [
    .contentLength, .transferEncoding, .trailer, .te, .connection, .keepAlive, .proxyConnection, .upgrade,
    .http2Settings,
  ]

  /// What a forwarded request does not take over: hop-by-hop fields, and those that are written again: Host and
  /// Authorization. Content-Length stays in its place, as the number it was read as. `Trailer` is kept; drop it too
  /// where the body does not stay chunked.
  public static let notForwardedInRequests = hopByHop.union([.host, .authorization, .proxyStatus])

  /// What a forwarded response does not take over: hop-by-hop fields. `Proxy-Status` is kept, and so is Content-Length.
  public static let notForwardedInResponses = hopByHop

  /// Fields of a response that consist of references, or contain some.
  static let links: FieldNameSet = [.location, .contentLocation, .link]

  /// Fields of a response that may say something of the connection that it came on.
  static let aboutConnection: FieldNameSet = [.wwwAuthenticate, .keepAlive]

  /// What a Connection field has no say in: names that are dropped or written again anyway, and Via, without which a
  /// loop would go unseen.
  static let connectionCannotRemove = hopByHop.union([.host, .contentLength, .authorization, .via])

  /// What has no business in a trailer section (RFC 9110 6.5.1): framing, routing, authentication, request modifiers,
  /// response control, and how to read the content.
  static let notAllowedInTrailers = hopByHop.union([
    .host, .contentLength, .authorization, .via, .age, .date, .range, .pragma, .expect, .cookie, .setCookie, .trailer,
    .ifMatch, .ifRange, .ifNoneMatch, .ifModifiedSince, .ifUnmodifiedSince, .expires, .location, .forwarded, .origin,
    .retryAfter, .contentType, .contentRange, .contentEncoding, .cacheControl, .maxForwards, .secFetchSite,
    .wwwAuthenticate, .authenticationInfo, .proxyStatus,
  ])
}
