internal import Configuration
internal import Reactor
internal import Routing
internal import Telemetry
internal import Tokens
internal import Upstream

/// What is computed from the configuration once, before the first request: the route table, and which routes share an upstream.
struct RoutePlan {
  let table: RouteTable
  /// The routes, by their positions in proxy.conf, as the table refers to them.
  let routes: [ProxyRoute]
  /// Where each pool leads.
  private let origins: [UpstreamOrigin]
  /// The origins for which a route sets a share for each client.
  private let sharedOrigins: Set<UpstreamOrigin>
  private let poolLimits: UpstreamPool.Limits
  private let hostLimit: Int
  private let hasWildcards: Bool
  private let sharesWildcards: Bool
  /// The upstreams that connections of any pool lead to.
  let upstreams: Set<UpstreamOrigin>

  /// - Parameters:
  ///   - source: makes the source of a route's tokens, given the number of the credentials.
  ///   - concurrency: makes the limit for the requests of a route that are under way at once.
  init(
    _ configuration: ProxyConfiguration, loops: Int, source: (Int, Route) -> TokenSource,
    concurrency: (Route) -> ConcurrencyLimit?
  ) {
    var origins: [UpstreamOrigin] = []
    var pools: [UpstreamOrigin: Int] = [:]
    var sharedOrigins: Set<UpstreamOrigin> = []
    let chosenByPath = RouteTable.chosenByPath(configuration.routes)
    routes = configuration.routes.enumerated().map { index, route in
      let origin = Destination.origin(of: route)
      let pool = origin.map { pools[$0] ?? origins.count }
      let sources = RouteTokens(route.credentials, callers: configuration.callers.count) { number in
        source(number, route)
      }
      if let origin, pool == origins.count {
        origins.append(origin)
        pools[origin] = pool
      }
      if let origin, route.clientShare != nil { sharedOrigins.insert(origin) }
      return ProxyRoute(
        route, index: index, pool: pool, tokens: sources, concurrency: concurrency(route),
        isChosenByPath: chosenByPath.contains(index),
        connectionsPerClient: Self.clientPart(
          route, of: configuration.limits.upstreamConnections,
          loops: Self.sharesPlaces(configuration.limits, loops: loops) ? 1 : loops),
        hostsPerClient: Self.clientPart(route, of: configuration.limits.wildcardHosts, loops: loops))
    }
    table = RouteTable(configuration.routes)
    self.origins = origins
    upstreams = Set(origins)
    self.sharedOrigins = sharedOrigins
    poolLimits = Self.poolLimits(configuration, loops: loops)
    hostLimit = share(configuration.limits.wildcardHosts, of: loops)
    let wildcards = configuration.routes.filter { $0.upstream == nil }
    hasWildcards = !wildcards.isEmpty
    sharesWildcards = wildcards.contains { $0.clientShare != nil }
  }

  /// Whether the loops share the places for connections to an upstream: if the part of each were so small that one
  /// client could use all of it. A loop's own places cost a request less.
  private static func sharesPlaces(_ limits: Limits, loops: Int) -> Bool {
    loops > 1 && limits.upstreamConnections < ClientShare.fewest * loops
  }

  /// How many of `total` one client may have on one loop. Room for others on other loops does not help a client whose
  /// connection arrived at this one.
  private static func clientPart(_ route: Route, of total: Int, loops: Int) -> Int {
    route.clientShare?.part(of: share(total, of: loops), total: total) ?? .max
  }

  /// The connection pools of one loop, in the order in which routes refer to them; `make` finds or makes one.
  func pools(
    _ make: @escaping (UpstreamOrigin, UpstreamPool.Limits) -> UpstreamPool
  ) -> OnDemand<UpstreamPool> {
    OnDemand(count: origins.count) { [origins, poolLimits, sharedOrigins] index in
      let origin = origins[index]
      var limits = poolLimits
      limits.tellsClientsApart = sharedOrigins.contains(origin)
      return make(origin, limits)
    }
  }

  /// The settings for one loop's hosts below wildcards; nil if no route has a wildcard.
  var requestedHosts: RequestedHosts.Settings? {
    guard hasWildcards else { return nil }
    var limits = poolLimits
    limits.tellsClientsApart = sharesWildcards
    return RequestedHosts.Settings(hosts: hostLimit, pool: limits)
  }

  private static func poolLimits(_ configuration: ProxyConfiguration, loops: Int) -> UpstreamPool.Limits {
    // A share is at least 1; a queue of 0 is 0 on every loop.
    let (connections, queue) = (configuration.limits.upstreamConnections, configuration.limits.queue)
    let areShared = sharesPlaces(configuration.limits, loops: loops)
    let parts = areShared ? 1 : loops
    var limits = UpstreamPool.Limits(
      connections: share(connections, of: parts), queue: queue == 0 ? 0 : share(queue, of: parts))
    limits.areShared = areShared
    return limits
  }
}

/// What one loop has for each route, or for each upstream: made at start if there are few, so that metrics show all of
/// them from the beginning; if there are many, made at first use, which may never come.
struct OnDemand<Element: AnyObject> {
  private final class Many {
    var elements: [Element?]
    let make: (Int) -> Element

    init(count: Int, _ make: @escaping (Int) -> Element) {
      elements = Array(repeating: nil, count: count)
      self.make = make
    }

    subscript(index: Int) -> Element {
      if let element = elements[index] { return element }
      let element = make(index)
      elements[index] = element
      return element
    }
  }

  private static var mostAtStart: Int { 500 }

  // One of the two has all elements; with few routes, a request costs no more than a look into an array.
  private let few: [Element]
  private let many: Many?

  init(count: Int, _ make: @escaping (Int) -> Element) {
    let isFew = count <= Self.mostAtStart
    few = isFew ? (0..<count).map(make) : []
    many = isFew ? nil : Many(count: count, make)
  }

  /// The element at `index`.
  @inline(__always) subscript(index: Int) -> Element {
    if index < few.count { return few[index] }
    return made(at: index)
  }

  @inline(never) private func made(at index: Int) -> Element {
    guard let many else { preconditionFailure("there is no such element") }
    return many[index]
  }

  /// The elements made so far.
  var made: [Element] { many?.elements.compactMap(\.self) ?? few }
}
