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
  }

  private struct Mount {
    let prefix: PathPrefix
    let route: Int
  }

  let routes: [ProxyRoute]
  /// The hosts that routes match, and how they are written with their ports.
  let hostNames: [(host: String, shown: String)]
  private var byHost = HostTable<[Candidate]>()
  private var mounts: [Mount] = []

  /// The table of `routes`, which stand in the same order as their `configurations`.
  init(_ routes: [ProxyRoute], configurations: [Route]) {
    self.routes = routes
    hostNames = configurations.flatMap(\.matches).map { match in
      (match.host, Match(host: match.host, port: match.port).description)
    }
    for (index, configuration) in configurations.enumerated() {
      for match in configuration.matches {
        let candidate = Candidate(port: match.port, prefix: PathPrefix(match.path), route: index)
        byHost.update(match.host, default: []) { candidates in
          // The longest prefix first, and of equal ones that for a certain port.
          let position = candidates.firstIndex { other in
            (other.prefix.length, other.port == nil ? 0 : 1) < (candidate.prefix.length, candidate.port == nil ? 0 : 1)
          }
          candidates.insert(candidate, at: position ?? candidates.endIndex)
        }
      }
      if let mount = configuration.mount {
        mounts.append(Mount(prefix: PathPrefix(mount == "/" ? "" : mount), route: index))
      }
    }
    mounts.sort { $0.prefix.length > $1.prefix.length }
  }

  /// Whether a route matches `host`, on whatever port and path.
  func knows(host: Span<UInt8>) -> Bool { byHost.value(for: host) != nil }

  /// The route for a request whose target names a host (absolute form).
  func route(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> Finding {
    guard let candidates = byHost.value(for: host) else { return .nothing }
    for candidate in candidates {
      // A match without a port means the ports that http and https have by themselves.
      guard candidate.port.map({ $0 == port }) ?? (port == 80 || port == 443) else { continue }
      guard candidate.prefix.covers(path) else { continue }
      return finding(routes[candidate.route], candidate.prefix, path, mountLength: 0)
    }
    return .nothing
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
