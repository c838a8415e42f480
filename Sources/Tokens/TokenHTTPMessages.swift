public import Secrets

/// A POST to a token endpoint, for a ``TokenTransport`` to send.
///
/// The transport verifies the server's certificate, follows no redirect, and sends only these members and what HTTP
/// itself needs (Host, Content-Length).
public struct TokenHTTPRequest: Sendable {
  /// The longest wait for a token, including the retry, unless the grant says otherwise.
  public static let longestWait: Duration = .seconds(10)

  /// The absolute URL of the token endpoint.
  public let url: String
  /// The header fields.
  public let fields: [TokenHTTPField]
  /// The form.
  public let body: Secret
  /// The time limit for the whole reply, including name resolution, connection and TLS.
  public let timeout: Duration
  /// Which of the transport's ways to connect to use.
  public let way: Int

  /// Creates a request.
  public init(url: String, fields: [TokenHTTPField], body: Secret, timeout: Duration, way: Int = 0) {
    self.url = url
    self.fields = fields
    self.body = body
    self.timeout = timeout
    self.way = way
  }
}

/// A header field of a token request.
public struct TokenHTTPField: Sendable {
  /// A value that may be shown, or one that may not.
  public enum Value: Sendable {
    /// An ordinary value.
    case text(String)
    /// A value that holds a secret.
    case secret(Secret)
  }

  /// The field's name.
  public let name: String
  /// The field's value.
  public let value: Value

  /// Creates a field.
  public init(_ name: String, _ value: Value) {
    self.name = name
    self.value = value
  }
}

/// The reply of a token endpoint, as a ``TokenTransport`` returns it.
public struct TokenHTTPResponse: Sendable {
  /// The most bytes of a body that a transport keeps.
  public static let longestBody = 128 * 1024

  /// The status of the final (not interim) reply.
  public let status: Int
  /// The field Content-Type.
  public let contentType: String?
  /// The field Retry-After (RFC 9110 section 10.2.3).
  public let retryAfter: String?
  /// The field RateLimit-Reset, in which Kinde says how many seconds to wait.
  public let rateLimitReset: String?
  /// The field Date (RFC 9110 section 6.6.1).
  public let date: String?
  /// The body, or its first ``longestBody`` bytes. It may hold a token, hence the type.
  public let body: Secret
  /// Whether the body was longer than the part that was kept.
  public let bodyWasCut: Bool
  /// The field Content-Encoding, which the transport has decoded.
  public let contentEncoding: String?
  /// Why decoding failed; nil if it did not. The body is empty then.
  public let decodingProblem: String?

  /// Creates a reply.
  public init(
    status: Int, contentType: String? = nil, retryAfter: String? = nil, rateLimitReset: String? = nil,
    date: String? = nil, body: [UInt8], bodyWasCut: Bool = false, contentEncoding: String? = nil,
    decodingProblem: String? = nil
  ) {
    self.status = status
    self.contentType = contentType
    self.retryAfter = retryAfter
    self.rateLimitReset = rateLimitReset
    self.date = date
    self.body = Secret(body.span)
    self.bodyWasCut = bodyWasCut
    self.contentEncoding = contentEncoding
    self.decodingProblem = decodingProblem
  }
}
