/// A failure that a sandbox gives for every token request, whatever the request deserves.
public enum ForcedFailure: String, Sendable, CaseIterable {
  /// 401: as if the secret had been rotated.
  case invalidClient = "invalid_client"
  /// 400: as if the application were not authorised for the API.
  case unauthorizedClient = "unauthorized_client"
  /// 400: as if the scope were not assigned.
  case invalidScope = "invalid_scope"
  /// 400: as if a parameter were missing.
  case invalidRequest = "invalid_request"
  /// 429 with `RateLimit-Reset`, and no `Retry-After`.
  case rateLimited = "rate_limited"
  /// 500 with a page for people.
  case serverError = "server_error"
}
