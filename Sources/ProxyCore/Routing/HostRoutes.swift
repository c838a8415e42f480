internal import Configuration

/// The routes of one host, or of one wildcard, by port and path.
struct HostRoutes: Sendable {
  private struct PortRoute {
    let port: UInt16?
    let route: Int

    func takes(_ port: UInt16) -> Bool { self.port.map { $0 == port } ?? HostRoutes.isDefault(port) }
  }

  /// Those with a port of their own first.
  private var paths = PathTable<[PortRoute]>()
  private var ports: Set<UInt16> = []
  private var hasDefaultPorts = false

  /// Adds what `match` takes.
  mutating func add(_ match: Match, route: Int) {
    let added = PortRoute(port: match.port, route: route)
    paths.update(PathPrefix(match.path), default: []) { routes in
      if added.port == nil { routes.append(added) } else { routes.insert(added, at: 0) }
    }
    if let port = match.port { ports.insert(port) } else { hasDefaultPorts = true }
  }

  /// Whether there is a route for some path on `port`.
  func serves(_ port: UInt16) -> Bool { hasDefaultPorts && Self.isDefault(port) || ports.contains(port) }

  /// The route for `path` on `port`: that of the longest prefix, and of equal ones that with the port.
  func find(_ port: UInt16, _ path: Span<UInt8>) -> (prefix: PathPrefix, route: Int)? {
    guard let entry = paths.entry(covering: path, where: { routes in routes.contains { $0.takes(port) } }) else {
      return nil
    }
    return entry.value.first { $0.takes(port) }.map { (entry.prefix, $0.route) }
  }

  // A match without a port means the ports that http and https have by themselves.
  private static func isDefault(_ port: UInt16) -> Bool { port == 80 || port == 443 }
}
