internal import Configuration
internal import HTTPWire

extension Exchange {
  /// Finds the connections to the upstream: those of the route, or, where each request goes to the host that it names,
  /// those to that host. Returns the route as it leads there.
  func chooseUpstream() throws(ExchangeError) -> ProxyRoute? {
    guard let route else { return nil }
    if let index = route.destination.pool {
      pool = worker.pools[index]
      return route
    }
    guard let origin = requestedOrigin else { return nil }
    let (hosts, most) = (worker.requestedHosts, route.policy.hostsPerClient)
    guard let host = hosts.enter(route.policy.destination(origin), for: clientKey, most: most) else {
      throw .tooManyHosts(route, ofClient: hosts.isAtShare(clientKey, most: most))
    }
    requestedHost = host
    pool = host.pool
    let leading = host.route(route, to: origin)
    self.route = leading
    return leading
  }

  /// The server of the host that the target names, by https, or, for a tunnel, by TCP alone: in the one form in which hosts
  /// are compared, so that there is one upstream for each.
  private var requestedOrigin: Origin? {
    if let tunnel = connection.tunnelTarget {
      return Origin(scheme: .https, host: tunnel.hostText, port: tunnel.port == 80 ? nil : tunnel.port)
    }
    guard let target, let authority = target.authority else { return nil }
    let port = authority.port ?? (target.scheme ?? .http).defaultPort
    let host = text(of: authority.nameWithoutDot).lowercased()
    if target.form == .authority { return Origin(scheme: .http, host: host, port: port) }
    // Port 80 is that of plain HTTP, as if none were named.
    return Origin(scheme: .https, host: host, port: port == 80 ? nil : port)
  }
}
