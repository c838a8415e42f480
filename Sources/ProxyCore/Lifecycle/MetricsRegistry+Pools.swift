internal import Telemetry
internal import Upstream

extension MetricsRegistry {
  /// Shows the figures of one loop's pool; `upstream` is its origin, of which there are as many as proxy.conf names.
  func show(_ figures: PoolFigures, upstream: String) {
    let label: KeyValuePairs = ["upstream": upstream]
    gauge("m2m_proxy_upstream_connections", help: "Upstream connections that are open or being made.", labels: label) {
      Double(figures.open)
    }
    gauge("m2m_proxy_upstream_connections_idle", help: "Upstream connections that no request uses.", labels: label) {
      Double(figures.idle)
    }
    gauge(
      "m2m_proxy_upstream_connections_pinned",
      help: "Upstream connections that belong to one client (NTLM, Negotiate).",
      labels: label
    ) { Double(figures.pinned) }
    gauge("m2m_proxy_upstream_requests_waiting", help: "Requests that wait for an upstream connection.", labels: label)
    { Double(figures.waiting) }
  }
}
