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

  /// What a forwarded request does not take over: hop-by-hop fields, and those that are written anew: Host and
  /// Authorization. Content-Length stays in its place, as the number it was read as. `Trailer` is kept; drop it too
  /// where the body does not stay chunked.
  public static let notForwardedInRequests = hopByHop.union([.host, .authorization, .proxyStatus])

  /// What a forwarded response does not take over: hop-by-hop fields. `Proxy-Status` is kept, and so is Content-Length.
  public static let notForwardedInResponses = hopByHop

  /// Fields of a response that consist of references, or contain some.
  static let links: FieldNameSet = [.location, .contentLocation, .link]

  /// What a Connection field has no say in: names that are dropped or written anew anyway, and Via, without which a
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
