import Locks

/// The one place in the process where the token for one request comes from, shared by all event loops.
///
/// At most one fetch is under way, whoever asks; it runs to its end even when those who waited have gone. A token that
/// is in use is renewed before it expires, and nobody waits for that.
public final class TokenSource: Sendable, CustomReflectable {
  /// What is fetched.
  public let grant: TokenGrant

  let environment: TokenEnvironment
  let shared: Monitor<Shared>

  struct Shared {
    var state: TokenState
    /// Of the secrets that the last fetch was made with.
    var secretGeneration = 0
    var lastLookAtSecrets = TokenInstant(nanoseconds: .min)
    var waiters: [UInt64: @Sendable (Result<AccessToken, TokenFailure>) -> Void] = [:]
    var lastWaiter: UInt64 = 0

    /// What a request gets, and why to start a fetch.
    mutating func request(
      _ notify: @escaping @Sendable (Result<AccessToken, TokenFailure>) -> Void, at now: TokenMoment
    ) -> (TokenAvailability, TokenEvent.Reason?) {
      switch state.request(at: now) {
      case .use(let token, let renewal): (.available(token), renewal)
      case .fail(let failure): (.failed(failure), nil)
      case .wait: (.pending(enrol(notify)), nil)
      case .fetch(let reason): (.pending(enrol(notify)), reason)
      }
    }

    /// Those who wait, in the order in which they came; nobody does afterwards.
    mutating func removeWaiters() -> [@Sendable (Result<AccessToken, TokenFailure>) -> Void] {
      defer { waiters = [:] }
      return waiters.sorted { $0.key < $1.key }.map(\.value)
    }

    private mutating func enrol(_ notify: @escaping @Sendable (Result<AccessToken, TokenFailure>) -> Void)
      -> TokenWaiter
    {
      lastWaiter += 1
      waiters[lastWaiter] = notify
      return TokenWaiter(number: lastWaiter)
    }
  }

  /// A source of tokens for `grant`; nothing is fetched until somebody asks.
  public init(grant: TokenGrant, environment: TokenEnvironment) {
    self.grant = grant
    self.environment = environment
    shared = Monitor(Shared(state: TokenState(request: grant.summary)))
  }

  /// The token that is valid now, or nil. Costs two clock readings and an uncontended lock.
  public func current() -> AccessToken? {
    let now = environment.clock.moment
    guard let (token, renewal) = shared.withLock({ $0.state.use(at: now) }) else { return nil }
    if let renewal { launch(renewal) }
    return token
  }

  /// A token at once, the reason why there is none, or a place among those who wait for it.
  ///
  /// Only for `.pending` is `notify` called: once, on any thread, possibly before this function has returned, and
  /// never after ``cancel(_:)`` said true.
  public func request(
    _ notify: @escaping @Sendable (Result<AccessToken, TokenFailure>) -> Void
  ) -> TokenAvailability {
    let now = environment.clock.moment
    let (availability, reason) = shared.withLock { $0.request(notify, at: now) }
    if let reason { launch(reason) }
    guard case .failed(let failure) = availability, failure.cause.root.mayBeMendedByRotation, secretsHaveChanged(now)
    else { return availability }
    let (second, rotation) = shared.withLock { shared in
      shared.state.secretsChanged()
      return shared.request(notify, at: now)
    }
    if let rotation { launch(rotation) }
    return second
  }

  /// Whether the secrets are others than before; looks once a second at most.
  private func secretsHaveChanged(_ now: TokenMoment) -> Bool {
    guard let secrets = grant.secrets else { return false }
    let generation: Int? = shared.withLock { shared in
      guard shared.lastLookAtSecrets.duration(to: now.instant) >= .seconds(1) else { return nil }
      shared.lastLookAtSecrets = now.instant
      return shared.secretGeneration
    }
    return generation.map { secrets.read().generation != $0 } ?? false
  }

  /// Gives up a place: whoever waited has gone, or has waited long enough. True when it was still waiting; false when
  /// its `notify` has been called or is about to be.
  @discardableResult public func cancel(_ waiter: TokenWaiter) -> Bool {
    shared.withLock { $0.waiters.removeValue(forKey: waiter.number) } != nil
  }

  /// Drops `token`, which the API did not accept, unless a newer one has taken its place. Says whether it was dropped:
  /// it is not when it was itself fetched, too short a time ago, because of such a refusal.
  @discardableResult public func invalidate(_ token: AccessToken) -> Bool {
    let now = environment.clock.now
    guard shared.withLock({ $0.state.invalidate(token, at: now) }) else { return false }
    if let store = environment.store { environment.launch { await self.drop(token, from: store) } }
    return true
  }

  /// Shows what the source is for, not what it holds.
  public var customMirror: Mirror { Mirror(self, children: ["grant": grant]) }

  private func launch(_ reason: TokenEvent.Reason) {
    environment.launch { await self.obtain(reason) }
  }

  func renewIfInUse() {
    let now = environment.clock.moment
    let reason = shared.withLock { $0.state.renewIfInUse(at: now) }
    if let reason { launch(reason) }
  }
}
