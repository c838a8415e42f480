import Locks
public import Secrets

/// The token sources of a process: one for all routes that send the same request with the same secret.
public final class TokenSources: Sendable, CustomReflectable {
  private let environment: TokenEnvironment
  private let sources = Monitor<[TokenRequestKey: [TokenSource]]>([:])
  // What the process before had, until a source takes it.
  private let handedOver: Monitor<TokenHandOver>

  /// No sources yet; those that come share `environment`.
  ///
  /// - Parameter handedOver: what ``handOver()`` of the process before this one has given.
  public init(environment: TokenEnvironment, handedOver: Secret? = nil) {
    self.environment = environment
    self.handedOver = Monitor(handedOver.map { TokenHandOver($0) } ?? TokenHandOver())
  }

  /// The tokens that can be used now, for the process that takes the place of this one; nil where there are none.
  public func handOver() -> Secret? {
    let now = environment.clock.moment
    var tokens = TokenHandOver()
    for source in sources.withLock({ $0.values.flatMap(\.self) }) {
      guard let token = source.valid(at: now), let identity = try? source.grant.key.identity() else { continue }
      tokens.add(token.stored, identity)
    }
    return tokens.bytes
  }

  /// The source for `grant`, made if there is none yet. Its messages name the credentials that came first.
  public func source(for grant: TokenGrant) -> TokenSource {
    sources.withLock { sources in
      if let known = sources[grant.key]?.first(where: { $0.grant.sendsTheSame(as: grant) }) { return known }
      let source = TokenSource(grant: grant, environment: environment)
      if let identity = try? grant.key.identity(), let token = handedOver.withLock({ $0.take(identity) }) {
        source.begin(with: token)
      }
      sources[grant.key, default: []].append(source)
      return source
    }
  }

  /// `grants` are those of the new configuration. Sources take over their settings that are not part of the request; a
  /// source for none of them is forgotten here, and ends with the last request that uses it.
  public func adopt(_ grants: [TokenGrant]) {
    sources.withLock { sources in
      var kept: [TokenRequestKey: [TokenSource]] = [:]
      for grant in grants {
        guard let source = sources[grant.key]?.first(where: { $0.grant.sendsTheSame(as: grant) }),
          kept[grant.key]?.contains(where: { $0 === source }) != true
        else { continue }
        source.adopt(grant)
        kept[grant.key, default: []].append(source)
      }
      sources = kept
    }
  }

  /// Shows no token.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// The provider of a token endpoint: decides the wording of hints, and nothing that is sent.
public enum TokenProvider: String, Hashable, Sendable {
  /// Kinde: hints name steps in its dashboard.
  case kinde
  /// Any other authorization server: hints use general words.
  case generic
}

/// What a request for a token gets at once.
public enum TokenAvailability: Sendable {
  /// A token that is valid now.
  case available(AccessToken)
  /// A place among the waiters.
  case pending(TokenWaiter)
  /// No token now, and none soon.
  case failed(TokenFailure)
}

/// A place among the waiters of a ``TokenSource``.
public struct TokenWaiter: Hashable, Sendable {
  let number: UInt64
}

/// What token sources need from outside: time, HTTP, an executor, and a listener for events.
public struct TokenEnvironment: Sendable {
  let clock: TokenClock
  let transport: TokenTransport
  let launch: @Sendable (@escaping @Sendable () async -> Void) -> Void
  let schedule: @Sendable (_ delay: Duration, _ call: @escaping @Sendable () -> Void) -> Void
  let onEvent: @Sendable (TokenEvent) -> Void
  let store: (any TokenStore)?
  let onStoreProblem: @Sendable (TokenStoreProblem, TokenRequestSummary) -> Void
  let random: @Sendable () -> Double

  /// - `transport` sends the request of a fetch.
  /// - `launch` starts a fetch and returns at once; it must run its argument to the end.
  /// - `schedule` makes a call after a delay, on any thread. With a store the call is required; without one, a call
  ///   that is never made costs a wait, nothing else.
  /// - `onEvent` is called for every fetch that ended, on the thread that the fetch ran on.
  /// - `store` keeps tokens beyond this process; nil for memory alone. Its operations run one after the other; none is
  ///   waited for longer than 2 s.
  /// - `onStoreProblem` is called when the store failed, with the request.
  /// - `random` gives numbers in 0...1, to spread attempts.
  public init(
    clock: TokenClock = .system, transport: @escaping TokenTransport,
    launch: @escaping @Sendable (@escaping @Sendable () async -> Void) -> Void,
    schedule: @escaping @Sendable (_ delay: Duration, _ call: @escaping @Sendable () -> Void) -> Void,
    onEvent: @escaping @Sendable (TokenEvent) -> Void,
    store: (any TokenStore)? = nil,
    onStoreProblem: @escaping @Sendable (TokenStoreProblem, TokenRequestSummary) -> Void = { _, _ in },
    random: @escaping @Sendable () -> Double = { Double.random(in: 0...1) }
  ) {
    self.clock = clock
    self.transport = transport
    self.launch = launch
    self.schedule = schedule
    self.onEvent = onEvent
    self.store = store.map { TimedTokenStore($0, clock: clock, schedule: schedule) }
    self.onStoreProblem = onStoreProblem
    self.random = random
  }
}
