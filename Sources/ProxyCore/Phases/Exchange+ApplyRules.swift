internal import Addresses
internal import Bytes
internal import Callers
internal import HTTPWire
internal import Reactor
internal import Routing

extension Exchange {
  /// Rejects what exceeds the route's limits, before a token is fetched or an upstream is contacted, and starts the
  /// time limit for the whole request.
  func applyLimits(_ route: ProxyRoute) throws(ExchangeError) {
    if let total = route.policy.timeouts.total { connection.finalDeadline = outcome.clock.start + total }
    if case .length(let length) = head.framing, length > route.policy.bodyLimit { throw .contentTooLarge(route) }
  }
}

extension Exchange {
  /// Rejects what the route's own rules do not allow: this client, caller, method or path, or a field that would change
  /// the method or the path.
  func applyRules(_ decision: Decision) throws(ExchangeError) {
    let (route, target, input) = (decision.route, receivedTarget, requestInput)
    if decision.plan == .interceptTunnel {
      // Which of the host's routes applies is known only for each request inside.
      if generation.callers != nil { try requireCallerOfTunnel(routesInside(target, input)) }
      return
    }
    let rules = route.policy.rules
    guard rules.admits(connection.address) else { throw .routeClient(address: clientAddress, route) }
    if let access = route.policy.callerAccess { try requireCaller(access, .route(route)) }
    bearer.source = route.policy.tokens.source(for: request.caller)
    // The other rules are about what is forwarded.
    guard decision.plan != .answerTokenRequest else { return }
    let bytes = input.readableBytes
    guard rules.allows(method: bytes.extracting(head.method.range)) else {
      throw .methodNotAllowed(text(of: head.method), route)
    }
    // The path as forwarded, without the one that forward_to puts in front of it.
    let path = Int(target.path.start) + decision.mountLength..<Int(target.path.end)
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
    case .denied: throw .pathNotAllowed(shownPath(target), route)
    case .ambiguous(let conflict): throw .ambiguousPath(shownPath(target), conflict, route)
    }
    if rules.canBeOverridden { try refuseOverrides(rules, route, bytes) }
  }

  /// The path for a message: without the query, in which applications put secrets.
  func shownPath(_ target: RequestTarget) -> String {
    let shown = text(of: target.path)
    return shown.isEmpty ? "/" : Self.shortened(shown)
  }

  /// The routes of the requests inside the tunnel that `target` requests.
  private func routesInside(_ target: RequestTarget, _ input: ByteBuffer) -> [ProxyRoute] {
    let (authority, port) = Self.connectTarget(target)
    let found = generation.table.routesInside(
      host: input.readableBytes.extracting(authority.nameWithoutDot.range), port: port)
    return found.map { generation.routes[$0] }
  }
}
