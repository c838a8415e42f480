internal import HTTPWire

extension Exchange {
  /// Refuses what the route's limits rule out, before a token is fetched or an upstream hears of it.
  func applyLimits() throws(ExchangeError) {
    guard let route else { return }
    if case .length(let length) = head.framing, length > route.bodyLimit { throw .contentTooLarge(route) }
  }
}
