/// The error codes that token endpoints answer with: RFC 6749 (4.1.2.1, 5.2), RFC 8707, and everything else as one.
public enum OAuthErrorCode: String, Hashable, Sendable, CaseIterable {
  /// A parameter is missing or malformed.
  case invalidRequest = "invalid_request"
  /// The client is unknown or did not authenticate.
  case invalidClient = "invalid_client"
  /// The grant is not valid.
  case invalidGrant = "invalid_grant"
  /// The client may not use this grant, or at Kinde: is not authorised for the audience.
  case unauthorizedClient = "unauthorized_client"
  /// The server does not know the grant type.
  case unsupportedGrantType = "unsupported_grant_type"
  /// A scope is unknown, or not assigned to the client.
  case invalidScope = "invalid_scope"
  /// The resource or audience is unknown (RFC 8707).
  case invalidTarget = "invalid_target"
  /// The client may not have a token for this audience (Auth0 says so).
  case accessDenied = "access_denied"
  /// The server failed.
  case serverError = "server_error"
  /// The server is overloaded or in maintenance.
  case temporarilyUnavailable = "temporarily_unavailable"
  /// A code not listed here, or none.
  case other

  /// Whether the same request will be refused until somebody changes something.
  var needsMending: Bool {
    switch self {
    case .serverError, .temporarilyUnavailable, .other: false
    default: true
    }
  }
}
