/// Why there is no token, with everything that the answer to the client and the log line need.
public struct TokenFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Cause: Error, Hashable, Sendable {
    /// The server refused.
    case refused(OAuthRefusal)
    /// The server answered, but with nothing that is a token.
    case malformed(MalformedReply)
    /// The server answered with a redirect, which is not followed.
    case redirected(status: Int)
    /// The server answered with a status of 500 or more.
    case serverError(status: Int)
    /// The server limits how often it is asked (429).
    case throttled
    /// The host's name could not be resolved.
    case nameNotResolved(detail: String)
    /// No connection, or it broke.
    case unreachable(detail: String)
    /// TLS failed, or the certificate is not to be trusted.
    case tls(detail: String)
    /// No complete reply in time.
    case timedOut(detail: String)
    /// Not asked at all: the client's own key or certificate cannot be used.
    case unusable(detail: String)
    /// Not asked at all: the client has had as many tokens as it may.
    case budgetSpent(TokenBudget)
    /// Not asked at all: the last attempt failed with this cause, and it is too soon for the next.
    indirect case backingOff(after: Cause)
  }

  /// What went wrong.
  public let cause: Cause
  /// What was asked for.
  public let request: TokenRequestSummary
  /// Seconds until the token endpoint is asked again, at least 1.
  public let secondsToNextAttempt: Int

  /// A failure made of its parts.
  public init(cause: Cause, request: TokenRequestSummary, secondsToNextAttempt: Int) {
    self.cause = cause
    self.request = request
    self.secondsToNextAttempt = secondsToNextAttempt
  }

  /// The status of the answer: 502 the server refused or answered nonsense, 503 it cannot be reached or asked now,
  /// 504 it did not answer in time.
  public var status: Int {
    switch cause {
    case .refused, .malformed, .redirected: 502
    case .serverError, .throttled, .nameNotResolved, .unreachable, .tls, .unusable, .budgetSpent, .backingOff: 503
    case .timedOut: 504
    }
  }

  /// The value of Retry-After, in seconds, for the answers that carry one (503).
  public var retryAfter: Int? { status == 503 ? secondsToNextAttempt : nil }

  /// The error type for Proxy-Status (RFC 9209, 2.3): the next hop is never asked when there is no token, and the
  /// other types speak of that hop. ``proxyStatusDetails`` says what it was.
  public var proxyStatusError: String { "proxy_internal_response" }

  /// The `details` of Proxy-Status: plain ASCII without quotes.
  public var proxyStatusDetails: String { "token endpoint: \(cause.label)" }

  /// One of a bounded set of names, for metrics and the error field of the access log.
  public var metricLabel: String { cause.metricLabel }
}
