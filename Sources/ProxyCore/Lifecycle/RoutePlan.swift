internal import Configuration
internal import Reactor
internal import Tokens
internal import Upstream

/// What is worked out from the configuration once, before the first request: the route table, and which routes share
/// an upstream.
struct RoutePlan {
  let table: RouteTable
  private let origins: [UpstreamOrigin]

  init(_ configuration: ProxyConfiguration, tokens: TokenSources, ways: TokenWays) {
    var origins: [UpstreamOrigin] = []
    var pools: [UpstreamOrigin: Int] = [:]
    let routes = configuration.routes.enumerated().map { index, route in
      let origin = UpstreamOrigin(route)
      let pool = pools[origin] ?? origins.count
      let source = route.credentials.map { number in
        let credentials = configuration.credentials[number]
        return tokens.source(for: TokenGrant(credentials, route, way: ways.number(for: credentials)))
      }
      if pool == origins.count {
        origins.append(origin)
        pools[origin] = pool
      }
      return ProxyRoute(route, index: index, pool: pool, tokens: source)
    }
    table = RouteTable(routes, configurations: configuration.routes)
    self.origins = origins
  }

  /// The connection pools of one loop, in the order in which routes refer to them.
  func makePools(
    _ configuration: ProxyConfiguration, loops: Int, _ dialer: Dialer, _ loop: EventLoop
  ) -> [UpstreamPool] {
    let limits = UpstreamPool.Limits(
      connections: share(configuration.limits.upstreamConnections, of: loops),
      queue: share(configuration.limits.queue, of: loops), idle: configuration.timeouts.upstreamIdle)
    return origins.map { UpstreamPool(origin: $0, limits: limits, dialer: dialer, loop: loop) }
  }
}
