internal import Telemetry

/// The figures of one event loop: those of its routes, and those that belong to none.
struct WorkerMetrics {
  let accepted: Counter
  let open: Gauge
  let routes: [RouteMetrics]
  /// For requests that no route matched, or that could not be read.
  let unrouted: RouteMetrics

  init(_ registry: MetricsRegistry, routes: [ProxyRoute]) {
    accepted = registry.counter("m2m_proxy_connections_accepted_total", help: "Client connections accepted.")
    open = registry.gauge("m2m_proxy_connections", help: "Client connections that are open.")
    self.routes = routes.map { RouteMetrics(registry, route: $0.name) }
    unrouted = RouteMetrics(registry, route: "")
  }

  func metrics(of route: ProxyRoute?) -> RouteMetrics {
    route.map { routes[$0.index] } ?? unrouted
  }
}
