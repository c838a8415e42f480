internal import Configuration

/// The routes of one host, or of one wildcard, by port and path.
struct HostRoutes: Sendable {
  private struct PortRoute {
    let port: UInt16?
    let route: Int

    func takes(_ port: UInt16) -> Bool { Match.port(self.port, takes: port) }
  }

  /// Routes with an explicit port come first.
  private var paths = PathTable<[PortRoute]>()
  private var trees: PathTrees?
  private var ports: Set<UInt16> = []
  private var hasDefaultPorts = false
  /// The routes that serve requests, in the order in which they were added.
  private var requests: [PortRoute] = []
  /// Those that serve CONNECT as well.
  private var intercepting: [PortRoute] = []
  /// Those that serve only CONNECT, by the port that it names.
  private var tunnels: [UInt16: Int] = [:]

  /// Adds a match of a route.
  ///
  /// - Parameter tunnel: how the route serves CONNECT. A route that serves nothing else is also found for requests, which are
  ///   then rejected.
  mutating func add(_ match: Match, route: Int, tunnel: TunnelMode? = nil) {
    if tunnel != .blind {
      requests.append(PortRoute(port: match.port, route: route))
      if tunnel == .intercept { intercepting.append(requests[requests.count - 1]) }
    } else if match.port != nil || tunnels[match.tunnelPort] == nil {
      tunnels[match.tunnelPort] = route
    }
    let added = PortRoute(port: match.port, route: route)
    paths.update(PathPrefix(match.path), default: []) { routes in
      if added.port == nil { routes.append(added) } else { routes.insert(added, at: 0) }
    }
    if let port = match.port { ports.insert(port) } else { hasDefaultPorts = true }
  }

  /// Prepares the check of readings after everything has been added.
  ///
  /// - Parameter ignoresCase: whether a route leads to an upstream that ignores the case of paths.
  mutating func complete(ignoresCase: Bool) {
    let prefixes = paths.entries.enumerated().map { (prefix: $1.prefix, value: $0) }
    guard prefixes.contains(where: { $0.prefix.length > 0 }) else { return }
    trees = PathTrees(prefixes, ignoresCase: ignoresCase)
  }

  /// Whether the route of a request depends on its path.
  var dependsOnPath: Bool { trees != nil }

  /// Whether the readings of `path` must be compared.
  func concernsReadings(of path: Span<UInt8>) -> Bool { trees?.concern(path) ?? PathReadings.exist(of: path) }

  /// Compares the routes of all readings of `path`, which has a route on `port`.
  func compareReadings(
    of path: Span<UInt8>, _ port: UInt16, _ question: PathReadings.Question
  ) -> PathReadings.Verdict {
    (trees ?? .all).compare(path, question) { position in
      trees == nil ? question.expected : paths.entries[position].value.first { $0.takes(port) }?.route
    }
  }

  /// Whether there is a route for some path on `port`.
  func serves(_ port: UInt16) -> Bool { hasDefaultPorts && Match.port(nil, takes: port) || ports.contains(port) }

  /// The routes, for requests or tunnels.
  var routes: [Int] { paths.entries.flatMap { $0.value.map(\.route) } }

  /// Whether there is a route for requests.
  var servesRequests: Bool { !requests.isEmpty }

  /// Whether it decides about CONNECT to `port`. A host with routes for requests decides about all of its ports: a tunnel must
  /// not carry requests past their route.
  func decidesAboutTunnel(to port: UInt16) -> Bool { tunnels[port] != nil || servesRequests }

  /// The route whose host's requests are served inside tunnels to `port`, if there is one.
  func interception(of port: UInt16) -> Int? { intercepting.first { $0.takes(port) }?.route }

  /// All routes whose requests are served inside tunnels to `port`.
  func interceptions(of port: UInt16) -> [Int] { intercepting.filter { $0.takes(port) }.map(\.route) }

  /// A route whose host's requests are served inside tunnels to some port, if there is one.
  var someInterception: Int? { intercepting.first?.route }

  /// The route through which CONNECT may lead to `port`; nil if requests to that port have a route.
  func tunnel(to port: UInt16) -> Int? { requests.contains { $0.takes(port) } ? nil : tunnels[port] }

  /// The route for requests that fits `port` best, if there is any.
  func requests(like port: UInt16) -> Int? { (requests.first { $0.takes(port) } ?? requests.first)?.route }

  /// A route that serves CONNECT to some port, if there is any.
  var someTunnel: Int? { tunnels.min { $0.key < $1.key }?.value }

  /// The route for `path` on `port`: the longest prefix, and among equal ones the one with an explicit port.
  func find(_ port: UInt16, _ path: Span<UInt8>) -> (prefix: PathPrefix, route: Int)? {
    guard let entry = paths.entry(covering: path, where: { routes in routes.contains { $0.takes(port) } }) else {
      return nil
    }
    return entry.value.first { $0.takes(port) }.map { (entry.prefix, $0.route) }
  }
}

/// Where the proxy itself answers token requests, and for which route. The whole path must match.
struct TokenEndpointTable: Sendable {
  private var own = PathTable<Int>()
  private var hosts = HostTable<HostRoutes>()
  /// Whether there is none.
  private(set) var isEmpty = true

  /// Adds an endpoint of the route at position `route`, which serves CONNECT as `tunnel` says.
  mutating func add(_ endpoint: LocalTokenEndpoint, route: Int, tunnel: TunnelMode? = nil) {
    isEmpty = false
    switch endpoint {
    case .path(let path): own.update(PathPrefix(path), default: route) { $0 = route }
    case .host(let match):
      hosts.update(match.host, default: HostRoutes()) { $0.add(match, route: route, tunnel: tunnel) }
    }
  }

  /// The route of the endpoint at `path` of the proxy itself.
  func route(at path: Span<UInt8>) -> Int? {
    // The longest prefix that covers a path is the path itself, if it is in the table.
    guard let found = own.entry(covering: path, where: { _ in true }), found.prefix.length == path.count else {
      return nil
    }
    return found.value
  }

  /// The route of the endpoint at `path` of another host.
  func route(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> Int? {
    guard let found = hosts.value(for: host)?.find(port, path), found.prefix.length == path.count else { return nil }
    return found.route
  }

  /// The routes whose token requests are served inside tunnels to `port` of a host.
  func interceptions(of host: Span<UInt8>, port: UInt16) -> [Int] {
    hosts.value(for: host)?.interceptions(of: port) ?? []
  }
}
