internal import Configuration

/// The one table in which every request finds its route, whatever form its target has. Immutable once made.
struct RouteTable: Sendable {
  /// What a look-up found.
  enum Finding {
    /// The route, and how many bytes of the path are the mount that is taken off before forwarding.
    case route(ProxyRoute, mountLength: Int)
    /// A route whose path prefix the request's dot segments would leave.
    case leaves(ProxyRoute)
    case nothing
  }

  /// What a look-up for CONNECT found.
  enum TunnelFinding {
    /// The route through which the tunnel may lead.
    case tunnel(ProxyRoute)
    /// A route for requests to that host, which are served inside the tunnel.
    case intercepted(ProxyRoute)
    /// A route for requests to that host, which a tunnel would carry past it.
    case hasRequests(ProxyRoute)
    /// A route for tunnels to that host, on other ports.
    case otherPort(ProxyRoute)
    case nothing
  }

  let routes: [ProxyRoute]
  /// The hosts that routes match, and how they are written with their ports.
  let hostNames: [(host: String, shown: String)]
  /// Positions in `hosts`.
  private var byHost = HostTable<Int>()
  /// Positions in `hosts`, by what stands behind the `*.` of a wildcard.
  private var byDomain = HostTable<Int>()
  private var hosts: [HostRoutes] = []
  private var mounts = PathTable<Int>()
  private var tokenEndpoints = TokenEndpointTable()

  /// The table of `routes`, which stand in the same order as their `configurations`.
  init(_ routes: [ProxyRoute], configurations: [Route]) {
    self.routes = routes
    hostNames = configurations.flatMap(\.matches).map { match in
      (
        match.isWildcard ? "*.\(match.host)" : match.host,
        Match(host: match.host, port: match.port, isWildcard: match.isWildcard).description
      )
    }
    for (index, configuration) in configurations.enumerated() {
      for match in configuration.matches { add(match, route: index, tunnel: configuration.tunnel) }
      for endpoint in configuration.tokenEndpoints {
        tokenEndpoints.add(endpoint, route: index, tunnel: configuration.tunnel)
      }
      if let mount = configuration.mount {
        mounts.update(PathPrefix(mount == "/" ? "" : mount), default: index) { $0 = index }
      }
    }
  }

  private mutating func add(_ match: Match, route: Int, tunnel: TunnelMode?) {
    var position = hosts.count
    if match.isWildcard {
      byDomain.update(match.host, default: position) { position = $0 }
    } else {
      byHost.update(match.host, default: position) { position = $0 }
    }
    if position == hosts.count { hosts.append(HostRoutes()) }
    hosts[position].add(match, route: route, tunnel: tunnel)
  }

  /// Whether a match for requests names `host` itself, on whatever port and path; a wildcard names none, and the host of a
  /// tunnel is somebody else's.
  func names(host: Span<UInt8>) -> Bool { byHost.value(for: host).map { hosts[$0].servesRequests } ?? false }

  /// The route for a request whose target names a host (absolute form).
  func route(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> Finding {
    guard let position = position(of: host, port), let found = hosts[position].find(port, path) else { return .nothing }
    return finding(routes[found.route], found.prefix, path, mountLength: 0)
  }

  /// What decides about `host` on `port`: the name itself, or else the longest wildcard above it. A path that this has no
  /// route for has none; it does not fall to a shorter wildcard.
  private func position(of host: Span<UInt8>, _ port: UInt16) -> Int? {
    if let exact = byHost.value(for: host), hosts[exact].serves(port) { return exact }
    return byDomain.value(above: host) { hosts[$0].serves(port) }
  }

  /// What becomes of CONNECT to `host` and `port`. The name itself decides, or else the longest wildcard above it that
  /// says something about it; where one of them has routes for requests, no shorter wildcard makes a tunnel of it.
  func tunnel(to host: Span<UInt8>, port: UInt16) -> TunnelFinding {
    if let route = tokenEndpoints.interceptions(of: host, port: port).first { return .intercepted(routes[route]) }
    let exact = byHost.value(for: host)
    let position =
      exact.flatMap { hosts[$0].decidesAboutTunnel(to: port) ? $0 : nil }
      ?? byDomain.value(above: host) { hosts[$0].decidesAboutTunnel(to: port) }
    if let position, let route = hosts[position].interception(of: port) { return .intercepted(routes[route]) }
    if let position, let route = hosts[position].tunnel(to: port) { return .tunnel(routes[route]) }
    if let position, let route = hosts[position].someInterception { return .otherPort(routes[route]) }
    if let position, let route = hosts[position].requests(like: port) { return .hasRequests(routes[route]) }
    let known = exact ?? byDomain.value(above: host) { hosts[$0].someTunnel != nil }
    return known.flatMap { hosts[$0].someTunnel }.map { .otherPort(routes[$0]) } ?? .nothing
  }

  /// The routes of the requests inside a tunnel to `host` and `port` that is intercepted.
  func routesInside(host: Span<UInt8>, port: UInt16) -> [ProxyRoute] {
    let requests = position(of: host, port).map { hosts[$0].interceptions(of: port) } ?? []
    return (requests + tokenEndpoints.interceptions(of: host, port: port)).map { routes[$0] }
  }

  /// The route for a request whose target is a path (origin form).
  func route(mountedAt path: Span<UInt8>) -> Finding {
    guard let mount = mounts.entry(covering: path, where: { _ in true }) else { return .nothing }
    return finding(routes[mount.value], mount.prefix, path, mountLength: mount.prefix.length)
  }

  /// Whether there are places where the proxy itself answers token requests.
  var hasTokenEndpoints: Bool { !tokenEndpoints.isEmpty }

  /// The route for whose applications the proxy answers token requests at `path` of another host.
  func tokenEndpoint(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> ProxyRoute? {
    tokenEndpoints.route(host: host, port: port, path: path).map { routes[$0] }
  }

  /// The route for whose applications the proxy answers token requests at `path` of its own.
  func tokenEndpoint(at path: Span<UInt8>) -> ProxyRoute? { tokenEndpoints.route(at: path).map { routes[$0] } }

  // A route that takes every path and forwards it as it is cannot be left: above the root there is nothing.
  private func finding(_ route: ProxyRoute, _ prefix: PathPrefix, _ path: Span<UInt8>, mountLength: Int) -> Finding {
    let isConfined = prefix.length > 0 || !route.basePath.isEmpty
    return isConfined && prefix.isLeft(by: path) ? .leaves(route) : .route(route, mountLength: mountLength)
  }
}
