internal import Addresses
internal import Callers
internal import Configuration
internal import HTTPWire
internal import Outbound
internal import Routing
internal import Tokens
internal import Upstream

/// A route as requests use it: everything that can be decided before the first request is decided.
final class ProxyRoute: Sendable {
  /// The settings for its requests.
  let policy: RoutePolicy
  /// Where its requests go.
  let destination: Destination

  /// The route with `policy` whose requests go to `destination`.
  init(_ policy: RoutePolicy, _ destination: Destination) {
    (self.policy, self.destination) = (policy, destination)
  }

  /// The route of proxy.conf at position `index`.
  ///
  /// - Parameter pool: which pool of a worker leads to its upstream; nil if each request names its own host.
  /// - Parameter isChosenByPath: whether only the path of a request decides between it and another route.
  convenience init(
    _ route: Route, index: Int, pool: Int?, tokens: RouteTokens, concurrency: ConcurrencyLimit? = nil,
    isChosenByPath: Bool = false, connectionsPerClient: Int = .max, hostsPerClient: Int = .max
  ) {
    let policy = RoutePolicy(
      route, index: index, tokens: tokens, concurrency: concurrency, isChosenByPath: isChosenByPath,
      connectionsPerClient: connectionsPerClient, hostsPerClient: hostsPerClient)
    self.init(policy, Destination(route, policy, pool: pool))
  }

  /// This route for requests that go to `origin`, the host that they name.
  func leading(to origin: Origin) -> ProxyRoute { ProxyRoute(policy, Destination(origin, policy)) }

  /// Its position in proxy.conf, and in the tables of every worker.
  var index: Int { policy.index }
  /// Its name in proxy.conf.
  var name: String { policy.name }
}

/// Where the requests of a route go.
struct Destination: Sendable {
  /// Where connections lead; nil if each request goes to the host that it names: ``ProxyRoute/leading(to:)`` makes the
  /// route for that.
  let origin: UpstreamOrigin?
  /// The name of the origin, for people.
  let name: String
  /// Which pool of a worker leads there; routes with the same origin share it. Nil if ``RequestedHosts`` have it.
  let pool: Int?
  /// The complete Host field line.
  let hostLine: [UInt8]
  /// The upstream whose links in responses are rewritten; nil if links stay unchanged.
  let links: LinkMap.Upstream?

  /// The destination of `route`, whose policy is `policy`.
  ///
  /// - Parameter pool: which pool of a worker leads there; nil if each request names its own host.
  init(_ route: Route, _ policy: RoutePolicy, pool: Int?) {
    self.pool = pool
    origin = Self.origin(of: route)
    name = route.upstream?.description ?? ""
    hostLine = route.upstream.map(Self.hostLine) ?? []
    links = policy.links(to: route.upstream)
  }

  /// The destination of a request that names `origin`.
  fileprivate init(_ origin: Origin, _ policy: RoutePolicy) {
    pool = nil
    let destination = policy.destination(origin)
    self.origin = destination
    name = policy.tunnel != .blind ? origin.description : destination.authority
    hostLine = Self.hostLine(origin)
    links = policy.links(to: origin)
  }

  /// Where the requests of `route` go, and how connections there are made; nil if each names its own host.
  static func origin(of route: Route) -> UpstreamOrigin? {
    route.upstream.map { UpstreamOrigin($0, DestinationRules(), ConnectionOptions(route)) }
  }

  private static func hostLine(_ origin: Origin) -> [UInt8] { Array("Host: \(origin.authority)\r\n".utf8) }
}

/// The settings for the requests of one route, wherever they go.
struct RoutePolicy: Sendable {
  /// The route's position in proxy.conf, and in the tables of every worker.
  let index: Int
  /// The route's name in proxy.conf.
  let name: String
  /// Goes before the path of every request: empty, or a path without its last slash.
  let basePath: [UInt8]
  /// Where its tokens come from.
  let tokens: RouteTokens
  /// Which callers it serves; nil if any caller may use the route.
  let callerAccess: CallerAccess?
  /// The text before the token on its line, from the field's name on.
  let tokenPrefix: [UInt8]
  /// The name of the token's field if that is not Authorization; nil if it is, or there is no token.
  let tokenHeader: [UInt8]?
  /// Whether the client's own Authorization is forwarded: if the proxy sets no token, or sets it elsewhere,
  /// Authorization is between the client and the upstream.
  let forwardsAuthorization: Bool
  /// Whether its requests are forwarded without a token while there is none.
  let forwardsWithoutToken: Bool
  let timeouts: PhaseTimeouts
  /// Which of the requests that match it are served.
  let rules: AccessRules
  /// How it serves CONNECT, which for ``TunnelMode/blind`` is all that it serves; nil if it does not serve CONNECT.
  let tunnel: TunnelMode?
  /// Whether requests to its hosts are served inside tunnels as well.
  let isIntercepted: Bool
  /// The ports in its matches that CONNECT may name, for a message.
  let tunnelPorts: String
  /// How many bytes the body of a request may have.
  let bodyLimit: UInt64
  /// Whether a request that got 401 with a token is sent once more, with a new one.
  let replaysUnauthorized: Bool
  /// How long a request may wait to be sent again after the API throttled it, and how often; nil for never.
  let throttling: Throttling?
  /// How many bytes of a request's body are kept so that it can be sent again after a response; 0 for none.
  let replayBuffer: Int
  /// The same for sending it again on another connection, if its method allows that.
  let repeatBuffer: Int
  /// Whether its requests carry Via, and nothing about the end of the connection.
  let hasUsualHead: Bool
  /// Whether connections serve more than one request.
  let isReused: Bool
  /// The settings for its requests that need no preparation.
  let requests: RequestSettings
  /// Which of its requests get a line in the access log.
  let access: AccessLogging
  /// How many of its requests are under way at once; nil for no limit.
  let concurrency: ConcurrencyLimit?
  /// How many connections of a pool one client may use; `Int.max` for all.
  let connectionsPerClient: Int
  /// How many hosts below wildcards that no other client uses one client may use; `Int.max` for all.
  let hostsPerClient: Int
  /// Whether hosts below its wildcards may be on private networks, or on this machine.
  private let allowsPrivate: Bool
  /// The hosts that the operator wrote out, which may be anywhere; for a tunnel, whose other end is not verified, only
  /// addresses.
  private let namedHosts: Set<String>
  /// How connections are made.
  private let options: ConnectionOptions

  /// - Parameter isChosenByPath: whether only the path of a request decides between it and another route.
  init(
    _ route: Route, index: Int, tokens: RouteTokens, concurrency: ConcurrencyLimit? = nil, isChosenByPath: Bool = false,
    connectionsPerClient: Int = .max, hostsPerClient: Int = .max
  ) {
    self.index = index
    self.tokens = tokens
    callerAccess = CallerAccess(route)
    let field = route.tokenField
    tokenPrefix = Array("\(field.header): \(field.scheme)\(field.scheme.isEmpty ? "" : " ")".utf8)
    tokenHeader = !tokens.exist || field.isAuthorization ? nil : Array(field.header.utf8)
    forwardsAuthorization = !tokens.exist || !field.isAuthorization
    name = route.name
    basePath = Array(route.upstreamBasePath.utf8)
    forwardsWithoutToken = route.withoutToken == .forward
    timeouts = PhaseTimeouts(route.timeouts)
    rules = AccessRules(
      route.rules, ignoresPathCase: route.ignoresPathCase, isChosenByPath: isChosenByPath || !basePath.isEmpty)
    bodyLimit = route.body.map { UInt64($0) } ?? .max
    replaysUnauthorized = tokens.exist && route.replay.unauthorized
    throttling = route.replay.throttled
    replayBuffer = replaysUnauthorized || throttling != nil ? route.replay.buffer : 0
    repeatBuffer = route.replay.buffer
    self.concurrency = concurrency
    self.connectionsPerClient = connectionsPerClient
    self.hostsPerClient = hostsPerClient
    requests = route.requests
    access = route.access
    isReused = route.connections.isReused
    hasUsualHead = isReused && route.requests.hasVia && route.requests.requestID == .off
    allowsPrivate = route.allowsPrivate
    options = ConnectionOptions(route)
    tunnel = route.tunnel
    isIntercepted = route.tunnel == .intercept
    tunnelPorts = Set(route.matches.flatMap { $0.connectPorts(route.tunnel) }).sorted().map(String.init)
      .joined(separator: ", ")
    let hosts = route.matches.filter { !$0.isWildcard }.map(\.host)
    namedHosts = Set(route.tunnel != .blind ? hosts : hosts.filter { IPAddress($0) != nil })
  }

  /// Where connections to `origin` lead, and may lead: the client chose a host that only a wildcard matches.
  func destination(_ origin: Origin) -> UpstreamOrigin {
    UpstreamOrigin(
      origin, DestinationRules(allowsPrivate: allowsPrivate || namedHosts.contains(origin.host)), options)
  }

  /// The upstream whose links in responses are rewritten if requests go to `origin`; nil if links stay unchanged.
  fileprivate func links(to origin: Origin?) -> LinkMap.Upstream? {
    guard requests.linkRewriting != .off, let origin else { return nil }
    return LinkMap.Upstream(
      scheme: origin.scheme == .https ? .https : .http, host: origin.host, port: origin.port, basePath: basePath)
  }
}

extension Match {
  /// The ports that CONNECT may name.
  fileprivate func connectPorts(_ tunnel: TunnelMode?) -> [UInt16] {
    switch tunnel {
    case .blind: [tunnelPort]
    case .intercept: port.map { [$0] } ?? [80, 443]
    case nil: []
    }
  }
}

extension UpstreamOrigin {
  fileprivate init(_ origin: Origin, _ destinations: DestinationRules, _ options: ConnectionOptions) {
    self.init(
      isSecure: origin.scheme == .https, host: origin.host, port: origin.port, destinations: destinations,
      options: options)
  }
}
