internal import HTTPService

/// Why the API does not serve a request (RFC 6750 3.1).
enum BearerRefusal: Error {
  /// No token: 401, and no error code, since the client may not have known.
  case missing
  /// More than one Authorization field: 400.
  case repeated
  /// The token is no good here: 401.
  case invalid(TokenFault)
  /// The token is good, but without this scope: 403.
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

  /// `text` without what RFC 6750 3 does not allow in these values.
  private static func quotable(_ text: String) -> String {
    String(text.map { $0.isASCII && $0 >= " " && $0 <= "~" && $0 != "\"" && $0 != "\\" ? $0 : "'" })
  }
}
