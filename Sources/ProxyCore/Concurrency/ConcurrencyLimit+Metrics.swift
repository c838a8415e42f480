internal import Telemetry

extension ConcurrencyLimit {
  /// Shows how many requests of `route` are under way, and how many wait.
  func register(_ registry: MetricsRegistry, route: String) {
    registry.gauge(
      "m2m_proxy_concurrency_in_flight", help: "Requests under way, of routes that limit how many.",
      labels: ["route": route]
    ) { [self] in Double(figures.inFlight) }
    registry.gauge(
      "m2m_proxy_concurrency_waiting", help: "Requests that wait for their turn now.", labels: ["route": route]
    ) { [self] in Double(figures.waiting) }
  }
}
