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

  private struct Candidate {
    let port: UInt16?
    let prefix: PathPrefix
    let route: Int

    /// A match without a port means the ports that http and https have by themselves.
    func takes(_ port: UInt16) -> Bool {
      self.port.map { $0 == port } ?? (port == 80 || port == 443)
    }
  }

  private struct Mount {
    let prefix: PathPrefix
    let route: Int
  }

  let routes: [ProxyRoute]
  /// The hosts that routes match, and how they are written with their ports.
  let hostNames: [(host: String, shown: String)]
  private var byHost = HostTable<[Candidate]>()
  /// By what stands behind the `*.` of a wildcard.
  private var byDomain = HostTable<[Candidate]>()
  private var mounts: [Mount] = []

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
      for match in configuration.matches {
        let candidate = Candidate(port: match.port, prefix: PathPrefix(match.path), route: index)
        if match.isWildcard {
          byDomain.update(match.host, default: []) { Self.insert(candidate, into: &$0) }
        } else {
          byHost.update(match.host, default: []) { Self.insert(candidate, into: &$0) }
        }
      }
      if let mount = configuration.mount {
        mounts.append(Mount(prefix: PathPrefix(mount == "/" ? "" : mount), route: index))
      }
    }
    mounts.sort { $0.prefix.length > $1.prefix.length }
  }

  // The longest prefix first, and of equal ones that for a certain port.
  private static func insert(_ candidate: Candidate, into candidates: inout [Candidate]) {
    let position = candidates.firstIndex { other in
      (other.prefix.length, other.port == nil ? 0 : 1) < (candidate.prefix.length, candidate.port == nil ? 0 : 1)
    }
    candidates.insert(candidate, at: position ?? candidates.endIndex)
  }

  /// Whether a match names `host` itself, on whatever port and path; a wildcard names none.
  func names(host: Span<UInt8>) -> Bool { byHost.value(for: host) != nil }

  /// The route for a request whose target names a host (absolute form).
  func route(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> Finding {
    for candidate in candidates(host, port) where candidate.takes(port) && candidate.prefix.covers(path) {
      return finding(routes[candidate.route], candidate.prefix, path, mountLength: 0)
    }
    return .nothing
  }

  /// What decides about `host` on `port`: the name itself, or else the longest wildcard above it. A path that this has no
  /// route for has none; it does not fall to a shorter wildcard.
  private func candidates(_ host: Span<UInt8>, _ port: UInt16) -> [Candidate] {
    let isServed: ([Candidate]) -> Bool = { candidates in candidates.contains { $0.takes(port) } }
    if let exact = byHost.value(for: host), isServed(exact) { return exact }
    return byDomain.value(above: host, where: isServed) ?? []
  }

  /// The route for a request whose target is a path (origin form).
  func route(mountedAt path: Span<UInt8>) -> Finding {
    for mount in mounts where mount.prefix.covers(path) {
      return finding(routes[mount.route], mount.prefix, path, mountLength: mount.prefix.length)
    }
    return .nothing
  }

  // A route that takes every path and forwards it as it is cannot be left: above the root there is nothing.
  private func finding(_ route: ProxyRoute, _ prefix: PathPrefix, _ path: Span<UInt8>, mountLength: Int) -> Finding {
    let isConfined = prefix.length > 0 || !route.basePath.isEmpty
    return isConfined && prefix.isLeft(by: path) ? .leaves(route) : .route(route, mountLength: mountLength)
  }
}
