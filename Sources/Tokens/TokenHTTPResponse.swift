public import Secrets

/// The reply of a token endpoint, as a ``TokenTransport`` hands it over.
public struct TokenHTTPResponse: Sendable {
  /// The most bytes of a body that a transport keeps.
  public static let longestBody = 65_536

  /// The status of the final (not interim) reply.
  public let status: Int
  /// The field Content-Type.
  public let contentType: String?
  /// The field Retry-After (RFC 9110, 10.2.3).
  public let retryAfter: String?
  /// The field RateLimit-Reset, in which Kinde says how many seconds to wait.
  public let rateLimitReset: String?
  /// The field Date (RFC 9110, 6.6.1).
  public let date: String?
  /// The body, or its first ``longestBody`` bytes. It may hold a token, hence the type.
  public let body: Secret
  /// Whether the body was longer than what was kept of it.
  public let bodyWasCut: Bool

  /// A reply made of its parts.
  public init(
    status: Int, contentType: String? = nil, retryAfter: String? = nil, rateLimitReset: String? = nil,
    date: String? = nil, body: [UInt8], bodyWasCut: Bool = false
  ) {
    self.status = status
    self.contentType = contentType
    self.retryAfter = retryAfter
    self.rateLimitReset = rateLimitReset
    self.date = date
    self.body = Secret(body.span)
    self.bodyWasCut = bodyWasCut
  }
}
