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

/// Everything that one reading of proxy.conf decides about requests, made once and never changed.
///
/// A worker holds the current generation. An exchange takes it when it begins, and is served by it to its end: no request
/// meets half of two configurations.
final class Generation: Sendable {
  /// Which route a request has, as a position in ``routes``.
  let table: RouteTable
  let routes: [ProxyRoute]
  /// The callers; nil where proxy.conf has none.
  let callers: CallerDirectory?
  /// The certificates that are shown inside tunnels; nil where no route is intercepted.
  let leafCertificates: LeafCertificates?
  /// How long the phases may take before the route is known.
  let timeouts: PhaseTimeouts
  let headLimits: HeadLimits
  let responseHeadLimits: HeadLimits
  /// How many requests a client connection may carry.
  let requestsPerConnection: Int
  /// The least that clients must move, in bytes per second; nil for no such bound.
  let minRate: Int?
  /// What the limits of the configuration leave to one loop.
  let loopLimits: LoopLimits
  /// Which requests that have no route get a line in the access log.
  let access: AccessLogging
  /// The names of the credentials, in the order of the file.
  let credentialsNames: [String]

  /// How connections to upstreams are made, and which routes share them.
  let plan: RoutePlan
  /// The names of the routes.
  let routeNames: Set<String>
  /// The names of the upstreams, as metrics have them.
  let upstreamNames: Set<String>

  /// - Parameters:
  ///   - loops: How many event loops share its limits.
  ///   - source: Makes the source of a route's tokens, given the number of the credentials.
  ///   - concurrency: Makes the limit of the requests of a route that are under way at once.
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
  /// How many connections clients may have.
  let connections: Int
  /// How many TLS handshakes of clients may be under way.
  let handshakes: Int
  /// How many requests may wait for memory.
  let memoryQueue: Int
  /// How many bytes a buffer of content holds: those of proxy.conf, but never so few that a head does not fit.
  let bufferCapacity: Int
  /// The least that a buffer for a head holds.
  let headCapacity: Int

  // What a buffer holds beside the largest head: the token and what else is added to it, or the content behind it.
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
