import Locks
import Secrets
import Synchronization

/// Provides the token for one token request, for the whole process: all event loops share it.
///
/// At most one fetch is under way, however many requests wait; it runs to its end even if they have gone. A token in
/// use is renewed before it expires, and no request waits for that.
public final class TokenSource: Sendable, CustomReflectable {
  /// What it fetches.
  public var grant: TokenGrant { currentGrant.withLock { $0 } }
  private let currentGrant: Monitor<TokenGrant>

  let environment: TokenEnvironment
  let shared: Monitor<Shared>
  // Whether a place is known to reject every token: then each acceptance matters.
  private let hasRefusingPlaces = Atomic<Bool>(false)

  struct Shared {
    var state: TokenState
    /// The generation of the secrets that the last fetch used.
    var secretGeneration = 0
    /// The stamps of the client's key and certificate files when the last fetch began.
    var proofFiles: [FileStamp] = []
    var lastLookAtSecrets = TokenInstant(nanoseconds: .min)
    var waiters: [UInt64: @Sendable (Result<AccessToken, TokenFailure>) -> Void] = [:]
    var lastWaiter: UInt64 = 0

    /// What a request gets, why to start a fetch, and when to start one that is not due yet.
    mutating func request(
      insteadOf refused: AccessToken?, _ notify: @escaping @Sendable (Result<AccessToken, TokenFailure>) -> Void,
      at now: TokenMoment
    ) -> (TokenAvailability, TokenEvent.Reason?, rest: TokenInstant?) {
      switch state.request(at: now, insteadOf: refused) {
      case .use(let token, let renewal): (.available(token), renewal, nil)
      case .fail(let failure): (.failed(failure), nil, nil)
      case .wait: (.pending(enrol(notify)), nil, nil)
      case .rest(let until): (.pending(enrol(notify)), nil, until)
      case .fetch(let reason): (.pending(enrol(notify)), reason, nil)
      }
    }

    /// Removes and returns all waiters, in the order in which they came.
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

  /// `grant` sends the same as the current one. Its other settings, such as how long to wait for a token, apply from now on.
  func adopt(_ grant: TokenGrant) { currentGrant.withLock { $0 = grant } }

  /// A source of tokens for `grant`; nothing is fetched until a token is needed.
  public init(grant: TokenGrant, environment: TokenEnvironment) {
    currentGrant = Monitor(grant)
    self.environment = environment
    shared = Monitor(Shared(state: TokenState(request: grant.summary)))
  }

  /// The token, if it can be used at `now` and no API has refused it.
  func valid(at now: TokenMoment) -> AccessToken? {
    shared.withLock { $0.state.isGood ? $0.state.usableToken(at: now) : nil }
  }

  /// Begins with a token that another process fetched, if it can still be used.
  func begin(with stored: StoredToken) {
    let now = environment.clock.moment
    guard let token = stored.accessToken(at: now), token.isUsable(at: now) else { return }
    _ = end(with: .success(token), random: environment.random())
  }

  /// The token that is valid now, or nil. Costs two clock readings and an uncontended lock.
  public func current() -> AccessToken? {
    let now = environment.clock.moment
    guard let (token, renewal) = shared.withLock({ $0.state.use(at: now) }) else { return nil }
    if let renewal { launch(renewal) }
    return token
  }

  /// For a request that waited in vain: a token that the API has rejected for another request, if there is one. Another
  /// place may well accept it.
  public func lastResort() -> AccessToken? {
    let now = environment.clock.moment
    return shared.withLock { $0.state.usableToken(at: now) }
  }

  /// A token at once, the reason why there is none, or a place among the waiters.
  ///
  /// `notify` is called only for `.pending`: once, on any thread, possibly before this function has returned, and never
  /// after ``cancel(_:)`` returned true.
  /// - Parameter refused: a token that the API rejected, if another is needed because of that.
  public func request(
    insteadOf refused: AccessToken? = nil, _ notify: @escaping @Sendable (Result<AccessToken, TokenFailure>) -> Void
  ) -> TokenAvailability {
    let now = environment.clock.moment
    let (availability, reason) = request(insteadOf: refused, notify, at: now)
    if let reason { launch(reason) }
    guard case .failed(let failure) = availability, failure.cause.root.isFixableByRotation, secretsHaveChanged(now)
    else { return availability }
    shared.withLock { $0.state.secretsChanged() }
    let (second, rotation) = request(insteadOf: refused, notify, at: now)
    if let rotation { launch(rotation) }
    return second
  }

  private func request(
    insteadOf refused: AccessToken?, _ notify: @escaping @Sendable (Result<AccessToken, TokenFailure>) -> Void,
    at now: TokenMoment
  ) -> (TokenAvailability, TokenEvent.Reason?) {
    let (availability, reason, rest) = shared.withLock { $0.request(insteadOf: refused, notify, at: now) }
    if let rest {
      environment.schedule(now.instant.duration(to: rest)) { self.endRest() }
    }
    return (availability, reason)
  }

  private func endRest() {
    let now = environment.clock.moment
    let reason = shared.withLock { $0.state.endRest(at: now, hasWaiters: !$0.waiters.isEmpty) }
    if let reason { launch(reason) }
  }

  /// Whether the secrets, or the files of key and certificate, have changed; checks once a second at most.
  private func secretsHaveChanged(_ now: TokenMoment) -> Bool {
    let known: (secrets: Int, files: [FileStamp])? = shared.withLock { shared in
      guard shared.lastLookAtSecrets.duration(to: now.instant) >= .seconds(1) else { return nil }
      shared.lastLookAtSecrets = now.instant
      return (shared.secretGeneration, shared.proofFiles)
    }
    guard let known else { return false }
    return grant.secrets.map { $0.read().generation != known.secrets } ?? false
      || grant.proofFileStamps() != known.files
  }

  /// Gives up a place: the waiter has gone, or has waited long enough. True if it was still waiting; false if its
  /// `notify` has been called or is about to be.
  @discardableResult public func cancel(_ waiter: TokenWaiter) -> Bool {
    shared.withLock { $0.waiters.removeValue(forKey: waiter.number) } != nil
  }

  /// Notes that the API has accepted `token` at `place`.
  public func accepted(_ token: AccessToken, at place: TokenPlace) {
    token.countAcceptance()
    let hasRefusingPlaces = shared.withLock { shared in
      shared.state.accepted(at: place)
      return shared.state.evidence.hasRefusingPlaces
    }
    self.hasRefusingPlaces.store(hasRefusingPlaces, ordering: .relaxed)
  }

  /// Whether an acceptance of `token` needs to be noted. Costs two loads.
  @inline(__always) public func wantsToKnow(of token: AccessToken) -> Bool {
    token.isOnTrial || hasRefusingPlaces.load(ordering: .relaxed)
  }

  /// Notes that the API rejected `token` at `place`. Returns whether another token is wanted, for which
  /// ``request(insteadOf:_:)`` waits.
  @discardableResult public func refused(_ token: AccessToken, at place: TokenPlace) -> TokenReplacement {
    let now = environment.clock.now
    let (replacement, isFirst, hasRefusingPlaces) = shared.withLock { shared in
      let wasGood = shared.state.isGood
      let replacement = shared.state.refused(token, at: place, now)
      return (replacement, wasGood && !shared.state.isGood, shared.state.evidence.hasRefusingPlaces)
    }
    self.hasRefusingPlaces.store(hasRefusingPlaces, ordering: .relaxed)
    // Once for each token, even if it is rejected for many requests while there is no other.
    if isFirst, let store = environment.store {
      environment.launch { await self.drop(token, from: store) }
    }
    return replacement
  }

  /// Shows what the source is for, not its token.
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

extension TokenSource {
  // Longer than any fetch takes: the holder of the claim has a token by then, or has failed.
  private static let longestClaim = TokenHTTPRequest.longestWait + .seconds(1)
  // The time between two reads of the store while another process fetches.
  private static let pause: Duration = .milliseconds(50)

  private enum Claim {
    case granted(any TokenClaim)
    case taken
    case unavailable
  }

  /// Gets a token, from the store or from the server. With a store, it waits while another process fetches; `began` is
  /// when that wait began.
  func obtain(_ reason: TokenEvent.Reason, began: TokenInstant? = nil) async {
    guard let store = environment.store else { return await fetch(reason) }
    let isFirstLook = began == nil
    let began = began ?? environment.clock.now
    // Take the claim, then read the store: the last holder may have stored a token in between.
    let claim = await claim(in: store)
    if await adopt(from: store, reason, began: began, tellsProblems: isFirstLook) {
      await release(claim)
      return
    }
    if case .taken = claim {
      guard began.duration(to: environment.clock.now) >= Self.longestClaim else {
        // A scheduled pause occupies no thread, and ends with the loop.
        environment.schedule(Self.pause) { self.environment.launch { await self.obtain(reason, began: began) } }
        return
      }
      let seconds = Self.longestClaim.components.seconds
      report(TokenStoreProblem(.locked, "Another process fetches this token, and has brought none for \(seconds) s"))
    }
    _ = await count(0, in: store)
    await fetch(reason, for: store, claim)
  }

  /// Drops `token` from `store` too, so that no other process starts with it.
  func drop(_ token: AccessToken, from store: any TokenStore) async {
    await reporting { () async throws(TokenStoreProblem) in try await store.drop(token.stored, for: grant) }
  }

  private func fetch(_ reason: TokenEvent.Reason) async {
    let (report, outcome) = await ask()
    let alarm = grant.spending.count(report.issued, atWallSeconds: environment.clock.wallSeconds)
    tell(reason, outcome, report, alarm)
  }

  private func fetch(_ reason: TokenEvent.Reason, for store: any TokenStore, _ claim: Claim) async {
    let (report, outcome) = await ask()
    // A token that expires at once is useless to other processes.
    if case .success(let token) = report.outcome, TokenLifetime.isPlausible(token.lifetime) {
      await reporting { () async throws(TokenStoreProblem) in try await store.save(token.stored, for: grant) }
      // The API may already have rejected it.
      if shared.withLock({ $0.state.isRefused(token) }) { await drop(token, from: store) }
    }
    await release(claim)
    let alarm = await count(report.issued, in: store)
    tell(reason, outcome, report, alarm)
  }

  /// Requests a token from the server; the waiters get the result, and do not wait for a store.
  private func ask() async -> (TokenFetch.Report, TokenEvent.Outcome) {
    let fetch = TokenFetch(grant: grant, clock: environment.clock, transport: environment.transport)
    let files = grant.proofFileStamps()
    shared.withLock { $0.proofFiles = files }
    let report = await fetch.run()
    shared.withLock { $0.secretGeneration = report.secretGeneration }
    return (report, end(with: report.outcome, random: environment.random()))
  }

  /// Uses the token in the store; true if nothing has to be fetched then.
  private func adopt(
    from store: any TokenStore, _ reason: TokenEvent.Reason, began: TokenInstant, tellsProblems: Bool
  ) async -> Bool {
    let now: TokenMoment
    let token: AccessToken
    do throws(TokenStoreProblem) {
      guard let stored = try await store.load(grant) else { return false }
      now = environment.clock.moment
      guard let trusted = stored.accessToken(at: now) else {
        throw TokenStoreProblem(.distrusted, "A token in the store is from the future, or valid for too long")
      }
      token = trusted
    } catch {
      // A waiter reads many times, and meets the same problem each time.
      if tellsProblems { report(error) }
      return false
    }
    let random = environment.random()
    switch shared.withLock({ $0.state.use(of: token, at: now, random: random) }) {
    case .none:
      return false
    case .meanwhile:
      let waiters = shared.withLock { shared in
        shared.state.bridge(with: token, random: random)
        return shared.removeWaiters()
      }
      for notify in waiters { notify(.success(token)) }
      return false
    case .instead:
      _ = end(with: .success(token), random: random)
      _ = await count(0, in: store)
      let took = began.duration(to: environment.clock.now)
      let left = now.instant.duration(to: token.requestedAt.instant.advanced(by: token.lifetime))
      tell(
        reason, .fetched(lifetime: left), TokenFetch.Report(outcome: .success(token), source: .store, took: took), nil)
      return true
    }
  }

  /// The fetch is over: all waiters get its result, and the next renewal is scheduled.
  private func end(with outcome: Result<AccessToken, FailedFetch>, random: Double) -> TokenEvent.Outcome {
    let now = environment.clock.moment
    let (result, waiters, renewal) = shared.withLock { shared in
      let result = shared.state.fetched(outcome, at: now, random: random)
      return (result, shared.removeWaiters(), shared.state.nextRenewal)
    }
    // Not weak: reference counting is slower for an object that ever had a weak reference, and every request uses its source.
    if let renewal { environment.schedule(now.instant.duration(to: renewal)) { self.renewIfInUse() } }
    for notify in waiters { notify(result) }
    switch result {
    case .success(let token): return .fetched(lifetime: token.lifetime)
    case .failure(let failure): return .failed(failure)
    }
  }

  private func tell(
    _ reason: TokenEvent.Reason, _ outcome: TokenEvent.Outcome, _ report: TokenFetch.Report,
    _ alarm: TokenBudget.Alarm?
  ) {
    let today = grant.spending.issued(in: .day, atWallSeconds: environment.clock.wallSeconds)
    environment.onEvent(
      TokenEvent(
        request: grant.summary, reason: reason, outcome: outcome, report: report, fetchedToday: today, alarm: alarm))
  }

  // MARK: The store

  private func claim(in store: any TokenStore) async -> Claim {
    let claim = await reporting { () async throws(TokenStoreProblem) in
      try await store.claim(grant, for: Self.longestClaim)
    }
    switch claim {
    case nil: return .unavailable
    case .some(nil): return .taken
    case .some(let claim?): return .granted(claim)
    }
  }

  private func release(_ claim: Claim) async {
    if case .granted(let claim) = claim { await claim.release() }
  }

  private func count(_ issued: Int, in store: any TokenStore) async -> TokenBudget.Alarm? {
    let (alarm, problem) = await grant.spending.count(
      issued, in: store, atWallSeconds: environment.clock.wallSeconds)
    if let problem { report(problem) }
    return alarm
  }

  /// The result of `work`; nil after reporting a problem with the store.
  @discardableResult private func reporting<R>(_ work: () async throws(TokenStoreProblem) -> R) async -> R? {
    do { return try await work() } catch {
      report(error)
      return nil
    }
  }

  private func report(_ problem: TokenStoreProblem) {
    guard !problem.isRepeated else { return }
    environment.onStoreProblem(problem, grant.summary)
  }
}
