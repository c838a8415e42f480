internal import Addresses
internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Reactor
internal import Routing

extension Exchange {
  /// Finds the route: by the target's authority if it has one, by the mounted path if it has none, or only our own
  /// address. Host decides nothing, and inside a tunnel it must not differ.
  func matchRoute() throws(ExchangeError) -> Decision {
    let (target, input) = (receivedTarget, requestInput)
    let bytes = input.readableBytes
    if let tunnel = connection.tunnelTarget { return try matchInside(tunnel, target, bytes) }
    if target.form == .authority { return try matchTunnel(target, bytes) }
    if generation.table.hasTokenEndpoints, let found = tokenEndpointRoute(target, bytes) {
      return decide(Decision(plan: .answerTokenRequest, route: found))
    }
    var finding = RouteTable.Finding.nothing
    if let authority = target.authority {
      let port = authority.port ?? (target.scheme ?? .http).defaultPort
      finding = generation.table.route(
        host: bytes.extracting(authority.host.range), port: port, path: path(of: target, in: bytes))
    }
    var isOurs = target.authority == nil
    if case .nothing = finding, isOurs || isForThisListener(target) {
      isOurs = true
      finding = generation.table.route(mountedAt: path(of: target, in: bytes))
    }
    switch finding {
    case .route(let found, let length):
      let route = generation.routes[found]
      if route.policy.tunnel == .blind, let authority = target.authority {
        throw .tunnelOnly(host: name(of: authority), route)
      }
      return decide(Decision(plan: .forward, route: route, isMounted: isOurs, mountLength: length))
    case .leaves(let found):
      throw leaves(generation.routes[found])
    case .ambiguous(let found, let conflict):
      throw ambiguous(target, conflict, generation.routes[found])
    case .nothing:
      throw noRoute(target, isOurs ? nil : target.authority)
    }
  }

  private func leaves(_ route: ProxyRoute) -> ExchangeError {
    decide(Decision(plan: .forward, route: route))
    return .leavesRoute(route)
  }

  private func ambiguous(_ target: RequestTarget, _ conflict: PathConflict, _ route: ProxyRoute) -> ExchangeError {
    decide(Decision(plan: .forward, route: route))
    return .ambiguousPath(shownPath(target), conflict, route)
  }

  /// Notes the decision, for later phases, and for the log if the request is rejected.
  @discardableResult func decide(_ decision: Decision) -> Decision {
    self.decision = decision
    return decision
  }

  // A target without a path means the root, and "OPTIONS *" has no path at all.
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
    if servesOtherPaths(of: authority, target) { return noRoute(to: host, path: shownPath(target)) }
    return noRoute(to: host, nearest: nearest(to: authority))
  }

  fileprivate func noRoute(to target: String, path: String? = nil, nearest: String? = nil) -> ExchangeError {
    .noRoute(target: target, path: path, nearest: nearest, credentials: generation.credentialsNames)
  }

  /// Whether there are routes for the host and port, so that only the path has none.
  private func servesOtherPaths(of authority: Authority, _ target: RequestTarget) -> Bool {
    guard let input = connection.input else { return false }
    let port = authority.port ?? (target.scheme ?? .http).defaultPort
    return generation.table.serves(host: input.readableBytes.extracting(authority.host.range), port: port)
  }

  /// The most similar known host; nil also after many such searches within a short time.
  private func nearest(to authority: Authority) -> String? {
    guard authority.host.range.count <= RouteTable.longestCompared, let input = connection.input,
      worker.notices.suggestion.spend(at: worker.loop.now)
    else { return nil }
    return generation.table.nearest(to: input.readableBytes.extracting(authority.host.range))
  }

  /// The host as written in a URL.
  func name(of authority: Authority) -> String {
    let host = text(of: authority.host)
    return authority.isIPv6Literal ? "[\(host)]" : host
  }
}

extension Exchange {
  /// Finds the route of a request inside a tunnel: by the host that CONNECT named, which the request must not contradict.
  func matchInside(_ tunnel: TunnelTarget, _ target: RequestTarget, _ bytes: Span<UInt8>) throws(ExchangeError)
    -> Decision
  {
    if let name = tunnel.otherServerName {
      throw .misdirected(serverName: Self.shortened(name), tunnel: tunnel.authority)
    }
    guard target.form != .authority else { throw .nestedTunnel(text(of: head.target), inside: tunnel.authority) }
    if let scheme = target.scheme, (scheme == .https) != connection.isSecure {
      throw .misdirected(schemeInside: tunnel.authority)
    }
    // Without either it is HTTP/1.0, and meant for the host of the tunnel.
    if let authority = target.authority ?? head.authority, !tunnel.isNamed(by: authority, in: bytes) {
      let port = authority.port.map { ":\($0)" } ?? ""
      throw .misdirected(host: Self.shortened(name(of: authority) + port), tunnel: tunnel.authority)
    }
    let path = path(of: target, in: bytes)
    if generation.table.hasTokenEndpoints,
      let found = generation.table.tokenEndpoint(host: tunnel.host.span, port: tunnel.port, path: path)
    {
      return decide(Decision(plan: .answerTokenRequest, route: generation.routes[found]))
    }
    switch generation.table.route(host: tunnel.host.span, port: tunnel.port, path: path) {
    case .route(let found, let length):
      return decide(Decision(plan: .forward, route: generation.routes[found], mountLength: length))
    case .leaves(let found):
      throw leaves(generation.routes[found])
    case .ambiguous(let found, let conflict):
      throw ambiguous(target, conflict, generation.routes[found])
    case .nothing:
      throw noRoute(to: tunnel.hostText, path: shownPath(target))
    }
  }
}

extension Exchange {
  /// Finds the route that allows CONNECT to this target. Without one there is no tunnel, whatever other routes the host has.
  func matchTunnel(_ target: RequestTarget, _ bytes: Span<UInt8>) throws(ExchangeError) -> Decision {
    let (authority, port) = Self.connectTarget(target)
    let host = name(of: authority)
    switch generation.table.tunnel(to: bytes.extracting(authority.host.range), port: port) {
    case .tunnel(let found): return decide(Decision(plan: .openTunnel, route: generation.routes[found]))
    case .intercepted(let found): return decide(Decision(plan: .interceptTunnel, route: generation.routes[found]))
    case .hasRequests(let found):
      throw .tunnelPastRoute(host: host, generation.routes[found])
    case .otherPort(let found):
      throw .tunnelPort("\(host):\(port)", generation.routes[found])
    case .nothing:
      throw noTunnel(authority, port)
    }
  }

  /// The host and port that CONNECT names; the parser has checked that both are there (RFC 9110 section 9.3.6).
  static func connectTarget(_ target: RequestTarget) -> (authority: Authority, port: UInt16) {
    guard let authority = target.authority, let port = authority.port else {
      preconditionFailure("the target of CONNECT has a host and a port")
    }
    return (authority, port)
  }

  private func noTunnel(_ authority: Authority, _ port: UInt16) -> ExchangeError {
    let host = text(of: authority.nameWithoutDot).lowercased()
    let name = String(host.map { $0 == ":" ? "-" : $0 }.prefix(64))
    var match = authority.isIPv6Literal ? "[\(host)]" : host
    if port != 443 { match += ":\(port)" }
    return .noTunnel(to: match, routeName: name)
  }
}

extension Exchange {
  /// Whether the target names the very listener that received the request. Some clients write the whole base URL into
  /// the target, and a server must accept that (RFC 9112 section 3.2.2): it means the same as the path alone.
  ///
  /// What counts is the address that the connection was made to, so this works for a listener on all addresses too.
  func isForThisListener(_ target: RequestTarget) -> Bool {
    let scheme = connection.certificate == nil ? RequestTarget.Scheme.http : .https
    guard target.scheme == scheme, let authority = target.authority else { return false }
    // A Unix socket has no name that a URL could contain: clients write the one that always means this machine.
    if connection.callers.peer.uid != nil { return authority.port == nil && isLocalhost(authority) }
    let endpoint = connection.passedDestination ?? connection.stream.localAddress
    guard let local = IPAddress(ofEndpoint: endpoint)?.unmapped,
      endpoint.hasSuffix(":\(authority.port ?? scheme.defaultPort)")
    else { return false }
    switch authority.kind {
    case .ipv4(let address): return IPAddress.v4(address) == local
    case .ipv6(let address): return IPAddress.v6(address).unmapped == local
    case .name: return local.isLoopback && isLocalhost(authority)
    }
  }

  /// Whether a name always means this machine (RFC 6761 section 6.3).
  func isLocalhost(_ authority: Authority) -> Bool {
    let input = requestInput
    return authority.isLocalhost(input.readableBytes)
  }
}
