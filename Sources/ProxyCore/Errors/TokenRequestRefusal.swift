/// Why a token request is not answered with a placeholder.
enum TokenRequestRefusal {
  /// It is no POST.
  case method(String)
  /// Its content is larger than any form for this.
  case tooLarge
  /// There is no `grant_type`, or no form.
  case noGrantType
  /// A parameter is there twice.
  case repetition
  /// It requests a grant other than client credentials.
  case grantType(String)

  /// Its name in the log and in metrics.
  var kind: String {
    switch self {
    case .method: "token_request_method"
    case .tooLarge: "token_request_too_large"
    case .noGrantType, .repetition: "token_request_malformed"
    case .grantType: "token_request_grant"
    }
  }

  func answer(_ route: ProxyRoute) -> ErrorAnswer {
    switch self {
    case .method(let method):
      ErrorAnswer(
        status: 405, title: "Token requests must use POST",
        detail:
          "This is a token endpoint of the proxy's own, for the route \(route.name), and the method was \(method).",
        hint: "\"token_endpoint\" of that route in proxy.conf says which paths these are.",
        proxyStatus: "http_request_denied", proxyStatusDetails: "token endpoint", allow: "POST")
    case .tooLarge:
      ErrorAnswer(
        status: 413, title: "The token request is too large",
        detail: "The proxy's own token endpoint takes \(Exchange.longestTokenRequest) bytes.",
        hint: "Is this request meant for the API? \"token_endpoint\" of the route \(route.name) names its path.",
        proxyStatus: "http_request_error", proxyStatusDetails: "token endpoint: content too large")
    case .noGrantType:
      ErrorAnswer(
        status: 400, title: "The token request is not valid",
        detail: "Its content is not a form (application/x-www-form-urlencoded) with a grant_type.",
        hint: "Send grant_type=client_credentials; client_id and client_secret may be anything.",
        proxyStatus: "http_request_error", proxyStatusDetails: "token endpoint: invalid_request",
        oauthError: "invalid_request")
    case .repetition:
      ErrorAnswer(
        status: 400, title: "The token request is not valid",
        detail: "It has grant_type or scope twice.",
        hint: "Send each parameter once.",
        proxyStatus: "http_request_error", proxyStatusDetails: "token endpoint: invalid_request",
        oauthError: "invalid_request")
    case .grantType(let grant):
      ErrorAnswer(
        status: 400, title: "The proxy supports one grant only",
        detail:
          "The request uses \(Self.shown(grant)), but the proxy issues placeholders for client_credentials only.",
        hint: "Let the application use the client credentials grant; the proxy has the real credentials.",
        proxyStatus: "http_request_error", proxyStatusDetails: "token endpoint: unsupported_grant_type",
        oauthError: "unsupported_grant_type")
    }
  }

  // The value may be anything, including a password in the wrong place.
  private static func shown(_ grant: String) -> String {
    let known = ["authorization_code", "password", "refresh_token", "implicit"]
    return known.contains(grant) || grant.hasPrefix("urn:ietf:params:oauth:grant-type:") && isName(grant)
      ? grant : "another grant"
  }

  private static func isName(_ text: String) -> Bool {
    text.utf8.count <= 100
      && text.unicodeScalars.allSatisfy { ("a"..."z").contains($0) || "0123456789:-_".unicodeScalars.contains($0) }
  }
}
