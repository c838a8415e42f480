internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Reactor

extension Exchange {
  /// Finds the route: by the target's authority where it has one, by the mounted path where it has none, or only our own
  /// address. What Host says decides nothing, and inside a tunnel it must not say anything else.
  func matchRoute() throws(ExchangeError) {
    guard let target, let input = connection.input else { return }
    let bytes = input.readableBytes
    if let tunnel = connection.tunnelTarget { return try matchInside(tunnel, target, bytes) }
    if target.form == .authority { return try matchTunnel(target, bytes) }
    if worker.table.hasTokenEndpoints, let found = tokenEndpointRoute(target, bytes) {
      route = found
      isTokenRequest = true
      return
    }
    var finding = RouteTable.Finding.nothing
    if let authority = target.authority {
      let port = authority.port ?? (target.scheme ?? .http).defaultPort
      finding = worker.table.route(
        host: bytes.extracting(authority.host.range), port: port, path: path(of: target, in: bytes))
    }
    var isOurs = target.authority == nil
    if case .nothing = finding, isOurs || isForThisListener(target) {
      isOurs = true
      finding = worker.table.route(mountedAt: path(of: target, in: bytes))
    }
    switch finding {
    case .route(let found, let length):
      if found.policy.tunnel == .blind, let authority = target.authority {
        throw .tunnel(.isTunnel(host: name(of: authority), found))
      }
      route = found
      isMounted = isOurs
      mountLength = length
    case .leaves(let found):
      route = found
      throw .leavesRoute(found)
    case .ambiguous(let found, let conflict):
      route = found
      throw .denied(.ambiguousPath(shownPath(target), conflict, found))
    case .nothing:
      throw noRoute(target, isOurs ? nil : target.authority)
    }
  }

  // A target without a path asks for the root, and "OPTIONS *" for no path at all.
  @_lifetime(copy bytes)
  func path(of target: RequestTarget, in bytes: Span<UInt8>) -> Span<UInt8> {
    switch target.form {
    case .asterisk: bytes.extracting(head.target.range)
    case .absolute where target.path.isEmpty: bytes.extracting(rootPath(in: bytes))
    default: bytes.extracting(target.path.range)
    }
  }

  // The first slash of "http://".
  private func rootPath(in bytes: Span<UInt8>) -> Range<Int> {
    var index = Int(head.target.start)
    while bytes[index] != UInt8(ascii: "/") { index += 1 }
    return index..<index + 1
  }

  private func noRoute(_ target: RequestTarget, _ authority: Authority?) -> ExchangeError {
    guard let authority else {
      guard target.form != .asterisk else { return .notMounted(path: "*") }
      let path = text(of: target.path)
      return .notMounted(path: path.isEmpty ? "/" : path)
    }
    let port = authority.port.map { ":\($0)" } ?? ""
    let host = name(of: authority) + port
    if servesOtherPaths(of: authority, target) { return .noRoute(target: host, path: shownPath(target), nearest: nil) }
    return .noRoute(target: host, path: nil, nearest: nearest(to: authority))
  }

  /// Whether there are routes for the host and port, and so only the path has none.
  private func servesOtherPaths(of authority: Authority, _ target: RequestTarget) -> Bool {
    guard let input = connection.input else { return false }
    let port = authority.port ?? (target.scheme ?? .http).defaultPort
    return worker.table.serves(host: input.readableBytes.extracting(authority.host.range), port: port)
  }

  /// The known host most like this one; nil also when there have been many such questions just now.
  private func nearest(to authority: Authority) -> String? {
    guard authority.host.range.count <= RouteTable.longestCompared, let input = connection.input,
      worker.notices.suggestion.spend(at: worker.loop.now)
    else { return nil }
    return worker.table.nearest(to: input.readableBytes.extracting(authority.host.range))
  }

  /// The host as it stands in a URL.
  func name(of authority: Authority) -> String {
    let host = text(of: authority.host)
    return authority.isIPv6Literal ? "[\(host)]" : host
  }
}
