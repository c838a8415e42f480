/// The state of one token request: a value that takes events and says what to do. It has no clock and no lock.
struct TokenState {
  /// What a request that needs a token must do.
  enum Decision {
    /// Continue with this token; if there is a reason, start a fetch that no request waits for.
    case use(AccessToken, renewal: TokenEvent.Reason?)
    /// Wait for the fetch that is under way.
    case wait
    /// Wait for a fetch that begins later; if a time is given, call ``TokenState/endRest(at:hasWaiters:)`` then.
    case rest(until: TokenInstant?)
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

  /// What the API has shown about the token.
  private enum Standing {
    /// Nothing against it.
    case good
    /// A place rejected it. Requests wait for another one.
    case refused
    /// A place rejected it, and no other token could be obtained. Requests use it: other places may well accept it.
    case irreplaceable
  }

  private let request: TokenRequestSummary
  private var token: AccessToken?
  private var renewalTime = TokenInstant(nanoseconds: .max)
  private var lastUse = TokenInstant(nanoseconds: .min)
  private var phase = Phase.idle
  private var backoff = TokenBackoff()
  /// How long the server has asked to be left alone.
  private var serverAskedUntil = TokenInstant(nanoseconds: .min)
  private(set) var evidence = TokenEvidence()
  private var standing = Standing.good
  /// Whether no place has rejected the token.
  var isGood: Bool { standing == .good }
  /// The last token that was fetched because the API rejected the one before.
  private var replacement: AccessToken?
  // A token that is rejected later than this may have been revoked.
  private static let freshness: Duration = .seconds(60)
  private var reason = TokenEvent.Reason.first
  /// Tokens that expire at once are not fetched more often than this.
  private static let shortestInterval: Duration = .seconds(1)
  private var restUntil = TokenInstant(nanoseconds: .min)
  private var awaitsEndOfRest = false
  /// The last tokens that the API rejected: a store may still have one of them.
  private var refused: [AccessToken] = []

  init(request: TokenRequestSummary) { self.request = request }

  /// A request needs a token: a usable one, if there is one; and if its renewal is due, why to start a fetch that no
  /// request waits for.
  mutating func use(at now: TokenMoment) -> (token: AccessToken, renewal: TokenEvent.Reason?)? {
    lastUse = now.instant
    if case .refused = standing { return nil }
    return usableToken(at: now).map { ($0, startRenewal(at: now.instant)) }
  }

  /// A request needs a token, and waits for it if it must; `refused` is one that is of no use to it.
  mutating func request(at now: TokenMoment, insteadOf refused: AccessToken? = nil) -> Decision {
    if let (token, renewal) = use(at: now) {
      if token !== refused { return .use(token, renewal: renewal) }
      if let renewal { return .fetch(renewal) }
    }
    switch phase {
    case .fetching:
      return .wait
    case .backingOff(let until, let cause) where now.instant < until:
      return .fail(failure(.backingOff(after: cause), until: until, at: now.instant))
    case .idle where now.instant < restUntil && reason == .renewal:
      defer { awaitsEndOfRest = true }
      return .rest(until: awaitsEndOfRest ? nil : restUntil)
    case .idle, .backingOff:
      phase = .fetching
      return .fetch(reason)
    }
  }

  /// The time that ``request(at:)`` gave has come: why to start a fetch, if one is still needed.
  mutating func endRest(at now: TokenMoment, hasWaiters: Bool) -> TokenEvent.Reason? {
    awaitsEndOfRest = false
    guard hasWaiters, case .idle = phase else { return nil }
    phase = .fetching
    return reason
  }

  /// The fetch ended; `random`, in 0...1, spreads the next attempt or the renewal. All waiters get the result.
  mutating func fetched(
    _ outcome: Result<AccessToken, FailedFetch>, at now: TokenMoment, random: Double
  ) -> Result<AccessToken, TokenFailure> {
    switch outcome {
    case .success(let fetched):
      let token = self.token.map { $0.isSame(as: fetched) ? fetched.limited(by: $0) : fetched } ?? fetched
      self.token = token
      if standing != .good { replacement = token }
      standing = .good
      evidence.tokenChanged()
      renewalTime = token.renewalTime(random: random)
      if token.lifetime < Self.shortestInterval {
        restUntil = token.requestedAt.instant.advanced(by: Self.shortestInterval)
        renewalTime = max(renewalTime, restUntil)
      }
      phase = .idle
      backoff.succeeded()
      reason = .renewal
      return .success(token)
    case .failure(let failed):
      // A token that was rejected keeps no request from failing.
      let token = standing == .good ? usableToken(at: now) : nil
      if standing == .refused { standing = .irreplaceable }
      let usable = token.map { now.instant.duration(to: $0.unusableFrom.instant) } ?? .zero
      serverAskedUntil = now.instant.advanced(by: TokenBackoff.asked(failed))
      let until = now.instant.advanced(by: backoff.delay(after: failed, random: random, usable: usable))
      phase = .backingOff(until: until, after: failed.cause)
      return .failure(failure(failed.cause, until: until, at: now.instant))
    }
  }

  /// The API rejected `token` at `place`. Returns whether another one is wanted, and requests wait for it.
  ///
  /// Other requests wait for it too, until one attempt to fetch it has failed.
  mutating func refused(_ token: AccessToken, at place: TokenPlace, _ now: TokenInstant) -> TokenReplacement {
    guard self.token === token else { return .superseded }
    let isFresh = token === replacement && token.requestedAt.instant.duration(to: now) < Self.freshness
    if evidence.refused(at: place, isFresh: isFresh, now) { return .placeRefuses }
    guard standing == .good else { return .wanted }
    switch phase {
    case .fetching:
      // A fetch under way brings another token at no further cost.
      standing = .refused
    case .backingOff(let until, let cause) where now < until:
      guard evidence.mayReplace(at: place, now) else { return .replacementsSpent }
      standing = .irreplaceable
      // The current wait was set for a renewal, which no request waits for.
      let soon = max(serverAskedUntil, now.advanced(by: TokenBackoff.longestWithoutToken(after: cause)))
      phase = .backingOff(until: min(until, soon), after: cause)
    case .idle, .backingOff:
      guard evidence.mayReplace(at: place, now) else { return .replacementsSpent }
      standing = .refused
    }
    reason = .unauthorized
    renewalTime = min(renewalTime, now)
    refused = refused.suffix(3) + [token]
    return .wanted
  }

  /// The API has accepted a token at `place`.
  mutating func accepted(at place: TokenPlace) { evidence.accepted(at: place) }

  /// Uses `token` while a fetch is under way.
  mutating func bridge(with token: AccessToken, random: Double) {
    self.token = token
    standing = .good
    evidence.tokenChanged()
    renewalTime = token.renewalTime(random: random)
  }

  /// Whether `other` is the current token, or was until the API rejected it.
  func hasTried(_ other: AccessToken) -> Bool {
    token?.isSame(as: other) == true || isRefused(other)
  }

  /// Whether `other` is one of the last tokens that the API rejected.
  func isRefused(_ other: AccessToken) -> Bool { refused.contains { $0.isSame(as: other) } }

  /// The client's secret has changed: what the server said of the old one no longer counts.
  mutating func secretsChanged() {
    guard case .backingOff(_, let cause) = phase, cause.isFixableByRotation else { return }
    phase = .idle
    backoff.succeeded()
    reason = .rotation
  }

  // MARK: Renewal

  /// When to call ``renewIfInUse(at:)``; nil when there is no token to renew, or a fetch is under way.
  var nextRenewal: TokenInstant? {
    // A rejected token is replaced when a request needs another.
    guard let token, standing == .good else { return nil }
    switch phase {
    case .fetching: return nil
    case .idle: return renewalTime
    case .backingOff(let until, _): return until < token.unusableFrom.instant ? max(until, renewalTime) : nil
    }
  }

  /// The time for renewal may have come: why to start a fetch; nil if nothing needs renewal yet, or no request would
  /// miss the token. A token that is in use is renewed before it expires.
  mutating func renewIfInUse(at now: TokenMoment) -> TokenEvent.Reason? {
    guard let token = usableToken(at: now), lastUse.duration(to: now.instant) <= token.lifetime / 4 else { return nil }
    return startRenewal(at: now.instant)
  }

  private mutating func startRenewal(at now: TokenInstant) -> TokenEvent.Reason? {
    guard now >= renewalTime else { return nil }
    switch phase {
    case .fetching: return nil
    case .backingOff(let until, _) where now < until: return nil
    case .idle, .backingOff:
      phase = .fetching
      return reason
    }
  }

  func usableToken(at now: TokenMoment) -> AccessToken? {
    guard let token, token.isUsable(at: now) else { return nil }
    return token
  }

  private func failure(_ cause: TokenFailure.Cause, until: TokenInstant, at now: TokenInstant) -> TokenFailure {
    let seconds = max(1, now.duration(to: until).secondsRoundedUp)
    return TokenFailure(cause: cause, request: request, secondsToNextAttempt: seconds)
  }
}

extension TokenState {
  /// What a token in a store can be used for.
  enum StoredTokenUse {
    /// Use it instead of fetching one.
    case instead
    /// Use it until a fetch, which goes on, brings another.
    case meanwhile
    /// Nothing: there is no such token, it has been tried, or it has expired.
    case none
  }

  /// What `stored` can be used for; `random`, in 0...1, spreads its renewal.
  func use(of stored: AccessToken, at now: TokenMoment, random: Double) -> StoredTokenUse {
    guard stored.isUsable(at: now), !hasTried(stored) else { return .none }
    if now.instant < stored.renewalTime(random: random) { return .instead }
    return usableToken(at: now) == nil || standing != .good ? .meanwhile : .none
  }
}
