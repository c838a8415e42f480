internal import Bytes
internal import Configuration
internal import HTTPWire
internal import Routing

// Fields that carry a method or a path.
extension Exchange {
  /// Rejects fields in which the upstream may find another method or path than the route serves.
  func refuseOverrides(_ rules: AccessRules, _ route: ProxyRoute, _ bytes: Span<UInt8>) throws(ExchangeError) {
    var seen: UInt8 = 0
    var prefixes: [FieldLine] = []
    var budget = Self.mostCompared
    for line in head.fields where line.known == .other || line.known == .destination {
      guard let part = OverrideField(bytes.extracting(line.name.range)) else { continue }
      let value = bytes.extracting(line.value.range)
      guard rules.allows(part, value: value) else {
        throw .overrides(part, field: text(of: line.name), route)
      }
      // Proxies send one prefix under several names.
      if part == .prefix, repeats(line, prefixes, bytes) {
        prefixes.append(line)
        continue
      }
      // Which of several a framework obeys is unknown.
      guard seen & 1 << part.rawValue == 0 || !rules.allowsOne(part) else {
        throw .overrides(part, field: "The second \(text(of: line.name))", route)
      }
      let stays =
        part == .destination
        ? leads(line, intoRoute: route, bytes, &budget) : staysInRoute(part, value, route, bytes, &budget)
      guard stays else {
        throw .overrides(part, field: text(of: line.name), route)
      }
      seen |= 1 << part.rawValue
      if part == .prefix { prefixes.append(line) }
    }
  }

  /// Whether `line` has the same value as all of `others`, and a name that none of them has.
  private func repeats(_ line: FieldLine, _ others: [FieldLine], _ bytes: Span<UInt8>) -> Bool {
    let value = line.value.range
    for other in others {
      let same = other.value.range
      guard same.count == value.count,
        !OverrideField.equal(bytes.extracting(other.name.range), bytes.extracting(line.name.range)),
        zip(same, value).allSatisfy({ bytes[$0] == bytes[$1] })
      else { return false }
    }
    return !others.isEmpty
  }
}

extension Exchange {
  /// Longer values are rejected: several readings of each are compared, and no honest URL is nearly as long.
  private static var longestNamed: Int { 4_096 }

  /// How many bytes are compared for the fields of one request; a byte of a path with one reading costs a quarter.
  /// Anything beyond this is rejected. Within it, comparing takes a few milliseconds at most.
  private static var mostCompared: Int { 8_192 }

  /// Whether an upstream that obeys a field with `value` uses a path that the route may forward.
  private func staysInRoute(
    _ part: OverrideField, _ value: Span<UInt8>, _ route: ProxyRoute, _ bytes: Span<UInt8>, _ budget: inout Int
  ) -> Bool {
    guard route.policy.rules.dependsOnPath else { return true }
    guard value.count <= Self.longestNamed else { return false }
    switch part {
    case .method, .path: return true
    case .original: return isOwnPath(value, route, bytes, &budget)
    case .forwardedPath:
      if isOwnPath(value, route, bytes, &budget) { return true }
      guard let named = NamedPath(value, needsSlash: true), !named.hasHost else { return false }
      return mayForward(upstreamPath: named.path, route, bytes, &budget)
        && mayForward(upstreamPath: named.path + upstreamPath(route, bytes), route, bytes, &budget)
    case .prefix: return mayBegin(with: value, route, bytes, &budget)
    case .destination:
      guard let named = NamedPath(value, needsSlash: true) else { return false }
      return mayUse(named, isInAccount: true, route, bytes, &budget)
    case .source, .accountSource:
      guard let named = NamedPath(value, needsSlash: false) else { return false }
      return mayUse(named, isInAccount: part == .accountSource, route, bytes, &budget)
    }
  }

  /// Whether the `Destination` of `line`, as the upstream gets it, is one that the route may forward. The method does
  /// not matter: a field or a form may replace it by COPY or MOVE.
  private func leads(
    _ line: FieldLine, intoRoute route: ProxyRoute, _ bytes: Span<UInt8>, _ budget: inout Int
  ) -> Bool {
    switch clientReference(line, route, bytes) {
    case .foreign: return staysInRoute(.destination, bytes.extracting(line.value.range), route, bytes, &budget)
    case .outside: return false
    case .inside(let rest, let namesServer):
      guard route.policy.rules.dependsOnPath else { return true }
      guard line.value.count <= Self.longestNamed else { return false }
      var path = route.policy.basePath
      if rest.isEmpty || bytes[Int(rest.start)] != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
      for offset in rest.range { path.append(bytes[offset]) }
      guard let named = NamedPath(path.span, needsSlash: true) else { return false }
      return mayUse(named, isInAccount: !namesServer, route, bytes, &budget)
    }
  }

  /// Where a reference of the request leads, in the client's names for the upstream, if links in responses use these.
  /// Otherwise it is in the upstream's own names.
  private func clientReference(_ line: FieldLine, _ route: ProxyRoute, _ bytes: Span<UInt8>) -> ClientReference {
    guard decided.isMounted || route.policy.requests.linkRewriting == .on, route.policy.requests.linkRewriting != .off
    else {
      return .foreign
    }
    let target = receivedTarget
    let start = Int(target.path.start)
    return ClientReference(
      line.value, bytes, for: target.authority ?? head.authority, scheme: clientScheme(target),
      mount: start..<start + decided.mountLength)
  }

  /// The `Destination` of the request as the upstream knows it; nil if it does not change.
  @inline(never) func mappedDestination(_ route: ProxyRoute, _ bytes: Span<UInt8>) throws(ExchangeError) -> [UInt8]? {
    guard let upstream = route.destination.links else { return nil }
    var mapped: [UInt8]?
    var isFirst = true
    for line in head.fields where line.known == .destination && !head.isForConnection(line, bytes) {
      let reference = clientReference(line, route, bytes)
      // A second one would be forwarded as the client wrote it.
      guard isFirst || mapped == nil && reference == .foreign else {
        throw .overrides(.destination, field: "The second \(text(of: line.name))", route)
      }
      isFirst = false
      switch reference {
      case .foreign: continue
      case .outside: throw .overrides(.destination, field: text(of: line.name), route)
      case .inside(let rest, let namesServer):
        mapped = upstream.reference(to: rest, bytes, namesServer: namesServer)
        guard mapped != nil else { throw .overrides(.destination, field: text(of: line.name), route) }
      }
    }
    return mapped
  }

  /// Whether the path of `named` is one that the route may forward. The host that it names does not matter: an upstream
  /// has more names than the proxy knows.
  ///
  /// - Parameter isInAccount: whether a path without a host may be one below the account, which is the beginning of the
  ///   request's path (OpenStack Swift: `/v1/ACCOUNT`).
  private func mayUse(
    _ named: NamedPath, isInAccount: Bool, _ route: ProxyRoute, _ bytes: Span<UInt8>, _ budget: inout Int
  ) -> Bool {
    guard mayForward(upstreamPath: named.path, route, bytes, &budget) else { return false }
    guard isInAccount, !named.hasHost else { return true }
    let path = upstreamPath(route, bytes)
    for end in path.indices.dropFirst().filter({ path[$0] == UInt8(ascii: "/") }).prefix(3) {
      guard mayForward(upstreamPath: path[..<end] + named.path, route, bytes, &budget) else { return false }
    }
    return true
  }

  /// Whether the request stays within the route both when the upstream removes the prefix `value` from its path, and
  /// when it puts that in front. Applications do one or the other, if they use it for more than links.
  private func mayBegin(
    with value: Span<UInt8>, _ route: ProxyRoute, _ bytes: Span<UInt8>, _ budget: inout Int
  ) -> Bool {
    guard let prefix = NamedPath.prefix(value) else { return false }
    guard !prefix.isEmpty else { return true }
    let path = upstreamPath(route, bytes)
    guard mayForward(upstreamPath: prefix + path, route, bytes, &budget), spend(path, &budget) else {
      return false
    }
    switch NamedPath.remove(prefix, from: path) {
    case .nothing: return true
    case .unclear: return false
    case .rest(let rest):
      let slash = UInt8(ascii: "/")
      return mayForward(upstreamPath: rest.first == slash ? rest : [slash] + rest, route, bytes, &budget)
    }
  }

  /// Whether `value` is the path of this request as the upstream gets it: obeying that changes nothing. With a query,
  /// or as the target that the client sent, which a mount may change, it must be a path that the route may forward.
  private func isOwnPath(
    _ value: Span<UInt8>, _ route: ProxyRoute, _ bytes: Span<UInt8>, _ budget: inout Int
  ) -> Bool {
    func isValue(_ own: some Collection<UInt8>) -> Bool {
      own.count == value.count && zip(own, value.indices).allSatisfy { $0 == value[$1] }
    }
    let own = upstreamPath(route, bytes)
    if isValue(own) { return true }
    let query = receivedTarget.query.map { $0.range.map { bytes[$0] } }
    guard
      query.map({ isValue(own + [UInt8(ascii: "?")] + $0) }) == true
        || isValue(head.target.range.map { bytes[$0] }) && value[0] == UInt8(ascii: "/"),
      // A server may take all of it for a path, in which "/b?/../admin" is another one.
      let named = NamedPath(value, needsSlash: true)
    else { return false }
    return mayForward(upstreamPath: named.path, route, bytes, &budget)
  }

  /// The path of this request as the upstream gets it.
  private func upstreamPath(_ route: ProxyRoute, _ bytes: Span<UInt8>) -> [UInt8] {
    var path = route.policy.basePath
    let target = receivedTarget
    for index in Int(target.path.start) + decided.mountLength..<Int(target.path.end) { path.append(bytes[index]) }
    return path.isEmpty ? [UInt8(ascii: "/")] : path
  }

  /// Takes the cost of comparing `path` from the budget of the request; false if too little is left.
  private func spend(_ path: [UInt8], _ budget: inout Int) -> Bool {
    budget -= PathReadings.exist(of: path.span) ? path.count : path.count / 4
    return budget >= 0
  }

  /// Whether a request that reaches the upstream with `path` could have used the same route.
  private func mayForward(
    upstreamPath path: [UInt8], _ route: ProxyRoute, _ bytes: Span<UInt8>, _ budget: inout Int
  ) -> Bool {
    guard spend(path, &budget), path.starts(with: route.policy.basePath) else { return false }
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
    guard case .route(let found, _) = finding, found == route.index,
      case .allowed = route.policy.rules.rule(on: rest.span)
    else { return false }
    return true
  }
}
