internal import Bytes
internal import HTTPWire

extension Exchange {
  /// Finds the route of a request inside a tunnel: by the host that CONNECT named, which the request must not contradict.
  func matchInside(_ tunnel: TunnelTarget, _ target: RequestTarget, _ bytes: Span<UInt8>) throws(ExchangeError) {
    if let name = tunnel.otherServerName {
      throw .misdirected(.serverName(Self.shortened(name), tunnel: tunnel.authority))
    }
    guard target.form != .authority else { throw .tunnel(.nested(text(of: head.target), inside: tunnel.authority)) }
    if let scheme = target.scheme, (scheme == .https) != connection.isSecure {
      throw .misdirected(.scheme(tunnel: tunnel.authority))
    }
    // Without either it is HTTP/1.0, and for whatever host it has been sent to.
    if let authority = target.authority ?? head.authority, !tunnel.isNamed(by: authority, in: bytes) {
      let port = authority.port.map { ":\($0)" } ?? ""
      throw .misdirected(.host(Self.shortened(name(of: authority) + port), tunnel: tunnel.authority))
    }
    let path = path(of: target, in: bytes)
    if worker.table.hasTokenEndpoints,
      let found = worker.table.tokenEndpoint(host: tunnel.host.span, port: tunnel.port, path: path)
    {
      route = found
      isTokenRequest = true
      return
    }
    switch worker.table.route(host: tunnel.host.span, port: tunnel.port, path: path) {
    case .route(let found, let length):
      route = found
      mountLength = length
    case .leaves(let found):
      route = found
      throw .leavesRoute(found)
    case .ambiguous(let found, let conflict):
      route = found
      throw .denied(.ambiguousPath(shownPath(target), conflict, found))
    case .nothing:
      throw .noRoute(target: tunnel.hostText, path: shownPath(target), nearest: nil)
    }
  }
}
