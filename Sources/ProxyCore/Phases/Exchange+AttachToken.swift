internal import Reactor
internal import Telemetry
internal import Tokens

extension Exchange {
  /// Puts on the request the token that there is; false if it needs one that there is not.
  func attachToken() -> Bool {
    guard let tokens else { return true }
    token = tokens.current()
    return token != nil
  }

  /// Gets the token after a bounded wait.
  func waitForToken() async throws(ExchangeError) {
    guard let route, let source = tokens else { return }
    do throws(ExchangeError) {
      token = try await waitForToken(source, route)
    } catch {
      guard route.policy.forwardsWithoutToken, error.hop == .token else { throw error }
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
    let delivery = Delivery<Result<AccessToken, TokenFailure>>(loop: worker.loop, wakeup: connection.wakeup)
    switch source.request({ delivery.deliver($0) }) {
    case .available(let token):
      return token
    case .failed(let failure):
      throw .token(failure)
    case .pending(let waiter):
      connection.setDeadline(began + route.policy.timeouts.token)
      do throws(ExchangeError) {
        while delivery.value == nil {
          try await wait(overdue: .tokenTimeout(endpoint: source.grant.summary.endpointHost))
        }
      } catch {
        source.cancel(waiter)
        delivery.refuse()
        throw error
      }
    }
    switch delivery.value! {
    case .success(let token): return token
    case .failure(let failure): throw .token(failure)
    }
  }
}
