internal import Reactor
internal import Telemetry
internal import Tokens

extension Exchange {
  /// Puts the current token on the request; false if the request needs one and there is none.
  func attachToken() -> Bool {
    guard let source = bearer.source else { return true }
    guard let token = source.current() else { return false }
    bearer.isOnTrial = source.wantsToKnow(of: token)
    bearer.token = token
    return true
  }

  /// Gets the token after a bounded wait.
  func waitForToken(_ route: ProxyRoute) async throws(ExchangeError) {
    guard let source = bearer.source else { preconditionFailure("only a request that needs a token waits for one") }
    do throws(ExchangeError) {
      bearer.token = try await waitForToken(source, route)
      bearer.isOnTrial = true
    } catch {
      if error.hop == .token, let token = source.lastResort() {
        bearer.token = token
        bearer.isOnTrial = true
        return
      }
      guard route.policy.forwardsWithoutToken, error.hop == .token else { throw error }
      bearer.missing = error.kind.name
      local.routes[route.index].withoutToken.increment()
    }
  }

  func waitForToken(
    _ source: TokenSource, insteadOf refused: AccessToken? = nil, _ route: ProxyRoute
  ) async throws(ExchangeError) -> AccessToken {
    let began = Instant.now
    let metrics = local.routes[route.index]
    metrics.waitingForToken.add()
    defer {
      metrics.waitingForToken.subtract()
      let waited = Instant.now - began
      outcome.clock.token += waited
      metrics.tokenWait.observe(nanoseconds: waited)
    }
    let delivery = Delivery<Result<AccessToken, TokenFailure>>(loop: worker.loop, wakeup: connection.wakeup)
    switch source.request(insteadOf: refused, { delivery.deliver($0) }) {
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
        delivery.cancel()
        throw error
      }
    }
    switch delivery.value! {
    case .success(let token): return token
    case .failure(let failure): throw .token(failure)
    }
  }
}
