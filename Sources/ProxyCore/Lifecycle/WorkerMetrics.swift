internal import Telemetry

/// The figures of one event loop: those of its routes, and those that belong to none.
struct WorkerMetrics {
  let accepted: Counter
  let open: Gauge
  let routes: [RouteMetrics]
  /// For requests that no route matched, or that could not be read.
  let unrouted: RouteMetrics
  private let limits: [Limit: Counter]

  init(_ registry: MetricsRegistry, routes: [ProxyRoute]) {
    accepted = registry.counter("m2m_proxy_connections_accepted_total", help: "Client connections accepted.")
    open = registry.gauge("m2m_proxy_connections", help: "Client connections that are open.")
    self.routes = routes.map { RouteMetrics(registry, route: $0.name) }
    unrouted = RouteMetrics(registry, route: "")
    limits = Dictionary(
      uniqueKeysWithValues: Limit.allCases.map { limit in
        let counter = registry.counter(
          "m2m_proxy_limit_reached_total", help: "How often something was refused, ended or put off by a limit.",
          labels: ["limit": limit.rawValue])
        return (limit, counter)
      })
  }

  /// Counts that `limit` made itself felt.
  func reached(_ limit: Limit) {
    limits[limit]?.increment()
  }

  func metrics(of route: ProxyRoute?) -> RouteMetrics {
    route.map { routes[$0.index] } ?? unrouted
  }
}
