internal import Bytes
internal import Callers
internal import Configuration
internal import HTTPWire
internal import Interception
internal import Reactor
internal import Routing
internal import Telemetry
internal import Tokens
internal import Upstream

/// Everything that one reading of proxy.conf decides about requests; made once and never changed.
///
/// A worker holds the current generation. An exchange takes it when it begins, and keeps it to its end: no request sees
/// half of two configurations.
final class Generation: Sendable {
  /// Finds the route of a request, as a position in ``routes``.
  let table: RouteTable
  let routes: [ProxyRoute]
  /// The callers; nil if proxy.conf has none.
  let callers: CallerDirectory?
  /// The certificates that are shown inside tunnels; nil if no route is intercepted.
  let leafCertificates: LeafCertificates?
  /// How long the phases may take before the route is known.
  let timeouts: PhaseTimeouts
  let headLimits: HeadLimits
  let responseHeadLimits: HeadLimits
  /// How many requests a client connection may carry.
  let requestsPerConnection: Int
  /// The minimum rate of clients, in bytes per second; nil for none.
  let minRate: Int?
  /// One loop's part of the limits.
  let loopLimits: LoopLimits
  /// Which requests without a route get a line in the access log.
  let access: AccessLogging
  /// The names of the credentials, in the order of the file.
  let credentialsNames: [String]

  /// How connections to upstreams are made, and which routes share them.
  let plan: RoutePlan
  /// The names of the routes.
  let routeNames: Set<String>
  /// The names of the upstreams in metrics.
  let upstreamNames: Set<String>

  /// - Parameters:
  ///   - loops: how many event loops share its limits.
  ///   - source: makes the source of a route's tokens, given the number of the credentials.
  ///   - concurrency: makes the limit for the requests of a route that are under way at once.
  init(
    _ configuration: ProxyConfiguration, loops: Int, callers: CallerDirectory? = nil,
    leafCertificates: LeafCertificates? = nil, source: (Int, Route) -> TokenSource,
    concurrency: (Route) -> ConcurrencyLimit? = { $0.concurrency.map(ConcurrencyLimit.init) }
  ) {
    plan = RoutePlan(configuration, loops: loops, source: source, concurrency: concurrency)
    routeNames = Set(configuration.routes.map(\.name))
    upstreamNames = Set(plan.upstreams.map(\.name))
    table = plan.table
    routes = plan.routes
    self.callers = callers
    self.leafCertificates = leafCertificates
    timeouts = PhaseTimeouts(configuration.timeouts)
    let limits = configuration.limits
    headLimits = HeadLimits(
      bytes: limits.head, requestLine: min(limits.requestLine, limits.head), fields: limits.fields)
    responseHeadLimits = HeadLimits(
      bytes: limits.responseHead, requestLine: limits.responseHead, fields: limits.fields)
    requestsPerConnection = limits.requestsPerConnection
    minRate = limits.minRate
    loopLimits = LoopLimits(limits, loops: loops)
    access = configuration.log.access
    credentialsNames = configuration.credentials.map(\.name)
  }
}

/// One loop's part of the limits of proxy.conf.
struct LoopLimits: Sendable {
  /// How many loops there are.
  let loops: Int
  /// How many connections clients may open.
  let connections: Int
  /// How many TLS handshakes of clients may be under way.
  let handshakes: Int
  /// How many requests may wait for memory.
  let memoryQueue: Int
  /// How many bytes a buffer for a body holds: as in proxy.conf, but always enough for a head.
  let bufferCapacity: Int
  /// The minimum size of a buffer for a head.
  let headCapacity: Int

  // Room besides the largest head: for the token and other additions, or for the body after it.
  private static let roomBesideHead = AccessToken.longestToken + 8 * 1024

  init(_ limits: Limits, loops: Int) {
    self.loops = loops
    connections = share(limits.connections, of: loops)
    handshakes = share(limits.handshakes, of: loops)
    memoryQueue = share(limits.queue, of: loops)
    headCapacity = max(limits.head, limits.responseHead) + Self.roomBesideHead
    bufferCapacity = max(limits.buffer, headCapacity)
  }
}

/// What all loops and all generations share.
struct SharedResources: Sendable {
  var memory = MemoryAccount(limit: nil)
  /// How many connections each client has.
  let clients: ClientCensus
  let registry: MetricsRegistry
  var limitNotices: LimitNotices?
  var viaName = ViaName()
}
