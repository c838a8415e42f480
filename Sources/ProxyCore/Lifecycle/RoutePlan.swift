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
    var pools: [Origin: Int] = [:]
    let routes = configuration.routes.enumerated().map { index, route in
      let pool = pools[route.upstream] ?? origins.count
      let source = route.credentials.map { number in
        tokens.source(for: clients[number].grant(for: route))
      }
      let made = ProxyRoute(route, index: index, pool: pool, tokens: source)
      if pool == origins.count {
        origins.append(made.origin)
        pools[route.upstream] = pool
      }
      return made
    }
    table = RouteTable(routes, configurations: configuration.routes)
    self.origins = origins
  }

  /// The connection pools of one loop, in the order in which routes refer to them.
  func makePools(
    _ configuration: ProxyConfiguration, loops: Int, _ dialer: Dialer, _ loop: EventLoop, _ registry: MetricsRegistry
  ) -> [UpstreamPool] {
    let limits = UpstreamPool.Limits(
      connections: share(configuration.limits.upstreamConnections, of: loops),
      queue: share(configuration.limits.queue, of: loops), idle: configuration.timeouts.upstreamIdle)
    return origins.map { origin in
      let figures = PoolFigures()
      registry.show(figures, upstream: origin.name)
      return UpstreamPool(origin: origin, limits: limits, figures: figures, dialer: dialer, loop: loop)
    }
  }
}
