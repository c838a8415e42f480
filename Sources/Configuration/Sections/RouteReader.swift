internal import Outbound

/// Reads the routes in order, and records what only one of them may claim.
struct RouteReader {
  let table: CredentialsTable
  let callers: CallersTable
  let timeouts: Timeouts
  let connections: ConnectionPolicy
  let limits: Limits
  let parentProxy: ParentProxy?
  let trust: TrustSettings
  let hasInterception: Bool
  /// The setting at the top level; nil if it is not written.
  let ignoresPathCase: Bool?
  let access: AccessLogging
  var names: [String: String] = [:]
  var matches: [Match: String] = [:]
  var mounts: [String: String] = [:]
  var tokenEndpoints: [LocalTokenEndpoint: String] = [:]
  var ports = ClaimedPorts()
  var pathClaims: [PathClaim] = []

  /// The valid routes of the file.
  static func read(
    _ top: Section, credentials: CredentialsTable, callers: CallersTable, timeouts: Timeouts,
    connections: ConnectionPolicy, limits: Limits, parentProxy: ParentProxy?, trust: TrustSettings,
    hasInterception: Bool, ignoresPathCase: Bool?, access: AccessLogging
  ) -> [Route] {
    let expected = "a list of routes, each with name, and match or mount"
    guard let setting = top.required(TopSettings.routes, expected), let items = setting.list(expected) else {
      return []
    }
    var reader = RouteReader(
      table: credentials, callers: callers, timeouts: timeouts, connections: connections, limits: limits,
      parentProxy: parentProxy, trust: trust, hasInterception: hasInterception, ignoresPathCase: ignoresPathCase,
      access: access)
    let routes = items.compactMap { item in
      item.section(of: RouteSettings.group, expected: "a route, which is a mapping of settings") { reader.route($0) }
    }
    reader.warnOfPaths()
    return routes
  }

  private init(
    table: CredentialsTable, callers: CallersTable, timeouts: Timeouts, connections: ConnectionPolicy, limits: Limits,
    parentProxy: ParentProxy?, trust: TrustSettings, hasInterception: Bool, ignoresPathCase: Bool?,
    access: AccessLogging
  ) {
    self.table = table
    self.callers = callers
    self.timeouts = timeouts
    self.connections = connections
    self.limits = limits
    self.parentProxy = parentProxy
    self.trust = trust
    self.hasInterception = hasInterception
    self.ignoresPathCase = ignoresPathCase
    self.access = access
  }

  private mutating func route(_ section: Section) -> Route? {
    let name = readName(section)
    let tunnel = section[RouteSettings.tunnel]
    if let tunnel, tunnel.written != TunnelMode.intercept.rawValue {
      return blindTunnelRoute(section, tunnel, name: name)
    }
    let isIntercepted = tunnel.map { mayIntercept(section, $0) }
    let matching = readMatching(section)
    let target = readTarget(section, matching)
    let rules = RouteRules.read(section, callers: callers)
    let token = readToken(section, matching, target, rules)
    var timeouts = timeouts
    var body = limits.body
    if let limit = section.value(RouteSettings.body) { body = limit }
    _ = section.section(RouteSettings.timeouts) { timeouts.readRoute($0) }
    var connections = connections
    _ = section.section(RouteSettings.upstream) { connections.readRoute($0) }
    let certificate = section[RouteSettings.clientCertificate]
    let clientCertificate = certificate.flatMap(CertificateFiles.read)
    let truncation = section[RouteSettings.tlsTruncation]
    let tlsTruncation = truncation.flatMap(readTruncation)
    let parentProxy = ParentProxy.read(section[RouteSettings.parentProxy], inherited: parentProxy)
    let tls = section[RouteSettings.tls]
    let trust = TrustSettings.read(tls, inherited: trust)
    let hasToken = token?.credentials.hasToken ?? true
    let tokenField = TokenField.read(section, hasToken: hasToken)
    let tokenEndpoints = readTokenEndpoints(
      section, hasToken: hasToken, tokenField, isIntercepted: tunnel != nil)
    let withoutToken = WithoutToken.read(section, hasToken: hasToken)
    let replay = ReplayRules.read(section, limits: limits, hasToken: hasToken)
    let concurrency = section[RouteSettings.concurrency].flatMap(Concurrency.read)
    let clientShare = readClientShare(section)
    let ignoresPathCase = section.value(RouteSettings.pathsIgnoreCase) ?? ignoresPathCase
    var requests = RequestSettings()
    section.read(RequestSettings.fields, into: &requests)
    let access = section.value(RouteSettings.accessLog) ?? access
    guard let name, let matching, let target, let token, isIntercepted != false else { return nil }
    warnIfUnreachable(section, matching, rules, token.credentials)
    for (match, setting) in matching.claims {
      pathClaims.append(
        PathClaim(match: match, setting: setting, route: name, rules: rules, saysCase: ignoresPathCase != nil))
    }
    var route = Route(
      name: name, matches: matching.matches, mount: matching.mount, upstream: target.origin,
      upstreamBasePath: target.basePath, credentials: token.credentials, audience: token.audience, scopes: token.scopes,
      timeouts: timeouts, rules: rules, body: body, allowsPrivate: target.allowsPrivate)
    if let origin = target.origin, origin.scheme == .http {
      for setting in [certificate, tls, truncation] { setting?.complain("is for TLS, and the upstream is \(origin)") }
    }
    route.tunnel = tunnel == nil ? nil : .intercept
    route.resources = token.resources
    if token.credentials.hasToken {
      let names = [RouteSettings.audience.declaration, RouteSettings.scopes, RouteSettings.resource].map(\.name)
      route.lines = (section.lines(of: Set(names)), section.mark.line)
    }
    route.connections = connections
    route.clientCertificate = clientCertificate
    route.parentProxy = parentProxy
    route.trust = trust
    if let tlsTruncation { route.tlsTruncation = tlsTruncation }
    route.tokenField = tokenField
    route.tokenEndpoints = tokenEndpoints
    route.withoutToken = withoutToken
    route.replay = replay
    route.concurrency = concurrency
    route.clientShare = clientShare
    route.requests = requests
    route.access = access
    route.ignoresPathCase = ignoresPathCase ?? false
    return route
  }

  func readClientShare(_ section: Section) -> ClientShare? {
    section.value(RouteSettings.clientShare) ?? limits.clientShare
  }

  private func readTruncation(_ setting: Setting) -> TLSTruncation? {
    let truncation = setting.value(RouteSettings.tlsTruncation.format)
    if truncation == .accept {
      setting.warn(
        """
        is accept: a response without a length, or a WebSocket, that is cut off on the way to the proxy looks complete; \
        leave it out unless the server is an old one that ends TLS without close_notify
        """)
    }
    return truncation
  }

  private mutating func readName(_ section: Section) -> String? {
    guard let setting = section.requiredSetting(RouteSettings.name), let name = setting.value(.name) else { return nil }
    return claim(name, in: \.names, shown: displayed(name), setting) ? name : nil
  }

  /// Whether `key` was free; reports a problem with `setting` otherwise.
  mutating func claim<Key: Hashable>(
    _ key: Key, in claims: WritableKeyPath<RouteReader, [Key: String]>, shown: @autoclosure () -> String,
    _ setting: Setting
  ) -> Bool {
    if let owner = self[keyPath: claims][key] {
      setting.complain("is \(shown()), which is taken by \(owner)")
      return false
    }
    self[keyPath: claims][key] = setting.path
    return true
  }
}
