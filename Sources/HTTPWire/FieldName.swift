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
  case proxyAuthorization, authenticationInfo, proxyAuthenticationInfo
}
