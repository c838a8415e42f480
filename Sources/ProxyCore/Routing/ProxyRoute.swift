internal import Configuration
internal import Tokens
internal import Upstream

/// A route as requests meet it: everything that can be decided before the first request has been decided.
final class ProxyRoute: Sendable {
  /// Its position in proxy.conf, and in the tables of every worker.
  let index: Int
  let name: String
  /// Where its requests go.
  let origin: UpstreamOrigin
  /// The origin as people write it.
  let originName: String
  /// Which pool of a worker leads there; routes with the same origin share it.
  let pool: Int
  /// What comes before the path of every request: empty, or a path without its last slash.
  let basePath: [UInt8]
  /// The complete Host field line.
  let hostLine: [UInt8]
  /// Where its tokens come from; nil for a route that forwards without one.
  let tokens: TokenSource?
  /// What stands before the token on its line, from the field's name on.
  let tokenPrefix: [UInt8]
  /// The name of the token's field where that is not Authorization; nil where it is, and where there is no token.
  let tokenHeader: [UInt8]?
  /// Whether its requests go on without a token while there is none.
  let forwardsWithoutToken: Bool
  let timeouts: PhaseTimeouts
  /// What is served of the requests that match it.
  let rules: AccessRules
  /// How many bytes of content a request may have.
  let bodyLimit: UInt64
  /// Whether a request that got 401 with a token is sent once more, with a new one.
  let replaysUnauthorized: Bool
  /// How long a request may wait to be sent again after the API throttled it, and how often; nil for never.
  let throttling: Throttling?
  /// How many bytes of a request's content are kept so that it can be sent again; 0 for none.
  let replayBuffer: Int
  /// How many of its requests are under way at once; nil for no limit.
  let concurrency: ConcurrencyLimit?

  init(_ route: Route, index: Int, pool: Int, tokens: TokenSource?) {
    self.index = index
    self.pool = pool
    self.tokens = tokens
    let field = route.tokenField
    tokenPrefix = Array("\(field.header): \(field.scheme)\(field.scheme.isEmpty ? "" : " ")".utf8)
    tokenHeader = tokens == nil || field.isAuthorization ? nil : Array(field.header.utf8)
    name = route.name
    origin = UpstreamOrigin(
      isSecure: route.upstream.scheme == .https, host: route.upstream.host, port: route.upstream.port)
    originName = route.upstream.description
    basePath = Array(route.upstreamBasePath.utf8)
    hostLine = Array("Host: \(route.upstream.authority)\r\n".utf8)
    forwardsWithoutToken = route.withoutToken == .forward
    timeouts = PhaseTimeouts(route.timeouts)
    rules = AccessRules(route.rules)
    bodyLimit = route.body.map { UInt64($0) } ?? .max
    replaysUnauthorized = tokens != nil && route.replay.unauthorized
    concurrency = route.concurrency.map(ConcurrencyLimit.init)
    throttling = route.replay.throttled
    replayBuffer = replaysUnauthorized || throttling != nil ? route.replay.buffer : 0
  }
}
