internal import Addresses
internal import Outbound

extension RouteReader {
  /// The problem with a setting that has no meaning for a blind tunnel.
  static var isForRequests: String { "is for requests, and the proxy does not read what a blind tunnel carries" }

  private static var isForTokens: String { "is for a token, and nothing can be put into a blind tunnel" }

  // All other settings of a route, and why a tunnel cannot have them.
  private static let foreign: [(settings: [SettingDeclaration], complaint: String)] = {
    typealias Settings = RouteSettings
    return [
      ([Settings.mount.declaration], "is a path, and CONNECT names a host and a port"),
      (
        [Settings.forwardTo.declaration],
        "is for requests, and a blind tunnel leads to the host that CONNECT names"
      ),
      (
        [
          Settings.credentials, Settings.audience.declaration, Settings.resource, Settings.scopes, Settings.token,
          Settings.tokenEndpoint, Settings.withoutToken.declaration, Settings.replayUnauthorized.declaration,
        ], isForTokens
      ),
      (
        [Settings.clientCertificate, Settings.tls, Settings.tlsTruncation.declaration],
        "is for TLS, which goes through a blind tunnel from end to end"
      ),
      (
        [
          Settings.methods, Settings.paths, Settings.body.declaration, Settings.replayBuffer.declaration,
          Settings.throttled, Settings.concurrency, Settings.pathsIgnoreCase.declaration,
        ] + RequestSettings.fields.map(\.declaration),
        isForRequests
      ),
    ]
  }()

  /// Whether a route for requests with `tunnel: intercept` is possible; reports a problem with `setting` otherwise.
  func mayIntercept(_ section: Section, _ setting: Setting) -> Bool {
    guard section[RouteSettings.match] != nil else {
      setting.complain("is intercept, but there is no match: CONNECT names a host, and a mount has none")
      return false
    }
    guard hasInterception else {
      setting.complain(
        "is intercept, which needs a certificate authority: write \"interception: {}\" at the top level, and run "
          + "\"\(ConfigurationSource.command("ca init", reading: setting.findings.file))\"")
      return false
    }
    setting.findings.hasInterceptedRoute = true
    return true
  }

  /// A route that serves only CONNECT; also reports mistakes of routes with an invalid mode.
  mutating func blindTunnelRoute(_ section: Section, _ setting: Setting, name: String?) -> Route? {
    let mode = setting.value(Format<TunnelMode>.choice())
    let matches = section.required(RouteSettings.match, Format<Match>.match.expected).flatMap { readTunnelMatches($0) }
    var timeouts = timeouts
    _ = section.section(RouteSettings.timeouts) { timeouts.readTunnel($0) }
    var connections = connections
    _ = section.section(RouteSettings.upstream) { connections.readTunnel($0) }
    var rules = RouteRules(allow: section[RouteSettings.allow]?.distinct(.network))
    rules.callers = section[RouteSettings.callers].flatMap(callers.indices)
    let allowsPrivate = section.value(RouteSettings.allowPrivate)
    let parentProxy = ParentProxy.read(section[RouteSettings.parentProxy], inherited: parentProxy)
    let clientShare = readClientShare(section)
    let access = section.value(RouteSettings.accessLog) ?? access
    for (declarations, complaint) in Self.foreign {
      for declaration in declarations {
        let setting = section[declaration]
        // If the mode is wrong, these settings may be right.
        if mode != nil { setting?.complain(complaint) }
      }
    }
    guard let name, let mode, let matches else { return nil }
    var route = Route(
      name: name, matches: matches, upstream: nil, timeouts: timeouts, rules: rules,
      allowsPrivate: allowsPrivate ?? false)
    route.tunnel = mode
    route.connections = connections
    route.parentProxy = parentProxy
    route.trust = trust
    route.clientShare = clientShare
    route.access = access
    return route
  }

  private mutating func readTunnelMatches(_ setting: Setting) -> [Match]? {
    let format = Format<Match>.match
    guard let items = setting.items(format.expected) else { return nil }
    var matches: [Match] = []
    for item in items {
      guard let match = item.value(format), claim(match, in: \.matches, shown: "\(match)", item) else { continue }
      if !match.path.isEmpty {
        item.complain("has a path, and CONNECT names a host and a port")
      } else if let kind = IPAddress(match.host)?.kind, kind.isNeverConnectedTo {
        item.complain("is \(kind.name): the proxy never connects there")
      } else if claimPort(of: match, isTunnel: true, item) {
        matches.append(match)
      }
    }
    return matches.count == items.count ? matches : nil
  }

  /// Whether no route of the other kind takes the port of `match`; reports a problem with `setting` otherwise.
  mutating func claimPort(of match: Match, isTunnel: Bool, _ setting: Setting) -> Bool {
    guard let owner = ports.claim(match, isTunnel: isTunnel, owner: setting.path) else { return true }
    setting.complain(
      "is \(match), and \(owner) is for the same host and port: a host has requests that are forwarded, or blind tunnels"
    )
    return false
  }
}
