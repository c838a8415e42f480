public import Configuration
internal import Encodings

/// The table in which every request finds its route, whatever form its target has. It is immutable.
///
/// A route is represented by its position in proxy.conf. The caller keeps everything else about it: the table has only what
/// decides which route a request gets.
public final class RouteTable: Sendable {
  /// The result of a look-up.
  public enum Finding {
    /// The route, and the length of the mount that is removed from the path before forwarding.
    case route(Int, mountLength: Int)
    /// A route whose path prefix the request's dot segments would leave.
    case leaves(Int)
    /// A route for the unchanged path, which some servers read as a path of another route.
    case ambiguous(Int, PathConflict)
    /// No route.
    case nothing
  }

  /// The result of a look-up for CONNECT.
  public enum TunnelFinding {
    /// The route through which the tunnel may lead.
    case tunnel(Int)
    /// A route for requests to that host, which are served inside the tunnel.
    case intercepted(Int)
    /// A route for requests to that host, which a tunnel would bypass.
    case hasRequests(Int)
    /// A route for tunnels to other ports of that host.
    case otherPort(Int)
    /// No route.
    case nothing
  }

  /// The names of the routes, for messages.
  let names: [String]
  /// The hosts that routes match, and how they are written with their ports. An unknown host is compared with the first
  /// ``mostCompared``.
  let hostNames: [(host: [UInt8], shown: String)]
  /// Whether each route prepends something to every path.
  private let haveBasePath: [Bool]
  /// Positions in `hosts`.
  private let byHost: HostTable<Int>
  /// Positions in `hosts`, by the part after the `*.` of a wildcard.
  private let byDomain: HostTable<Int>
  private let hosts: [HostRoutes]
  private let mounts: PathTable<Int>
  private let mountTrees: PathTrees
  private let tokenEndpoints: TokenEndpointTable

  /// The table of the routes of proxy.conf.
  public init(_ routes: [Route]) {
    names = routes.map(\.name)
    haveBasePath = routes.map { !$0.upstreamBasePath.isEmpty }
    hostNames = routes.lazy.flatMap(\.matches).prefix(Self.mostCompared).map { match in
      (
        Array((match.isWildcard ? "*.\(match.host)" : match.host).utf8),
        Match(host: match.host, port: match.port, isWildcard: match.isWildcard).description
      )
    }
    var (byHost, byDomain, hosts) = (HostTable<Int>(), HostTable<Int>(), [HostRoutes]())
    var (mounts, tokenEndpoints) = (PathTable<Int>(), TokenEndpointTable())
    for (index, route) in routes.enumerated() {
      for match in route.matches {
        var position = hosts.count
        if match.isWildcard {
          byDomain.update(match.host, default: position) { position = $0 }
        } else {
          byHost.update(match.host, default: position) { position = $0 }
        }
        if position == hosts.count { hosts.append(HostRoutes()) }
        hosts[position].add(match, route: index, tunnel: route.tunnel)
      }
      for endpoint in route.tokenEndpoints {
        tokenEndpoints.add(endpoint, route: index, tunnel: route.tunnel)
      }
      if let mount = route.mount {
        mounts.update(PathPrefix(mount == "/" ? "" : mount), default: index) { $0 = index }
      }
    }
    for position in hosts.indices {
      hosts[position].complete(ignoresCase: hosts[position].routes.contains { routes[$0].ignoresPathCase })
    }
    mountTrees = PathTrees(
      mounts.entries.map { ($0.prefix, $0.value) },
      ignoresCase: routes.contains { $0.mount != nil && $0.ignoresPathCase })
    (self.byHost, self.byDomain, self.hosts) = (byHost, byDomain, hosts)
    (self.mounts, self.tokenEndpoints) = (mounts, tokenEndpoints)
  }

  /// Whether a match for requests names `host` itself, on any port and path. A wildcard does not name a host, and the host of a
  /// tunnel does not count, since the proxy does not serve its requests.
  public func names(host: Span<UInt8>) -> Bool { byHost.value(for: host).map { hosts[$0].servesRequests } ?? false }

  /// Whether there is a route for some path of `host` on `port`.
  public func serves(host: Span<UInt8>, port: UInt16) -> Bool { position(of: host, port) != nil }

  /// The route for a request whose target names a host (absolute form).
  public func route(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> Finding {
    guard let position = position(of: host, port), let found = hosts[position].find(port, path) else { return .nothing }
    let dependsOnPath = hosts[position].dependsOnPath || haveBasePath[found.route]
    guard dependsOnPath, hosts[position].concernsReadings(of: path) else {
      return .route(found.route, mountLength: 0)
    }
    let verdict = hosts[position].compareReadings(of: path, port, question(found.prefix, found.route))
    return finding(verdict, found.route, found.prefix, path, mountLength: 0)
  }

  /// The entry that decides about `host` on `port`: the name itself, or else the longest wildcard above it. If that entry has
  /// no route for a path, the path has none; shorter wildcards are not tried.
  private func position(of host: Span<UInt8>, _ port: UInt16) -> Int? {
    if let exact = byHost.value(for: host), hosts[exact].serves(port) { return exact }
    return byDomain.value(above: host) { hosts[$0].serves(port) }
  }

  /// Decides about CONNECT to `host` and `port`: the name itself, or else the longest wildcard above it that has a rule for it.
  /// If one of them has routes for requests, no shorter wildcard can allow a tunnel.
  public func tunnel(to host: Span<UInt8>, port: UInt16) -> TunnelFinding {
    if let route = tokenEndpoints.interceptions(of: host, port: port).first { return .intercepted(route) }
    let exact = byHost.value(for: host)
    let position =
      exact.flatMap { hosts[$0].decidesAboutTunnel(to: port) ? $0 : nil }
      ?? byDomain.value(above: host) { hosts[$0].decidesAboutTunnel(to: port) }
    if let position, let route = hosts[position].interception(of: port) { return .intercepted(route) }
    if let position, let route = hosts[position].tunnel(to: port) { return .tunnel(route) }
    if let position, let route = hosts[position].someInterception { return .otherPort(route) }
    if let position, let route = hosts[position].requests(like: port) { return .hasRequests(route) }
    let known = exact ?? byDomain.value(above: host) { hosts[$0].someTunnel != nil }
    return known.flatMap { hosts[$0].someTunnel }.map { .otherPort($0) } ?? .nothing
  }

  /// The routes of the requests inside an intercepted tunnel to `host` and `port`.
  public func routesInside(host: Span<UInt8>, port: UInt16) -> [Int] {
    let requests = position(of: host, port).map { hosts[$0].interceptions(of: port) } ?? []
    return requests + tokenEndpoints.interceptions(of: host, port: port)
  }

  /// The route for a request whose target is a path (origin form).
  public func route(mountedAt path: Span<UInt8>) -> Finding {
    guard let mount = mounts.entry(covering: path, where: { _ in true }) else { return .nothing }
    guard mountTrees.concern(path) else {
      return .route(mount.value, mountLength: mount.prefix.length)
    }
    let verdict = mountTrees.compare(path, question(mount.prefix, mount.value)) { $0 }
    return finding(verdict, mount.value, mount.prefix, path, mountLength: mount.prefix.length)
  }

  /// The positions of the routes that serve only some paths of their hosts or of their upstream: those whose match has a path,
  /// those that share a host and port with another route, and those mounted below each other.
  ///
  /// A mount next to others serves every path of its upstream, since it is removed from the path before forwarding.
  public static func chosenByPath(_ configurations: [Route]) -> Set<Int> {
    var chosen: Set<Int> = []
    var byPlace: [Match: Set<Int>] = [:]
    var mounts: [(segments: [Substring], route: Int)] = []
    for (index, route) in configurations.enumerated() where route.tunnel != .blind {
      for match in route.matches {
        if PathPrefix(match.path).length > 0 { chosen.insert(index) }
        for port in match.port.map({ [$0] }) ?? [80, 443] {
          let place = Match(host: match.host, port: port, isWildcard: match.isWildcard)
          byPlace[place, default: []].insert(index)
        }
      }
      if let mount = route.mount { mounts.append((mount.split(separator: "/"), index)) }
    }
    for routes in byPlace.values where routes.count > 1 { chosen.formUnion(routes) }
    // In this order, mounts follow the mounts above them.
    mounts.sort { $0.segments.lexicographicallyPrecedes($1.segments) }
    var above: [(segments: [Substring], route: Int)] = []
    for mount in mounts {
      while let last = above.last, !mount.segments.starts(with: last.segments) { above.removeLast() }
      if !above.isEmpty { chosen.formUnion(above.map(\.route) + [mount.route]) }
      above.append(mount)
    }
    return chosen
  }

  /// Whether the proxy itself answers token requests at some path.
  public var hasTokenEndpoints: Bool { !tokenEndpoints.isEmpty }

  /// The route for whose applications the proxy answers token requests at `path` of another host.
  public func tokenEndpoint(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> Int? {
    tokenEndpoints.route(host: host, port: port, path: path)
  }

  /// The route for whose applications the proxy answers token requests at `path` of its own host.
  public func tokenEndpoint(at path: Span<UInt8>) -> Int? { tokenEndpoints.route(at: path) }

  // A route that takes every path and forwards it unchanged cannot be left: the root has no parent.
  private func isConfined(_ prefix: PathPrefix, _ route: Int) -> Bool { prefix.length > 0 || haveBasePath[route] }

  private func question(_ prefix: PathPrefix, _ route: Int) -> PathReadings.Question {
    PathReadings.Question(prefix: prefix, isConfined: isConfined(prefix, route), expected: route)
  }

  private func finding(
    _ verdict: PathReadings.Verdict, _ route: Int, _ prefix: PathPrefix, _ path: Span<UInt8>, mountLength: Int
  ) -> Finding {
    switch verdict {
    case .same: .route(route, mountLength: mountLength)
    case _ where prefix.isLeft(by: path) && isConfined(prefix, route): .leaves(route)
    case .leaves(let reading): .ambiguous(route, PathConflict(reading, "leads out of the route"))
    case .differs(let other?, let reading):
      .ambiguous(route, PathConflict(reading, "is for the route \(names[other])"))
    case .differs(nil, let reading): .ambiguous(route, PathConflict(reading, "is for no route"))
    case .tooMany: .ambiguous(route, .tooMany)
    }
  }
}

extension RouteTable {
  /// The known host that is most similar to `host`, for the message about a host that is unknown, or unknown with that port;
  /// nil if none is similar, or if the search would be too expensive.
  public func nearest(to host: Span<UInt8>) -> String? {
    guard host.count <= Self.longestCompared else { return nil }
    let wanted = (0..<host.count).map { host[$0].asciiLowercased }
    var rows = Rows()
    var best: String?
    // The largest distance that still counts as similar, then less than the best one so far.
    var bound = max(2, wanted.count / 3)
    for known in hostNames {
      guard bound >= 0 else { break }
      guard let distance = rows.distance(wanted, known.host, atMost: bound) else { continue }
      best = known.shown
      bound = distance - 1
    }
    return best
  }

  /// The longest host that is compared, in bytes: the work is the product of both lengths, and a longer name is not wrong
  /// because of a typing error.
  public static var longestCompared: Int { 64 }

  // The maximum number of hosts to compare, however many proxy.conf has.
  static var mostCompared: Int { 200 }
}

/// The two rows of the Levenshtein table, reused for all comparisons.
private struct Rows {
  private var previous: [Int] = []
  private var current: [Int] = []

  /// The Levenshtein distance of `one` and `other`, in bytes, if it is at most `bound`.
  mutating func distance(_ one: [UInt8], _ other: [UInt8], atMost bound: Int) -> Int? {
    guard abs(one.count - other.count) <= bound else { return nil }
    let more = bound + 1
    previous = (0...other.count).map { min($0, more) }
    current = [Int](repeating: more, count: other.count + 1)
    for row in 0..<one.count {
      // A cell farther from the diagonal than `bound` cannot be on a path that short.
      let columns = max(0, row - bound)..<min(other.count, row + bound + 1)
      current[columns.lowerBound] = columns.lowerBound == 0 ? min(row + 1, more) : more
      var least = current[columns.lowerBound]
      for column in columns {
        let replaced = previous[column] + (one[row] == other[column] ? 0 : 1)
        let value = min(replaced, previous[column + 1] + 1, current[column] + 1, more)
        current[column + 1] = value
        least = min(least, value)
      }
      if columns.upperBound < other.count { current[columns.upperBound + 1] = more }
      guard least <= bound else { return nil }
      swap(&previous, &current)
    }
    let distance = previous[other.count]
    return distance <= bound ? distance : nil
  }
}
