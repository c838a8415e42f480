extension ErrorKind {
  /// Token requests to the proxy itself (`token_endpoint` of a route).
  enum TokenRequest: String, ErrorKindGroup {
    case method = "token_request_method"
    case tooLarge = "token_request_too_large"
    case malformed = "token_request_malformed"
    case grant = "token_request_grant"

    var declaration: ErrorDeclaration {
      switch self {
      case .method:
        ErrorDeclaration(
          .client, status: 405, title: "Token requests must use POST", proxyStatus: "http_request_denied",
          details: "token endpoint", meaning: "A request for the path of a `token_endpoint` was not POST.",
          remedy: "Send token requests with POST; other requests need another path.")
      case .tooLarge:
        ErrorDeclaration(
          .client, status: 413, title: "The token request is too large",
          details: "token endpoint: body too large",
          meaning: "The body of a token request is larger than 64 KB.",
          remedy: "Check whether the request is meant for the API, and `token_endpoint` of the route.")
      case .malformed:
        ErrorDeclaration(
          .client, status: 400, title: "The token request is not valid",
          details: "token endpoint: invalid_request",
          meaning: "The body of a token request is not a form with one `grant_type`.",
          remedy: "Send `grant_type=client_credentials` as `application/x-www-form-urlencoded`.")
      case .grant:
        ErrorDeclaration(
          .client, status: 400, title: "The proxy supports one grant only",
          details: "token endpoint: unsupported_grant_type",
          meaning: "A token request is for another grant than client credentials.",
          remedy: "Let the application use the client credentials grant; the proxy has the real credentials.")
      }
    }
  }
}

extension ExchangeError {
  /// A token request is not POST.
  static func tokenRequest(method: String, _ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .tokenRequest(.method),
      detail: "This is a token endpoint of the proxy's own, for the route \(route.name), and the method was \(method).",
      hint: "\"token_endpoint\" of that route in proxy.conf says which paths these are.", allow: "POST")
  }

  /// The body of a token request is larger than 64 KB.
  static func tokenRequestTooLarge(_ route: ProxyRoute) -> ExchangeError {
    ExchangeError(
      .tokenRequest(.tooLarge),
      detail: "The proxy's own token endpoint accepts \(Exchange.longestTokenRequest) bytes at most.",
      hint: "Is this request meant for the API? \"token_endpoint\" of the route \(route.name) names its path.")
  }

  /// A token request has no `grant_type`, or its body is not a form.
  static let tokenRequestWithoutGrant = ExchangeError(
    .tokenRequest(.malformed),
    detail: "The body is not a form (application/x-www-form-urlencoded) with a grant_type.",
    hint: "Send grant_type=client_credentials; client_id and client_secret may be anything.",
    oauthError: "invalid_request")

  /// A token request has a parameter twice.
  static let tokenRequestWithRepetition = ExchangeError(
    .tokenRequest(.malformed), detail: "The form has grant_type or scope twice.", hint: "Send each parameter once.",
    oauthError: "invalid_request")

  /// A token request is for another grant than client credentials.
  static func tokenRequest(grant: String) -> ExchangeError {
    ExchangeError(
      .tokenRequest(.grant),
      detail: "The request uses \(shown(grant)), but the proxy issues placeholders for client_credentials only.",
      oauthError: "unsupported_grant_type")
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
