internal import HTTPWire
internal import Reactor

extension Exchange {
  /// Refuses what the route's limits rule out, before a token is fetched or an upstream hears of it, and begins to count
  /// the time for all of it.
  func applyLimits() throws(ExchangeError) {
    guard let route else { return }
    if let total = route.policy.timeouts.total { connection.finalDeadline = clock.start + total }
    if case .length(let length) = head.framing, length > route.policy.bodyLimit { throw .contentTooLarge(route) }
  }
}
