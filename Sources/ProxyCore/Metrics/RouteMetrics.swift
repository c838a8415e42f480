internal import Callers
internal import Telemetry
internal import Upstream

/// The figures of one route on one event loop. Registered at start; what a request counts is found without a look-up.
final class RouteMetrics {
  let received: Counter
  let sent: Counter
  let duration: Histogram
  let firstByte: Histogram
  let tokenWait: Histogram
  let waitingForToken: Gauge
  let connect: Histogram
  let opened: Counter
  let reused: Counter
  let repeated: Counter
  private let statuses: [Counter]
  // By kind; registered when it first happens, so that what never happens does not fill the page.
  private var errors: [ErrorKind: Counter] = [:]
  /// How long requests waited for their turn; registered when the first one did.
  private(set) lazy var placeWait = registry.histogram(
    "m2m_proxy_concurrency_wait_seconds", help: "How long requests that had to wait for their turn did.",
    labels: ["route": route])
  /// Requests that wait because the API throttled them; registered when the first one did.
  private(set) lazy var waitingForThrottling = registry.gauge(
    "m2m_proxy_throttled_waiting", help: "Requests that wait now because the API asked for that.",
    labels: ["route": route])
  /// Requests that went on without a token; registered when the first one did.
  private(set) lazy var withoutToken = registry.counter(
    "m2m_proxy_requests_without_token_total", help: "Requests forwarded without a token because there was none.",
    labels: ["route": route])
  /// Token requests that the proxy answered itself; registered when the first one was.
  private(set) lazy var placeholders = registry.counter(
    "m2m_proxy_placeholder_tokens_total", help: "Token requests that the proxy answered itself, with a placeholder.",
    labels: ["route": route])
  /// Tunnels that are open, and connections that have changed their protocol; registered when the first one was.
  private(set) lazy var tunnels = registry.gauge(
    "m2m_proxy_tunnels", help: "Tunnels that are open, by CONNECT or by Upgrade.", labels: ["route": route])
  private var replays: [Int: Counter] = [:]
  // By the number of the caller; registered when it first calls.
  private var callers: [Counter?] = []
  private let registry: MetricsRegistry
  private let route: String

  init(_ registry: MetricsRegistry, route: String) {
    let label: KeyValuePairs = ["route": route]
    func histogram(_ name: String, _ help: String) -> Histogram {
      registry.histogram(name, help: help, labels: label)
    }
    self.registry = registry
    self.route = route
    received = registry.counter(
      "m2m_proxy_received_bytes_total", help: "Bytes of content received from clients.", labels: label)
    sent = registry.counter("m2m_proxy_sent_bytes_total", help: "Bytes of content sent to clients.", labels: label)
    duration = histogram(
      "m2m_proxy_request_duration_seconds", "From the first byte of a request to the last byte of its response.")
    firstByte = histogram(
      "m2m_proxy_upstream_first_byte_seconds", "From the first byte of a request to the first byte of the response.")
    tokenWait = histogram("m2m_proxy_token_wait_seconds", "How long requests that had to wait for a token did.")
    waitingForToken = registry.gauge(
      "m2m_proxy_token_waiting", help: "Requests that wait for a token now.", labels: label)
    connect = histogram("m2m_proxy_upstream_connect_seconds", "How long requests waited for an upstream connection.")
    opened = registry.counter(
      "m2m_proxy_upstream_connections_opened_total", help: "Connections made to the upstream.", labels: label)
    reused = registry.counter(
      "m2m_proxy_upstream_connections_reused_total", help: "Requests sent on a connection that was open already.",
      labels: label)
    repeated = registry.counter(
      "m2m_proxy_requests_repeated_total", help: "Requests sent again because an idle connection turned out dead.",
      labels: label)
    statuses = (1...5).map { hundreds in
      registry.counter(
        "m2m_proxy_requests_total", help: "Requests by the class of the status that the client got.",
        labels: ["route": route, "status": "\(hundreds)xx"])
    }
  }

  /// Counts a response with `status`; 0, where no response was begun, counts nowhere but among the errors.
  func count(status: Int) {
    guard (100..<600).contains(status) else { return }
    statuses[status / 100 - 1].increment()
  }

  /// Counts an exchange that `error` ended.
  func count(_ error: ExchangeError) {
    let counter =
      errors[error.kind]
      ?? registry.counter(
        "m2m_proxy_errors_total", help: "Exchanges that the proxy ended, by the part of the way that failed.",
        labels: ["route": route, "hop": error.hop.rawValue, "kind": error.kind.name])
    errors[error.kind] = counter
    counter.increment()
  }

  /// Counts a request of a caller.
  func count(caller: Int, _ directory: CallerDirectory?) {
    guard let directory else { return }
    if callers.isEmpty { callers = Array(repeating: nil, count: directory.names.count) }
    let counter =
      callers[caller]
      ?? registry.counter(
        "m2m_proxy_caller_requests_total", help: "Requests of callers that are known by name.",
        labels: ["route": route, "caller": directory.names[caller]])
    callers[caller] = counter
    counter.increment()
  }

  /// Counts a request that is sent again because it was answered with `status`.
  func replayed(after status: Int) {
    let counter =
      replays[status]
      ?? registry.counter(
        "m2m_proxy_requests_replayed_total", help: "Requests sent again, by the status they were answered with.",
        labels: ["route": route, "cause": "\(status)"])
    replays[status] = counter
    counter.increment()
  }
}

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

/// The limits of proxy.conf, as the metrics call them, and the system's.
enum Limit: String, CaseIterable {
  case connections
  case connectionsPerClient = "connections_per_client"
  case requestsPerConnection = "requests_per_connection"
  case head
  case requestLine = "request_line"
  case fields
  case responseHead = "response_head"
  case body
  case minRate = "min_rate"
  case upstreamConnections = "upstream_connections"
  case queue
  case clientShare = "client_share"
  case concurrency
  case concurrencyQueue = "concurrency.queue"
  case concurrencyWait = "concurrency.wait"
  case concurrencyClientShare = "concurrency.client_share"
  case handshakes
  case memory
  case wildcardHosts = "wildcard_hosts"
  /// Descriptors, or the memory for them.
  case descriptors
}
