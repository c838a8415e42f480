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
  let timeouts: PhaseTimeouts
  /// What is served of the requests that match it.
  let rules: AccessRules
  /// How many bytes of content a request may have.
  let bodyLimit: UInt64

  init(_ route: Route, index: Int, pool: Int, tokens: TokenSource?) {
    self.index = index
    self.pool = pool
    self.tokens = tokens
    name = route.name
    origin = UpstreamOrigin(route)
    originName = route.upstream.description
    basePath = Array(route.upstreamBasePath.utf8)
    hostLine = Array("Host: \(route.upstream.authority)\r\n".utf8)
    timeouts = PhaseTimeouts(route.timeouts)
    rules = AccessRules(route.rules)
    bodyLimit = route.body.map { UInt64($0) } ?? .max
  }
}

extension UpstreamOrigin {
  /// Where the requests of `route` go, and how connections there are made.
  init(_ route: Route) {
    self.init(
      isSecure: route.upstream.scheme == .https, host: route.upstream.host, port: route.upstream.port,
      options: ConnectionOptions(route))
  }
}
