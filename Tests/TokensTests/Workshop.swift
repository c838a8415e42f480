import Locks
import Tokens

/// A token source with everything around it in a test's hands: fetches run when the test says so.
struct Workshop: Sendable {
  let clock: ManualClock
  let endpoint: ScriptedTokenEndpoint
  let launched = Collected<@Sendable () async -> Void>()
  let scheduled = Collected<(due: TokenInstant, call: @Sendable () -> Void)>()
  let events = Collected<TokenEvent>()
  let storeProblems = Collected<TokenStoreProblem>()
  let source: TokenSource

  init(
    grant: TokenGrant = .example(), endpoint: ScriptedTokenEndpoint = ScriptedTokenEndpoint(),
    random: @autoclosure @escaping @Sendable () -> Double = 1, clock: ManualClock = ManualClock(),
    store: (any TokenStore)? = nil
  ) {
    self.endpoint = endpoint
    self.clock = clock
    source = TokenSource(
      grant: grant,
      environment: TokenEnvironment(
        clock: clock.clock, transport: endpoint.transport, launch: { [launched] in launched.append($0) },
        schedule: { [scheduled, clock] in scheduled.append((clock.now.advanced(by: $0), $1)) },
        onEvent: { [events] in events.append($0) }, store: store,
        onStoreProblem: { [storeProblems] problem, _ in storeProblems.append(problem) }, random: random))
  }

  /// Lets time pass, in which what was scheduled happens at its moment, and the fetches it starts run at once.
  func pass(_ duration: Duration) async {
    let end = clock.now.advanced(by: duration)
    while let next = scheduled.removeEarliest(upTo: end, by: { $0.due }) {
      clock.advance(by: max(.zero, clock.now.duration(to: next.due)))
      next.call()
      await runFetches()
    }
    clock.advance(by: clock.now.duration(to: end))
  }

  /// Runs the fetches that were started, to their end.
  func runFetches() async {
    for fetch in launched.removeAll() { await fetch() }
  }

  /// Asks, lets the fetch run if one was started, and gives what came of it.
  func obtain(insteadOf refused: AccessToken? = nil) async -> Result<AccessToken, TokenFailure>? {
    let results = Collected<Result<AccessToken, TokenFailure>>()
    switch source.request(insteadOf: refused, { results.append($0) }) {
    case .available(let token): return .success(token)
    case .failed(let failure): return .failure(failure)
    case .pending:
      await runFetches()
      return results.all.first
    }
  }
}

/// A list that several threads add to.
final class Collected<Element: Sendable>: Sendable {
  private let elements = Monitor<[Element]>([])

  var all: [Element] { elements.withLock { $0 } }

  /// Adds an element; gives how many there are now.
  @discardableResult func append(_ element: Element) -> Int {
    elements.withLock {
      $0.append(element)
      return $0.count
    }
  }

  /// Takes out the element with the least `key`, if that is not beyond `limit`.
  func removeEarliest<Key: Comparable>(upTo limit: Key, by key: (Element) -> Key) -> Element? {
    elements.withLock { elements in
      guard let first = elements.indices.min(by: { key(elements[$0]) < key(elements[$1]) }),
        key(elements[first]) <= limit
      else { return nil }
      return elements.remove(at: first)
    }
  }

  func removeAll() -> [Element] {
    elements.withLock { elements in
      defer { elements = [] }
      return elements
    }
  }
}
