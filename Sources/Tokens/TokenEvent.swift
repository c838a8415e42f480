/// A fetch that ended, for the log line and the counters; it holds no token and no secret.
public struct TokenEvent: Sendable {
  /// Why a token was needed.
  public enum Reason: String, Hashable, Sendable {
    /// There was none yet.
    case first
    /// The one before had expired.
    case renewal
    /// The API did not accept the one before.
    case unauthorized
  }

  /// How it went.
  public enum Outcome: Hashable, Sendable {
    /// There is a token, valid for `lifetime`.
    case fetched(lifetime: Duration)
    /// There is none.
    case failed(TokenFailure)
  }

  /// What was asked for.
  public let request: TokenRequestSummary
  /// Why.
  public let reason: Reason
  /// How it went.
  public let outcome: Outcome
  /// The time from the first attempt's beginning to the end.
  public let took: Duration
  /// How often the token endpoint was asked: 1, or 2 when the first attempt was worth repeating.
  public let attempts: Int
  /// Tokens fetched by this request since midnight (UTC), this one included.
  public let fetchedToday: Int
  /// Tokens fetched by this request since the start, this one included.
  public let fetchedSinceStart: Int

  /// An event made of its parts.
  public init(
    request: TokenRequestSummary, reason: Reason, outcome: Outcome, took: Duration, attempts: Int, fetchedToday: Int,
    fetchedSinceStart: Int
  ) {
    self.request = request
    self.reason = reason
    self.outcome = outcome
    self.took = took
    self.attempts = attempts
    self.fetchedToday = fetchedToday
    self.fetchedSinceStart = fetchedSinceStart
  }
}
