import Locks
import Tokens

/// A token source with everything around it in a test's hands: fetches run when the test says so.
struct Workshop: Sendable {
  let clock = ManualClock()
  let endpoint: ScriptedTokenEndpoint
  let launched = Collected<@Sendable () async -> Void>()
  let events = Collected<TokenEvent>()
  let source: TokenSource

  init(grant: TokenGrant = .example(), endpoint: ScriptedTokenEndpoint = ScriptedTokenEndpoint(), random: Double = 1) {
    self.endpoint = endpoint
    source = TokenSource(
      grant: grant,
      environment: TokenEnvironment(
        clock: clock.clock, transport: endpoint.transport, launch: { [launched] in launched.append($0) },
        onEvent: { [events] in events.append($0) }, random: { random }))
  }

  /// Runs the fetches that were started, to their end.
  func runFetches() async {
    for fetch in launched.removeAll() { await fetch() }
  }

  /// Asks, lets the fetch run if one was started, and gives what came of it.
  func obtain() async -> Result<AccessToken, TokenFailure>? {
    let results = Collected<Result<AccessToken, TokenFailure>>()
    switch source.request({ results.append($0) }) {
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

  func removeAll() -> [Element] {
    elements.withLock { elements in
      defer { elements = [] }
      return elements
    }
  }
}
