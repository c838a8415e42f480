internal import HTTPWire
internal import Interception
internal import Tokens
internal import Upstream

/// Why an exchange did not end with the upstream's response. Every one of them becomes a response, a log line and a
/// counter in one place each.
indirect enum ExchangeError: Error {
  // The client.
  /// What it sent is not a request that can be served.
  case request(WireError)
  /// Its content is larger than the route allows.
  case contentTooLarge(ProxyRoute)
  /// Its request head, or the next piece of the content, took too long.
  case requestTimeout
  /// It sends its content, or takes its response, more slowly than `limits.min_rate` allows.
  case clientTooSlow(ProxyRoute)
  /// It asks the proxy itself for a token, and not as that is done.
  case tokenRequest(TokenRequestRefusal, ProxyRoute)
  /// It went away.
  case clientGone
  /// There was no agreement on TLS: inside the tunnel to this host, or, where that is "", with the listener.
  case clientTLS(TLSFailure, inside: String)
  /// Inside a tunnel, it is for another host than that.
  case misdirected(Misdirection)
  /// Its connection is passed on by a load balancer, and does not say whose it is.
  case proxyHeader

  // The rules.
  /// No route takes this target: the host and port that the client requested, its path where the host has routes for
  /// other paths, and the known name most like it.
  case noRoute(target: String, path: String?, nearest: String?)
  /// No route is mounted where this path is.
  case notMounted(path: String)
  /// The path's dot segments lead out of what the route covers.
  case leavesRoute(ProxyRoute)
  /// A method that others may take for CONNECT.
  case connectMethod(String)
  /// There is no tunnel where one was requested, or only a tunnel where something else was.
  case tunnel(TunnelRefusal)
  /// TRACE would show the token to the client.
  case traceMethod
  /// proxy.conf says who may use what, and not this client, or not this.
  case denied(PolicyRefusal)
  /// It is not known who sent it, or not served for that.
  case caller(CallerRefusal)

  // The token.
  /// There is none.
  case token(TokenFailure)
  /// It did not come in the time that a request may wait for it.
  case tokenTimeout(endpoint: String)

  // The upstream.
  /// As many hosts below wildcards as there may be are in use, or as many of this client.
  case tooManyHosts(ProxyRoute, ofClient: Bool)
  /// There is no connection to it.
  case upstream(UpstreamError, ProxyRoute)
  /// The connection broke before a response began.
  case upstreamBroken(String, ProxyRoute)
  /// It sent bytes before the request: it is unknown what they, and all bytes after them, respond to.
  case upstreamSpokeFirst(ProxyRoute)
  /// It did not begin to answer in time, or stopped taking the request.
  case upstreamTimeout(ProxyRoute)
  /// What it answered is not HTTP that can be passed on.
  case response(WireError, ProxyRoute)
  /// Its answer ended too early, or broke, or stalled, when part of it had been passed on.
  case responseIncomplete(String, ProxyRoute)

  /// The connection of a tunnel broke, on its side.
  case tunnelBroken(String, ProxyRoute)

  // The proxy itself.
  /// There is no certificate to be shown for the host of a tunnel.
  case interception(LeafError)
  /// Nothing has moved through the tunnel for as long as it may be so.
  case tunnelIdle(ProxyRoute)
  /// The exchange took longer than the route allows, whichever side was slow.
  case outOfTime(ProxyRoute)
  /// The client's address has as many connections as it may.
  case tooManyConnections
  /// As many requests of the route are under way as may be, or as many of this client.
  case noPlace(ProxyRoute, PlaceRefusal)
  /// Buffers and connections take as much memory as they may.
  case noMemory
  /// The request's fields do not fit into what is sent to an upstream.
  case headTooLarge
  /// The program ends before the request did.
  case draining
}

extension ExchangeError {
  /// The part of the way on which it happened.
  enum Hop: String, CaseIterable {
    case client, policy, token, upstream, `internal`
  }

  var hop: Hop {
    switch self {
    case .request, .contentTooLarge, .requestTimeout, .clientTooSlow, .clientGone, .clientTLS, .proxyHeader,
      .misdirected, .headTooLarge, .tokenRequest:
      .client
    case .noRoute, .notMounted, .leavesRoute, .connectMethod, .tunnel, .traceMethod, .denied: .policy
    case .caller(.busy): .internal
    case .caller: .policy
    case .token, .tokenTimeout: .token
    case .upstream(.ownListener, _): .policy
    case .upstream(.clientShare, _): .internal
    case .upstream, .upstreamBroken, .upstreamSpokeFirst, .upstreamTimeout, .response, .responseIncomplete,
      .tunnelBroken:
      .upstream
    case .interception, .tooManyConnections, .tooManyHosts, .noPlace, .noMemory, .outOfTime, .tunnelIdle, .draining:
      .internal
    }
  }

  /// Its name in the log and in metrics: one of a bounded number.
  var kind: String {
    switch self {
    case .request: "malformed_request"
    case .contentTooLarge: "content_too_large"
    case .requestTimeout: "request_timeout"
    case .tooManyConnections: "too_many_connections"
    case .clientTooSlow: "client_too_slow"
    case .tokenRequest(let refusal, _): refusal.kind
    case .clientGone: "client_gone"
    case .clientTLS(let failure, _): failure.kind
    case .misdirected: "misdirected"
    case .interception: "interception"
    case .proxyHeader: "proxy_header"
    case .noRoute: "no_route"
    case .notMounted: "not_mounted"
    case .leavesRoute: "leaves_route"
    case .connectMethod: "connect_method"
    case .tunnel(let refusal): refusal.kind
    case .tunnelBroken: "tunnel_broken"
    case .tunnelIdle: "tunnel_idle"
    case .traceMethod: "trace_method"
    case .denied(let refusal): refusal.kind
    case .caller(let refusal): refusal.kind
    case .token(let failure): failure.metricLabel
    case .tokenTimeout: "token_wait"
    case .tooManyHosts(_, let ofClient): ofClient ? "client_share" : "too_many_hosts"
    case .upstream(let error, _): error.kind
    case .upstreamBroken: "upstream_broken"
    case .upstreamSpokeFirst: "upstream_spoke_first"
    case .upstreamTimeout: "upstream_timeout"
    case .response: "malformed_response"
    case .responseIncomplete: "incomplete_response"
    case .noPlace(_, let refusal): refusal.kind
    case .noMemory: "memory"
    case .headTooLarge: "head_too_large"
    case .outOfTime: "out_of_time"
    case .draining: "draining"
    }
  }

  /// Whether the client takes so little that what the kernel still holds for it is not worth keeping.
  var isSlowness: Bool {
    if case .clientTooSlow = self { true } else { false }
  }

  /// Whether the connection to the client cannot be used again: it is unknown where its next request begins, or
  /// whether it is there at all. Behind a CONNECT, refused or not, may come what is meant for the tunnel (RFC 9931).
  var endsConnection: Bool {
    switch self {
    case .request, .contentTooLarge, .requestTimeout, .tooManyConnections, .clientTooSlow, .clientGone, .clientTLS,
      .proxyHeader, .connectMethod, .responseIncomplete, .tunnelBroken, .tunnelIdle, .draining:
      true
    case .denied(let refusal): refusal.endsConnection
    default: false
    }
  }
}

extension UpstreamError {
  var kind: String {
    switch self {
    case .dns: "upstream_dns"
    case .connect: "upstream_connect"
    case .prohibited: "upstream_prohibited"
    case .privateAddress: "upstream_private"
    case .ownListener: "loop"
    case .connectTimeout: "upstream_connect_timeout"
    case .certificate: "upstream_certificate"
    case .clientCertificate: "client_certificate"
    case .parentProxy: "parent_proxy"
    case .parentProxyRefusal: "parent_proxy_refused"
    case .tls: "upstream_tls"
    case .noDescriptors: "no_descriptors"
    case .exhausted: "upstream_exhausted"
    case .clientShare: "client_share"
    case .broken: "upstream_broken"
    case .other: "upstream_other"
    }
  }
}
