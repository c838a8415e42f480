internal import Configuration
internal import Routing

/// Where the proxy itself answers token requests, and for which route; found by the whole path.
struct TokenEndpointTable: Sendable {
  private var own = PathTable<Int>()
  private var hosts = HostTable<HostRoutes>()
  /// Whether there is none.
  private(set) var isEmpty = true

  /// Adds one of the route at position `route`, which serves CONNECT as `tunnel` says.
  mutating func add(_ endpoint: LocalTokenEndpoint, route: Int, tunnel: TunnelMode? = nil) {
    isEmpty = false
    switch endpoint {
    case .path(let path): own.update(PathPrefix(path), default: route) { $0 = route }
    case .host(let match):
      hosts.update(match.host, default: HostRoutes()) { $0.add(match, route: route, tunnel: tunnel) }
    }
  }

  /// The route of the one at `path` of the proxy itself.
  func route(at path: Span<UInt8>) -> Int? {
    // The longest prefix that covers a path is the path itself, if that is one.
    guard let found = own.entry(covering: path, where: { _ in true }), found.prefix.length == path.count else {
      return nil
    }
    return found.value
  }

  /// The route of the one at `path` of another host.
  func route(host: Span<UInt8>, port: UInt16, path: Span<UInt8>) -> Int? {
    guard let found = hosts.value(for: host)?.find(port, path), found.prefix.length == path.count else { return nil }
    return found.route
  }

  /// The routes whose token requests are served inside tunnels to `port` of a host.
  func interceptions(of host: Span<UInt8>, port: UInt16) -> [Int] {
    hosts.value(for: host)?.interceptions(of: port) ?? []
  }
}
