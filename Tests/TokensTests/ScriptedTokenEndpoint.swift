import Locks
import Tokens

/// A token endpoint that answers from a script, and remembers what it was asked.
final class ScriptedTokenEndpoint: Sendable {
  typealias Reply = Result<TokenHTTPResponse, TokenTransportError>

  private struct State {
    var script: [@Sendable () -> Reply] = []
    var otherwise: @Sendable () -> Reply = { .failure(.unreachable(detail: "the script has no more replies")) }
    var requests: [TokenHTTPRequest] = []
    var underWay = 0
    var mostUnderWay = 0
  }

  private let state = Monitor(State())
  private let gate: Gate?

  /// An endpoint that answers at once, or once `gate` is open.
  init(gate: Gate? = nil) { self.gate = gate }

  var requests: [TokenHTTPRequest] { state.withLock { $0.requests } }
  /// The largest number of requests that were under way at the same time.
  var mostUnderWay: Int { state.withLock { $0.mostUnderWay } }

  /// Adds a reply; `before` runs just before it is given, to let time pass.
  func replies(_ reply: Reply, before: @escaping @Sendable () -> Void = {}) {
    state.withLock {
      $0.script.append {
        before()
        return reply
      }
    }
  }

  func replies(_ response: TokenHTTPResponse, before: @escaping @Sendable () -> Void = {}) {
    replies(.success(response), before: before)
  }

  /// Gives `reply` whenever the script is at its end.
  func otherwise(_ reply: @escaping @Sendable () -> Reply) {
    state.withLock { $0.otherwise = reply }
  }

  var transport: TokenTransport {
    { request in
      self.state.withLock {
        $0.requests.append(request)
        $0.underWay += 1
        $0.mostUnderWay = max($0.mostUnderWay, $0.underWay)
      }
      await self.gate?.pass()
      let answer = self.state.withLock { state in
        state.underWay -= 1
        return state.script.isEmpty ? state.otherwise : state.script.removeFirst()
      }
      return answer()
    }
  }
}
