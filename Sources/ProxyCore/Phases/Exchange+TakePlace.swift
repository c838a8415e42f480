internal import Reactor
internal import Telemetry
internal import Upstream

extension Exchange {
  /// Waits for its turn if the route limits how many requests are under way. The end of the exchange gives the place
  /// back in every case.
  func takePlace(_ limit: ConcurrencyLimit, _ route: ProxyRoute) async throws(ExchangeError) {
    holdings.holdsPlace = limit.enter(clientKey)
    if !holdings.holdsPlace { try await waitForPlace(limit, route) }
  }

  private func waitForPlace(_ limit: ConcurrencyLimit, _ route: ProxyRoute) async throws(ExchangeError) {
    let began = Instant.now
    let waiter = PlaceWaiter(client: clientKey, loop: worker.loop, wakeup: connection.wakeup)
    switch limit.arrive(waiter) {
    case .goesOn: return holdings.holdsPlace = true
    case .isRefused: throw limit.isAtShare(waiter.client) ? .concurrencyClientShare(route) : .concurrencyQueue(route)
    case .waits: worker.metrics.reached(.concurrency)
    }
    defer {
      outcome.clock.queued = Instant.now - began
      local.routes[route.index].placeWait.observe(nanoseconds: outcome.clock.queued)
    }
    connection.setDeadline(began + limit.longestWait)
    do throws(ExchangeError) {
      while !waiter.isAdmitted {
        if limit.hasDisplaced(waiter) { throw .concurrencyClientShare(route) }
        try await wait(
          overdue: limit.isAtShare(waiter.client) ? .concurrencyClientShare(route) : .concurrencyWait(route))
      }
    } catch {
      limit.withdraw(waiter)
      waiter.forget()
      throw error
    }
    holdings.holdsPlace = true
  }

  /// Lets the next request take its turn.
  func leavePlace() {
    guard holdings.holdsPlace else { return }
    holdings.holdsPlace = false
    route?.policy.concurrency?.leave(clientKey)
  }
}
