internal import Addresses
internal import Bytes
internal import HTTPWire

extension Exchange {
  /// Refuses what the route's own rules do not allow: this client, caller, method or path, or a field that would make
  /// another of one of them.
  func applyRules() throws(ExchangeError) {
    guard let route, let target, let input = connection.input else { return }
    if target.form == .authority, route.isIntercepted {
      // Which of the host's routes counts is known with each request inside.
      if worker.callers != nil { try requireCallerOfTunnel(routesInside(target, input)) }
      return
    }
    let rules = route.rules
    guard rules.admits(connection.address) else { throw .denied(.routeClient(address: clientAddress, route)) }
    if let access = route.callerAccess { try requireCaller(access, .route(route)) }
    tokens = route.tokens.source(for: caller)
    // The other rules are about what is forwarded.
    guard !isTokenRequest else { return }
    let bytes = input.readableBytes
    guard rules.allows(method: bytes.extracting(head.method.range)) else {
      throw .denied(.method(text(of: head.method), route))
    }
    // The path as it goes on, without the one that forward_to puts in front of it.
    let path = Int(target.path.start) + mountLength..<Int(target.path.end)
    let ruling: AccessRules.PathRuling
    if target.form == .asterisk {
      ruling = rules.rule(on: bytes.extracting(head.target.range))
    } else if path.isEmpty {
      let root: [UInt8] = [UInt8(ascii: "/")]
      ruling = rules.rule(on: root.span)
    } else {
      ruling = rules.rule(on: bytes.extracting(path))
    }
    switch ruling {
    case .allowed: break
    case .denied: throw .denied(.path(shownPath(target), route))
    case .ambiguous(let conflict): throw .denied(.ambiguousPath(shownPath(target), conflict, route))
    }
    if rules.canBeOverridden { try refuseOverrides(rules, route, bytes) }
  }

  /// The path for a message: without the query, in which applications put secrets.
  func shownPath(_ target: RequestTarget) -> String {
    let shown = text(of: target.path)
    return shown.isEmpty ? "/" : Self.shortened(shown)
  }

  /// The routes of the requests inside the tunnel that `target` asks for.
  private func routesInside(_ target: RequestTarget, _ input: ByteBuffer) -> [ProxyRoute] {
    guard let authority = target.authority, let port = authority.port else { return [] }
    return worker.table.routesInside(host: input.readableBytes.extracting(authority.nameWithoutDot.range), port: port)
  }

  private func refuseOverrides(
    _ rules: AccessRules, _ route: ProxyRoute, _ bytes: Span<UInt8>
  ) throws(ExchangeError) {
    var hasOverriddenMethod = false
    for line in head.fields where line.known == .other {
      guard let part = OverrideField(bytes.extracting(line.name.range)) else { continue }
      let value = bytes.extracting(line.value.range)
      guard rules.allows(part, value: value), part != .destination || mayWrite(to: value, route, bytes) else {
        throw .denied(.overrides(part, field: text(of: line.name), route))
      }
      // Which of several is heeded depends on the framework.
      if part == .method, rules.limitsMethods, hasOverriddenMethod {
        throw .denied(.overrides(part, field: "The second \(text(of: line.name))", route))
      }
      hasOverriddenMethod = part == .method || hasOverriddenMethod
    }
  }
  /// Whether COPY or MOVE to `destination` stays within what the route may forward. The upstream acts upon the path that
  /// the field names, so that is taken for the path of a request; whose host it names decides nothing.
  private func mayWrite(to destination: Span<UInt8>, _ route: ProxyRoute, _ bytes: Span<UInt8>) -> Bool {
    let method = text(of: head.method).uppercased()
    guard route.rules.dependsOnPath, method == "COPY" || method == "MOVE" else { return true }
    var named: [UInt8] = []
    for index in destination.indices { named.append(destination[index]) }
    if let scheme = [Array("http://".utf8), Array("https://".utf8)].first(where: { scheme in
      scheme.count <= named.count && zip(scheme, named).allSatisfy { $0 == $1 | 0x20 || $0 == $1 }
    }) {
      named = Array(named.dropFirst(scheme.count).drop { $0 != UInt8(ascii: "/") })
    }
    let base = route.basePath
    guard named.first == UInt8(ascii: "/"), named.starts(with: base) else { return false }
    var rest = Array(named.dropFirst(base.count).prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    if rest.isEmpty { rest = [UInt8(ascii: "/")] }
    guard rest[0] == UInt8(ascii: "/"), let target else { return false }
    var path: [UInt8] = []
    for index in Int(target.path.start)..<Int(target.path.start) + mountLength { path.append(bytes[index]) }
    path += rest
    let finding: RouteTable.Finding
    if let tunnel = connection.tunnelTarget {
      finding = worker.table.route(host: tunnel.host.span, port: tunnel.port, path: path.span)
    } else if !isMounted, let authority = target.authority {
      let port = authority.port ?? (target.scheme ?? .http).defaultPort
      finding = worker.table.route(host: bytes.extracting(authority.host.range), port: port, path: path.span)
    } else {
      finding = worker.table.route(mountedAt: path.span)
    }
    guard case .route(let found, _) = finding, found === route, case .allowed = route.rules.rule(on: rest.span) else {
      return false
    }
    return true
  }
}
