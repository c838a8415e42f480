/// What is known of one token request: a value that takes events and says what to do. It has no clock and no lock.
struct TokenState {
  /// What a request that needs a token is to do.
  enum Decision {
    /// Go on with this token.
    case use(AccessToken)
    /// Wait for the fetch that is under way.
    case wait
    /// Start a fetch, and wait for it.
    case fetch(TokenEvent.Reason)
    /// Give up.
    case fail(TokenFailure)
  }

  private enum Phase {
    case idle
    case fetching
    case backingOff(until: TokenInstant, after: TokenFailure.Cause)
  }

  private let request: TokenRequestSummary
  private var token: AccessToken?
  private var phase = Phase.idle
  private var backoff = TokenBackoff()
  private var reason = TokenEvent.Reason.first

  init(request: TokenRequestSummary) { self.request = request }

  /// The token that may be sent at `now`.
  func usableToken(at now: TokenInstant) -> AccessToken? {
    guard let token, token.isUsable(at: now) else { return nil }
    return token
  }

  /// A request needs a token.
  mutating func request(at now: TokenInstant) -> Decision {
    if let token = usableToken(at: now) { return .use(token) }
    switch phase {
    case .fetching:
      return .wait
    case .backingOff(let until, let cause) where now < until:
      return .fail(failure(.backingOff(after: cause), until: until, at: now))
    case .idle, .backingOff:
      phase = .fetching
      return .fetch(reason)
    }
  }

  /// The fetch ended; `random`, in 0...1, spreads the next attempt. The result is what everybody who waited gets.
  mutating func fetched(
    _ outcome: Result<AccessToken, FailedFetch>, at now: TokenInstant, random: Double
  ) -> Result<AccessToken, TokenFailure> {
    switch outcome {
    case .success(let token):
      self.token = token
      phase = .idle
      backoff.succeeded()
      reason = .renewal
      return .success(token)
    case .failure(let failed):
      let until = now.advanced(by: backoff.delay(after: failed, random: random))
      phase = .backingOff(until: until, after: failed.cause)
      return .failure(failure(failed.cause, until: until, at: now))
    }
  }

  /// The API did not accept `token`: drops it, unless a newer one has taken its place. Says whether it was dropped.
  mutating func invalidate(_ token: AccessToken) -> Bool {
    guard self.token === token else { return false }
    self.token = nil
    reason = .unauthorized
    return true
  }

  private func failure(_ cause: TokenFailure.Cause, until: TokenInstant, at now: TokenInstant) -> TokenFailure {
    let seconds = max(1, now.duration(to: until).secondsRoundedUp)
    return TokenFailure(cause: cause, request: request, secondsToNextAttempt: seconds)
  }
}
