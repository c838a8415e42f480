/// As much of a JSON Web Token (RFC 7519) as is needed here; it is not verified, that is the API's part.
enum WebToken {
  /// The `exp` claim in seconds since 1970; nil when `token` is no JWT in compact form, or has no such claim.
  static func expiry(of token: Span<UInt8>) -> Double? {
    let dots = token.indices.filter { token[$0] == UInt8(ascii: ".") }
    guard dots.count == 2, let payload = Base64.decodeURLSafe(token.extracting((dots[0] + 1)..<dots[1])) else {
      return nil
    }
    do {
      let claims = try JSONObject(payload.span)
      guard case .number(let range) = claims["exp"] else { return nil }
      return Seconds.number(payload.span.extracting(range))
    } catch {
      // An opaque token may happen to have two dots: not being a JWT is no failure.
      return nil
    }
  }
}
