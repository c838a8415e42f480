internal import Addresses
internal import Bytes
internal import HTTPWire
internal import Reactor
internal import Routing

extension Exchange {
  /// Refuses what the route's limits rule out, before a token is fetched or an upstream hears of it, and begins to count
  /// the time for all of it.
  func applyLimits(_ route: ProxyRoute) throws(ExchangeError) {
    if let total = route.policy.timeouts.total { connection.finalDeadline = outcome.clock.start + total }
    if case .length(let length) = head.framing, length > route.policy.bodyLimit { throw .contentTooLarge(route) }
  }
}

extension Exchange {
  /// Refuses what the route's own rules do not allow: this client, caller, method or path, or a field that would make
  /// another of one of them.
  func applyRules(_ decision: Decision) throws(ExchangeError) {
    let (route, target, input) = (decision.route, receivedTarget, requestInput)
    if decision.plan == .interceptTunnel {
      // Which of the host's routes counts is known with each request inside.
      if generation.callers != nil { try requireCallerOfTunnel(routesInside(target, input)) }
      return
    }
    let rules = route.policy.rules
    guard rules.admits(connection.address) else { throw .denied(.routeClient(address: clientAddress, route)) }
    if let access = route.policy.callerAccess { try requireCaller(access, .route(route)) }
    bearer.source = route.policy.tokens.source(for: request.caller)
    // The other rules are about what is forwarded.
    guard decision.plan != .answerTokenRequest else { return }
    let bytes = input.readableBytes
    guard rules.allows(method: bytes.extracting(head.method.range)) else {
      throw .denied(.method(text(of: head.method), route))
    }
    // The path as it goes on, without the one that forward_to puts in front of it.
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
    let (authority, port) = Self.connectTarget(target)
    return generation.table.routesInside(
      host: input.readableBytes.extracting(authority.nameWithoutDot.range), port: port)
  }

  private func refuseOverrides(
    _ rules: AccessRules, _ route: ProxyRoute, _ bytes: Span<UInt8>
  ) throws(ExchangeError) {
    var seen: UInt8 = 0
    for line in head.fields where line.known == .other {
      guard let part = OverrideField(bytes.extracting(line.name.range)) else { continue }
      let value = bytes.extracting(line.value.range)
      guard rules.allows(part, value: value) else {
        throw .denied(.overrides(part, field: text(of: line.name), route))
      }
      // Which of several is obeyed depends on the framework.
      guard seen & 1 << part.rawValue == 0 || !rules.allowsOne(part) else {
        throw .denied(.overrides(part, field: "The second \(text(of: line.name))", route))
      }
      guard staysInRoute(part, value, route, bytes) else {
        throw .denied(.overrides(part, field: text(of: line.name), route))
      }
      seen |= 1 << part.rawValue
    }
  }
}

// MARK: Paths in fields

extension Exchange {
  /// Longer values are refused: several readings of each are compared, and no honest URL comes near it.
  private static var longestNamed: Int { 4_096 }

  /// Whether the upstream, when it obeys a field with `value`, acts upon a path that the route may forward.
  private func staysInRoute(
    _ part: OverrideField, _ value: Span<UInt8>, _ route: ProxyRoute, _ bytes: Span<UInt8>
  ) -> Bool {
    guard route.policy.rules.dependsOnPath else { return true }
    guard value.count <= Self.longestNamed else { return false }
    let named = value.indices.map { value[$0] }
    switch part {
    case .method, .path: return true
    case .prefix: return mayBegin(with: named, route, bytes)
    // Whatever the method: a field or a form may replace it by COPY or MOVE.
    case .destination: return mayUse(named, needsSlash: true, isInAccount: true, route, bytes)
    case .source: return mayUse(named, needsSlash: false, isInAccount: false, route, bytes)
    case .accountSource: return mayUse(named, needsSlash: false, isInAccount: true, route, bytes)
    }
  }

  /// Whether the path of `named`, a URL or a path, is one that the route may forward. Which host it names decides
  /// nothing: an upstream has more names than the proxy knows.
  ///
  /// - Parameter isInAccount: whether a path without a host may be one below the account, which is the beginning of the
  ///   request's path (OpenStack Swift: `/v1/ACCOUNT`).
  private func mayUse(
    _ named: [UInt8], needsSlash: Bool, isInAccount: Bool, _ route: ProxyRoute, _ bytes: Span<UInt8>
  ) -> Bool {
    var named = named
    let scheme = [Array("http://".utf8), Array("https://".utf8)].first { scheme in
      scheme.count <= named.count && zip(scheme, named).allSatisfy { $0 == $1 | 0x20 || $0 == $1 }
    }
    if let scheme {
      named = Array(named.dropFirst(scheme.count).drop { $0 != UInt8(ascii: "/") })
      guard !named.isEmpty else { return false }
    } else if !needsSlash, named.first != UInt8(ascii: "/") {
      // Another scheme, or a name such as an ARN, which is no path.
      guard !named.prefix(while: { $0 != UInt8(ascii: "/") }).contains(UInt8(ascii: ":")) else { return false }
      named.insert(UInt8(ascii: "/"), at: 0)
    }
    guard named.first == UInt8(ascii: "/") else { return false }
    // To some servers a path ends here and to others not, as with the encoded characters.
    named = named.flatMap { byte in
      switch byte {
      case UInt8(ascii: "?"): Array("%3F".utf8)
      case UInt8(ascii: "#"): Array("%23".utf8)
      default: [byte]
      }
    }
    guard mayForward(upstreamPath: named, route, bytes) else { return false }
    guard isInAccount, scheme == nil else { return true }
    let path = upstreamPath(route, bytes)
    let ends = path.indices.dropFirst().filter { path[$0] == UInt8(ascii: "/") }.prefix(3)
    return ends.allSatisfy { mayForward(upstreamPath: path[..<$0] + named, route, bytes) }
  }

  /// Whether the request stays within the route when the upstream removes `prefix` from its path, and when it puts that in
  /// front. Applications do one or the other with X-Forwarded-Prefix, if it is more to them than a part of links.
  private func mayBegin(with prefix: [UInt8], _ route: ProxyRoute, _ bytes: Span<UInt8>) -> Bool {
    let slash = UInt8(ascii: "/")
    let prefix = Array(prefix.prefix((prefix.lastIndex { $0 != slash } ?? -1) + 1))
    guard !prefix.isEmpty else { return true }
    let path = upstreamPath(route, bytes)
    // A comma separates several, which some join.
    guard prefix.first == slash, !prefix.contains(UInt8(ascii: ",")), !PathReadings.exist(of: prefix.span),
      !PathReadings.exist(of: path.span), mayForward(upstreamPath: prefix + path, route, bytes)
    else { return false }
    guard path.starts(with: prefix) else { return true }
    let rest = Array(path.dropFirst(prefix.count))
    return mayForward(upstreamPath: rest.first == slash ? rest : [slash] + rest, route, bytes)
  }

  /// The path of this request as the upstream gets it.
  private func upstreamPath(_ route: ProxyRoute, _ bytes: Span<UInt8>) -> [UInt8] {
    var path = route.policy.basePath
    let target = receivedTarget
    for index in Int(target.path.start) + decided.mountLength..<Int(target.path.end) { path.append(bytes[index]) }
    return path.isEmpty ? [UInt8(ascii: "/")] : path
  }

  /// Whether a request that reaches the upstream with `path` could have come by the same route.
  private func mayForward(upstreamPath path: [UInt8], _ route: ProxyRoute, _ bytes: Span<UInt8>) -> Bool {
    guard path.starts(with: route.policy.basePath) else { return false }
    let (target, decision) = (receivedTarget, decided)
    var rest = Array(path.dropFirst(route.policy.basePath.count))
    if rest.isEmpty { rest = [UInt8(ascii: "/")] }
    guard rest[0] == UInt8(ascii: "/") else { return false }
    var path: [UInt8] = []
    for index in Int(target.path.start)..<Int(target.path.start) + decision.mountLength { path.append(bytes[index]) }
    path += rest
    let finding: RouteTable.Finding
    if let tunnel = connection.tunnelTarget {
      finding = generation.table.route(host: tunnel.host.span, port: tunnel.port, path: path.span)
    } else if !decision.isMounted, let authority = target.authority {
      let port = authority.port ?? (target.scheme ?? .http).defaultPort
      finding = generation.table.route(host: bytes.extracting(authority.host.range), port: port, path: path.span)
    } else {
      finding = generation.table.route(mountedAt: path.span)
    }
    guard case .route(let found, _) = finding, found.index == route.index,
      case .allowed = route.policy.rules.rule(on: rest.span)
    else { return false }
    return true
  }
}
