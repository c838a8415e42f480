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
    case 12:
      if matches("content-type") { return .contentType }
      if matches("max-forwards") { return .maxForwards }
      if matches("proxy-status") { return .proxyStatus }
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
