internal import HTTPService

/// The token in a request's Authorization field, checked only with the issuer's key (RFC 6750 section 2.1).
enum BearerToken {
  /// There is none, or it is of another scheme.
  case missing
  /// There is more than one Authorization field.
  case repeated
  /// It is not valid for any API.
  case invalid(TokenFault)
  /// It is valid, with this many seconds left; the API decides whether it is for this API.
  case valid(TokenClaims, secondsLeft: Int)

  /// - Parameter now: seconds since 1970.
  init(of request: ServiceRequest, _ mint: TokenMint, now: Int) {
    let values = request.values(of: "authorization")
    guard let value = values.first else {
      self = .missing
      return
    }
    guard values.count == 1 else {
      self = .repeated
      return
    }
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else {
      self = .missing
      return
    }
    do throws(TokenFault) {
      let claims = try mint.check(String(parts[1].trimmingPrefix { $0 == " " }), now: now)
      self = .valid(claims, secondsLeft: claims.exp - now)
    } catch {
      self = .invalid(error)
    }
  }

  /// The beginning of the field's value, and what the token says.
  func summary(of value: String) -> String {
    let short = value.count > 24 ? value.prefix(17) + "…" : value[...]
    return switch self {
    case .missing, .repeated: "\(short)"
    case .invalid(let fault): "\(short) (\(fault.description))"
    case .valid(let claims, let seconds):
      "\(short) (aud \(claims.aud.joined(separator: ", ")), scope \(claims.scope.isEmpty ? "-" : claims.scope), \(seconds) s)"
    }
  }
}

/// Why the API rejects a request (RFC 6750 section 3.1).
enum BearerRefusal: Error {
  /// No token: 401 without an error code, since the client may not have known that it needs one.
  case missing
  /// More than one Authorization field: 400.
  case repeated
  /// The token is not valid here: 401.
  case invalid(TokenFault)
  /// The token is valid, but lacks this scope: 403.
  case insufficientScope(String)

  var response: ServiceResponse {
    switch self {
    case .missing: challenge(401, "unauthorized", "there is no bearer token", #"Bearer realm="sandbox""#)
    case .repeated: coded(400, "invalid_request", "there is more than one Authorization field")
    case .invalid(let fault): coded(401, "invalid_token", fault.description)
    case .insufficientScope(let scope):
      coded(403, "insufficient_scope", "the token lacks the scope \(scope)", #", scope="\#(Self.quotable(scope))""#)
    }
  }

  private func coded(_ status: Int, _ code: String, _ description: String, _ rest: String = "") -> ServiceResponse {
    let quoted = Self.quotable(description)
    return challenge(
      status, code, description, #"Bearer realm="sandbox", error="\#(code)", error_description="\#(quoted)"\#(rest)"#)
  }

  private func challenge(_ status: Int, _ code: String, _ description: String, _ value: String) -> ServiceResponse {
    .error(status, code, description, fields: [ServiceField("WWW-Authenticate", value)])
  }

  /// `text` without the characters that RFC 6750 section 3 forbids in these values.
  private static func quotable(_ text: String) -> String {
    String(text.map { $0.isASCII && $0 >= " " && $0 <= "~" && $0 != "\"" && $0 != "\\" ? $0 : "'" })
  }
}
