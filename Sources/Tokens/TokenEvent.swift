public import Secrets

/// A fetch that ended, for the log line and the counters; it holds no token and no secret.
public struct TokenEvent: Sendable {
  /// Why a token was needed.
  public enum Reason: String, Hashable, Sendable {
    /// There was no token yet.
    case first
    /// The last one had expired.
    case renewal
    /// The API rejected the last one.
    case unauthorized
    /// The server had rejected the client's secret, and it has changed.
    case rotation
  }

  /// Where a token came from.
  public enum Source: String, Hashable, Sendable {
    /// The token endpoint.
    case server
    /// The store: another process fetched it, or this one before a restart. Nothing was issued.
    case store
  }

  /// The result.
  public enum Outcome: Hashable, Sendable {
    /// There is a token, valid for `lifetime` from now on.
    case fetched(lifetime: Duration)
    /// There is none.
    case failed(TokenFailure)
  }

  /// What was requested.
  public let request: TokenRequestSummary
  /// Why a token was needed.
  public let reason: Reason
  /// The result.
  public let outcome: Outcome
  /// Where the token came from.
  public let source: Source
  /// The time from the start of the first attempt to the end.
  public let took: Duration
  /// The number of token requests: 1 in most cases, more after retries.
  public let attempts: Int
  /// Which of the client's secrets was used last; nil when it has no secret, or no request was sent.
  public let secret: ClientSecrets.Place?
  /// Secrets that could not be read again, so that the previous ones were used.
  public let secretProblems: [SecretError]
  /// What the operator should know about the token that was issued.
  public let remarks: [TokenRemark]
  /// Tokens issued to this client since midnight (UTC), including those of this fetch.
  public let fetchedToday: Int
  /// Set when this fetch uses so much of the client's budget that the operator should know.
  public let alarm: TokenBudget.Alarm?

  init(
    request: TokenRequestSummary, reason: Reason, outcome: Outcome, report: TokenFetch.Report, fetchedToday: Int,
    alarm: TokenBudget.Alarm?
  ) {
    self.request = request
    self.reason = reason
    self.outcome = outcome
    source = report.source
    took = report.took
    attempts = report.attempts
    secret = report.secret
    secretProblems = report.secretProblems
    if case .success(let token) = report.outcome, report.source == .server {
      remarks = token.remarks
    } else {
      remarks = []
    }
    self.fetchedToday = fetchedToday
    self.alarm = alarm
  }
}
