internal import Reactor
internal import Telemetry
internal import Tokens

extension Exchange {
  /// Gets the token that goes on the request: at once if there is one, otherwise after a bounded wait.
  func attachToken() async throws(ExchangeError) {
    guard let route, let source = tokens else { return }
    token = source.current()
    guard token == nil else { return }
    do throws(ExchangeError) {
      token = try await waitForToken(source, route)
    } catch {
      guard route.forwardsWithoutToken, error.hop == .token else { throw error }
      missingToken = error.kind
      worker.metrics.routes[route.index].withoutToken.increment()
    }
  }

  func waitForToken(_ source: TokenSource, _ route: ProxyRoute) async throws(ExchangeError) -> AccessToken {
    let began = Instant.now
    let metrics = worker.metrics.routes[route.index]
    metrics.waitingForToken.add()
    defer {
      metrics.waitingForToken.subtract()
      let waited = Instant.now - began
      clock.token += waited
      metrics.tokenWait.observe(nanoseconds: waited)
    }
    let delivery = TokenDelivery(loop: worker.loop, wakeup: connection.wakeup)
    switch source.request({ delivery.deliver($0) }) {
    case .available(let token):
      return token
    case .failed(let failure):
      throw .token(failure)
    case .pending(let waiter):
      connection.setDeadline(began + route.timeouts.token)
      do throws(ExchangeError) {
        while delivery.result == nil {
          try await wait(overdue: .tokenTimeout(endpoint: source.grant.summary.endpointHost))
        }
      } catch {
        source.cancel(waiter)
        delivery.refuse()
        throw error
      }
    }
    switch delivery.result! {
    case .success(let token): return token
    case .failure(let failure): throw .token(failure)
    }
  }
}

/// Brings a token from whichever thread fetched it to the task that waits for it.
// Touched on the loop's thread only: what comes from elsewhere is posted there.
private final class TokenDelivery: @unchecked Sendable {
  private(set) var result: Result<AccessToken, TokenFailure>?
  private let loop: EventLoop
  private var wakeup: Wakeup?

  init(loop: EventLoop, wakeup: Wakeup) {
    self.loop = loop
    self.wakeup = wakeup
  }

  func deliver(_ result: Result<AccessToken, TokenFailure>) {
    loop.perform { [self] in
      self.result = result
      wakeup?.wake()
    }
  }

  /// Nobody waits any more.
  func refuse() {
    wakeup = nil
  }
}
