internal import Bytes
internal import HTTPWire

extension Exchange {
  /// Finds the route that says that CONNECT may lead where it asks to. Whatever else there is for that host, there is no
  /// tunnel without one.
  func matchTunnel(_ target: RequestTarget, _ bytes: Span<UInt8>) throws(ExchangeError) {
    guard let authority = target.authority, let port = authority.port else { return }
    let host = name(of: authority)
    switch worker.table.tunnel(to: bytes.extracting(authority.host.range), port: port) {
    case .tunnel(let found), .intercepted(let found):
      route = found
      mountLength = 0
    case .hasRequests(let found):
      throw .tunnel(.hasRequests(host: host, found))
    case .otherPort(let found):
      throw .tunnel(.otherPort(target: "\(host):\(port)", found))
    case .nothing:
      throw .tunnel(unknownHost(authority, port))
    }
  }

  /// What to write into proxy.conf for such a tunnel.
  private func unknownHost(_ authority: Authority, _ port: UInt16) -> TunnelRefusal {
    let host = text(of: authority.nameWithoutDot).lowercased()
    let name = String(host.map { $0 == ":" ? "-" : $0 }.prefix(64))
    var match = authority.isIPv6Literal ? "[\(host)]" : host
    if port != 443 { match += ":\(port)" }
    // A bracket begins a list in YAML.
    return .unknownHost(authority.isIPv6Literal ? "\"\(match)\"" : match, routeName: name)
  }
}
