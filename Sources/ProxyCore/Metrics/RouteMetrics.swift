internal import Callers
internal import HTTPWire
internal import Locks
internal import Telemetry
internal import Tokens
internal import Upstream

/// The metrics of one route on one event loop. A request finds its counters without a lookup.
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
  // By kind; registered at the first error of the kind, so that kinds that never occur do not fill the page.
  private var errors: [ErrorKind: Counter] = [:]
  /// How long requests waited for their turn; registered when the first one did.
  private(set) lazy var placeWait = registry.histogram(.concurrencyWait, [.route: route])
  /// Requests that wait because the API throttled them; registered when the first one did.
  private(set) lazy var waitingForThrottling = registry.gauge(.throttledWaiting, [.route: route])
  /// Requests that went on without a token; registered when the first one did.
  private(set) lazy var withoutToken = registry.counter(.requestsWithoutToken, [.route: route])
  /// Token requests that the proxy responded to itself; registered at the first one.
  private(set) lazy var placeholders = registry.counter(.placeholderTokens, [.route: route])
  /// Tunnels that are open, and connections that have switched protocols; registered at the first one.
  private(set) lazy var tunnels = registry.gauge(.tunnels, [.route: route])
  private var replays: [Int: Counter] = [:]
  private var refusals: [TokenReplacement: Counter] = [:]
  // By kind; registered at the first request with such a correction.
  private var normalisations: [Normalisation: Counter] = [:]
  // By name; registered at the caller's first request.
  private var callers: [String: Counter] = [:]
  // The same counters by the caller's number in the directory.
  private var callersByNumber: [Counter?] = []
  // Kept, so that no other directory has its address.
  private var directory: CallerDirectory?
  private let registry: MetricsRegistry
  private let route: String

  init(_ registry: MetricsRegistry, route: String) {
    let label: MetricsRegistry.Labels = [.route: route]
    self.registry = registry
    self.route = route
    received = registry.counter(.receivedBytes, label)
    sent = registry.counter(.sentBytes, label)
    duration = registry.histogram(.requestDuration, label)
    firstByte = registry.histogram(.upstreamFirstByte, label)
    tokenWait = registry.histogram(.tokenWait, label)
    waitingForToken = registry.gauge(.tokenWaiting, label)
    connect = registry.histogram(.upstreamConnect, label)
    opened = registry.counter(.upstreamConnectionsOpened, label)
    reused = registry.counter(.upstreamConnectionsReused, label)
    repeated = registry.counter(.requestsRepeated, label)
    statuses = (1...5).map { hundreds in
      registry.counter(.requests, [.route: route, .status: "\(hundreds)xx"])
    }
  }

  /// Counts a response with `status`; 0, for no response, counts among the errors only.
  func count(status: Int) {
    guard (100..<600).contains(status) else { return }
    statuses[status / 100 - 1].increment()
  }

  /// Counts an exchange that `error` ended.
  func count(_ error: ExchangeError) {
    let counter =
      errors[error.kind]
      ?? registry.counter(.errors, [.route: route, .hop: error.hop.rawValue, .kind: error.kind.name])
    errors[error.kind] = counter
    counter.increment()
  }

  /// Counts a request of a caller.
  func count(caller: Int, _ directory: CallerDirectory?) {
    guard let directory else { return }
    if directory !== self.directory {
      self.directory = directory
      callersByNumber = directory.names.map { callers[$0] }
    }
    let counter = callersByNumber[caller] ?? add(caller: directory.names[caller])
    callersByNumber[caller] = counter
    counter.increment()
  }

  /// Stops counting callers that `directory` does not have, and forgets the directory.
  func keepOnly(callersOf directory: CallerDirectory?) {
    let names = Set(directory?.names ?? [])
    callers = callers.filter { names.contains($0.key) }
    (self.directory, callersByNumber) = (nil, [])
  }

  private func add(caller name: String) -> Counter {
    let counter = callers[name] ?? registry.counter(.callerRequests, [.route: route, .caller: name])
    callers[name] = counter
    return counter
  }

  /// Counts a request once for each kind of correction that was made.
  @inline(never) func count(_ normalised: Normalisation) {
    for (kind, name) in Normalisation.kinds where normalised.contains(kind) {
      let counter = normalisations[kind] ?? registry.counter(.requestsNormalised, [.route: route, .kind: name])
      normalisations[kind] = counter
      counter.increment()
    }
  }

  /// Counts a request that is sent again because the response had `status`.
  func replayed(after status: Int) {
    let counter =
      replays[status]
      ?? registry.counter(.requestsReplayed, [.route: route, .cause: "\(status)"])
    replays[status] = counter
    counter.increment()
  }

  /// Counts a response that rejected the token and is forwarded, because the proxy decided not to fetch another token.
  func passedOn(_ replacement: TokenReplacement) {
    switch replacement {
    case .wanted, .superseded: return
    case .placeRefuses, .replacementsSpent: break
    }
    let counter =
      refusals[replacement]
      ?? registry.counter(.refusalsPassedOn, [.route: route, .cause: replacement.rawValue])
    refusals[replacement] = counter
    counter.increment()
  }
}

/// The counters of one event loop that belong to no route.
struct WorkerMetrics {
  let accepted: Counter
  let open: Gauge
  private let limits: [Limit: Counter]
  private let notices: LimitNotices?

  /// - Parameter notices: writes lines about limits into the log.
  init(_ registry: MetricsRegistry, notices: LimitNotices? = nil) {
    self.notices = notices
    accepted = registry.counter(.connectionsAccepted)
    open = registry.gauge(.connections)
    limits = Dictionary(
      uniqueKeysWithValues: Limit.allCases.map { limit in
        (limit, registry.counter(.limitReached, [.limit: limit.rawValue]))
      })
  }

  /// Counts that `limit` took effect.
  func reached(_ limit: Limit) {
    limits[limit]?.increment()
    notices?.reached(limit)
  }
}

/// Connections that could not be made, by address, for all loops. DNS decides which addresses there are: a limited
/// number have a series each, and all others share one.
final class ConnectFailures: Sendable {
  private struct Series: Hashable {
    var upstream: String
    var address: String
    var fault: ConnectFault
  }

  private let counters = Monitor<[Series: Counter]>([:])
  private let registry: MetricsRegistry

  private static let limit = 500
  private static let rest = "other"

  init(_ registry: MetricsRegistry) {
    self.registry = registry
  }

  /// The series of these upstreams were removed.
  func forget(_ upstreams: Set<String>) {
    counters.withLock { counters in counters = counters.filter { !upstreams.contains($0.key.upstream) } }
  }

  /// Counts a failure. Clients choose the hosts below wildcards: those have no series of their own.
  func count(_ failure: ConnectFailure) {
    let isChosen = failure.upstream == PoolFigures.requestedHosts
    var series = Series(
      upstream: failure.upstream, address: isChosen ? Self.rest : failure.address, fault: failure.fault)
    let counter = counters.withLock { [registry] counters -> Counter in
      if counters[series] == nil, counters.count >= Self.limit { series.address = Self.rest }
      if let known = counters[series] { return known }
      let counter = registry.counter(
        .upstreamConnectFailures,
        [.upstream: series.upstream, .address: series.address, .cause: series.fault.rawValue])
      counters[series] = counter
      return counter
    }
    counter.increment()
  }
}

extension PoolFigures {
  /// What metrics call all hosts below wildcards together.
  static let requestedHosts = "*"
}

extension MetricsRegistry {
  /// Exposes the metrics of one loop's pool; `upstream` is its origin, which proxy.conf names.
  func show(_ figures: PoolFigures, upstream: String) {
    let label: Labels = [.upstream: upstream]
    read(.upstreamConnections, label) { Double(figures.open) }
    read(.upstreamConnectionsIdle, label) { Double(figures.idle) }
    read(.upstreamConnectionsPinned, label) { Double(figures.pinned) }
    read(.upstreamRequestsWaiting, label) { Double(figures.waiting) }
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
