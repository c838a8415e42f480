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
      guard rules.allows(part, value: bytes.extracting(line.value.range)) else {
        throw .denied(.overrides(part, field: text(of: line.name), route))
      }
      // Which of several is heeded depends on the framework.
      if part == .method, rules.limitsMethods, hasOverriddenMethod {
        throw .denied(.overrides(part, field: "The second \(text(of: line.name))", route))
      }
      hasOverriddenMethod = part == .method || hasOverriddenMethod
    }
  }
}
