internal import Configuration
internal import Reactor
internal import Telemetry
internal import Tokens
internal import Upstream

/// What is worked out from the configuration once, before the first request: the route table, and which routes share
/// an upstream.
struct RoutePlan {
  let table: RouteTable
  private let origins: [UpstreamOrigin]

  init(_ configuration: ProxyConfiguration, tokens: TokenSources, clients: [TokenClient]) {
    var origins: [UpstreamOrigin] = []
    var pools: [UpstreamOrigin: Int] = [:]
    let chosenByPath = RouteTable.chosenByPath(configuration.routes)
    let routes = configuration.routes.enumerated().map { index, route in
      let origin = ProxyRoute.origin(of: route)
      let pool = origin.map { pools[$0] ?? origins.count }
      let sources = RouteTokens(route.credentials, callers: configuration.callers.count) { number in
        tokens.source(for: clients[number].grant(for: route))
      }
      if let origin, pool == origins.count {
        origins.append(origin)
        pools[origin] = pool
      }
      return ProxyRoute(route, index: index, pool: pool, tokens: sources, isChosenByPath: chosenByPath.contains(index))
    }
    table = RouteTable(routes, configurations: configuration.routes)
    self.origins = origins
  }

  /// The connection pools of one loop, in the order in which routes refer to them.
  func makePools(
    _ configuration: ProxyConfiguration, loops: Int, _ dialer: Dialer, _ loop: EventLoop, _ registry: MetricsRegistry
  ) -> [UpstreamPool] {
    let limits = Self.poolLimits(configuration, loops: loops)
    return origins.map { origin in
      let figures = PoolFigures()
      registry.show(figures, upstream: origin.name)
      return UpstreamPool(origin: origin, limits: limits, figures: figures, dialer: dialer, loop: loop)
    }
  }

  /// The hosts below wildcards that requests of one loop will name.
  static func makeRequestedHosts(
    _ configuration: ProxyConfiguration, loops: Int, _ dialer: Dialer, _ loop: EventLoop, _ registry: MetricsRegistry
  ) -> RequestedHosts {
    let limits = poolLimits(configuration, loops: loops)
    // One series for all of them: clients choose their names, and must not choose how many series there are.
    let figures = PoolFigures()
    if configuration.routes.contains(where: { $0.upstream == nil }) { registry.show(figures, upstream: "*") }
    return RequestedHosts(
      limit: share(configuration.limits.wildcardHosts, of: loops), idleLimit: limits.connections
    ) { UpstreamPool(origin: $0, limits: limits, figures: figures, dialer: dialer, loop: loop) }
  }

  private static func poolLimits(_ configuration: ProxyConfiguration, loops: Int) -> UpstreamPool.Limits {
    UpstreamPool.Limits(
      connections: share(configuration.limits.upstreamConnections, of: loops),
      queue: share(configuration.limits.queue, of: loops), idle: configuration.timeouts.upstreamIdle)
  }
}
