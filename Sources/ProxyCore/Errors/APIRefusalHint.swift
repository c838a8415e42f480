internal import HTTPWire
internal import Tokens

/// How to fix it when the API, and not the proxy, rejects a request with 401 or 403: the `hint` of the log line.
///
/// The response itself goes on to the client unchanged.
enum APIRefusalHint {
  /// What the request had for the API to judge.
  enum Credentials {
    /// A token that was requested as the summary says.
    case token(TokenRequestSummary)
    /// No token, although the route has one: `without_token: forward`, for the reason given.
    case missing(reason: String)
    /// The client's own Authorization.
    case clientOwn
    /// None: the route has `credentials: none`.
    case none
  }

  /// One sentence or two about a response with `status`, 401 or 403, to a request of the route called `route`.
  ///
  /// - Parameter error: what the Bearer challenge of the response says; nil if it has none.
  static func text(status: Int, _ error: BearerError?, _ credentials: Credentials, route: String) -> String {
    switch credentials {
    case .token(let token): text(status, error, token, route)
    case .missing(let reason):
      "The request had no token (\(reason)); the event=token lines of the log say how to fix that."
    case .clientOwn:
      "The API rejects the credentials that the application sent itself; the route \(route) adds none to such a request."
    case .none where status == 401:
      "The API wants credentials, and the route \(route) has none: give it credentials and an audience, or let the application "
        + "send its own."
    case .none: "The API rejects the request itself: the route \(route) adds no token to it. See the log of the API."
    }
  }

  private static func text(_ status: Int, _ error: BearerError?, _ token: TokenRequestSummary, _ route: String)
    -> String
  {
    switch error?.code {
    case "insufficient_scope":
      return missingScope(error?.scope, token, route)
    case "invalid_token":
      return wrongToken(token, route)
    default:
      return status == 401
        ? wrongToken(token, route)
        : "The API accepts the token, and does not allow the request. If a scope is missing: "
          + missingScope(nil, token, route) + " Otherwise the API's own rules say no: see its log."
    }
  }

  private static func missingScope(_ wanted: String?, _ token: TokenRequestSummary, _ route: String) -> String {
    let scopes = wanted.map { "the scopes \($0)" } ?? "the scopes that this request needs"
    let place = token.places.scopes ?? "scopes of the route \(route)"
    let grant =
      token.provider == .kinde
      ? "In Kinde, open the M2M application, tab APIs, and assign \(scopes)"
      : "Assign \(scopes) to the client at \(token.endpointHost)"
    // Without scopes in the request, most servers grant all that the client has.
    return token.scopes.isEmpty
      ? "\(grant); a token with them is fetched at the next renewal, or after a restart."
      : "\(grant), and add them to \(place)."
  }

  private static func wrongToken(_ token: TokenRequestSummary, _ route: String) -> String {
    let place = token.places.audience ?? "audience of the route \(route)"
    let audience = token.audience.map { "audience \($0)" } ?? "no audience"
    return
      "The API does not accept tokens of \(token.endpointHost) with \(audience). Compare \(place) and the issuer with what the API "
      + "expects, and the clocks of both machines."
  }
}
