public import Outbound

/// Which requests are forwarded, where, and with which token.
public struct Route: Sendable {
  /// The name, unique; letters, digits, `.`, `_` and `-`, at most 64.
  public var name: String
  /// The absolute-form targets that the route takes; may be empty when there is a mount.
  public var matches: [Match]
  /// The path prefix under which base-URL clients reach the route, without a final slash; "" takes every path.
  public var mount: String?
  /// Where requests are forwarded; nil for a tunnel, and if each request is forwarded by https to the host that it names, which
  /// a match accepts.
  public var upstream: Origin?
  /// The prefix of every forwarded path: "", or a path such as `/base` without a final slash.
  public var upstreamBasePath: String
  /// The credentials for its tokens.
  public var credentials: CredentialsChoice
  /// The audience of its tokens; nil if the token request names none.
  public var audience: String?
  /// The resources of its tokens (RFC 8707); empty if the token request names none.
  public var resources: [String] = []
  /// The scopes of its tokens; empty if the token request names none.
  public var scopes: [String]
  /// The lines of proxy.conf that determine its tokens, by the names of settings, and where the route begins.
  public var lines: (settings: [String: Int], start: Int)?
  /// How it serves CONNECT; a route with ``TunnelMode/blind`` serves nothing else. Nil if it does not serve CONNECT.
  public var tunnel: TunnelMode?
  /// Where the proxy itself answers token requests of the route's applications.
  public var tokenEndpoints: [LocalTokenEndpoint] = []
  /// The field that carries the token.
  public var tokenField = TokenField()
  /// What happens to its requests while there is no token.
  public var withoutToken = WithoutToken.refuse
  /// The timeouts of proxy.conf, overridden by the route's own.
  public var timeouts: Timeouts
  /// How connections to the upstream are made, and how long they are kept.
  public var connections = ConnectionPolicy()
  /// The client certificate for the upstream.
  public var clientCertificate: CertificateFiles?
  /// The proxy through which the upstream is reached; nil for none.
  public var parentProxy: ParentProxy?
  /// The authorities that verify the upstream.
  public var trust = TrustSettings()
  /// What it means if the upstream ends a TLS connection without close_notify.
  public var tlsTruncation = TLSTruncation.reject
  /// Which matching requests it serves.
  public var rules: RouteRules
  /// Bytes of a request's body; nil for no limit.
  public var body: Int?
  /// When its requests are retried.
  public var replay = ReplayRules()
  /// Other settings for its requests.
  public var requests = RequestSettings()
  /// Which of its requests get a line in the access log.
  public var access = AccessLogging.on
  /// How many of its requests may be in progress at once; nil for no limit.
  public var concurrency: Concurrency?
  /// The part of its upstream's connections that one client may use; nil for all of them.
  public var clientShare: ClientShare?
  /// Whether its upstream ignores the case of paths.
  public var ignoresPathCase = false
  /// Whether hosts that a wildcard takes, or that a tunnel leads to, may be on private networks, or on this machine. It does
  /// not concern addresses that are written literally, and nothing at all without wildcards and with an upstream.
  public var allowsPrivate: Bool

  /// A route of these parts; nothing is checked.
  public init(
    name: String, matches: [Match] = [], mount: String? = nil, upstream: Origin?, upstreamBasePath: String = "",
    credentials: CredentialsChoice = .noToken, audience: String? = nil, scopes: [String] = [],
    timeouts: Timeouts = Timeouts(),
    rules: RouteRules = RouteRules(), body: Int? = nil, allowsPrivate: Bool = false
  ) {
    self.name = name
    self.matches = matches
    self.mount = mount
    self.upstream = upstream
    self.upstreamBasePath = upstreamBasePath
    self.credentials = credentials
    self.audience = audience
    self.scopes = scopes
    self.timeouts = timeouts
    self.rules = rules
    self.body = body
    self.allowsPrivate = allowsPrivate
  }
}

extension Route {
  /// The hosts and ports whose CONNECT ends at the proxy: those of its matches, and of its token endpoints.
  public var interceptedMatches: [Match] {
    guard tunnel == .intercept else { return [] }
    let endpoints = tokenEndpoints.compactMap { endpoint in
      if case .host(let match) = endpoint { match } else { nil }
    }
    return matches + endpoints
  }
}

/// What it means if an upstream ends a TLS connection without announcing that in TLS (close_notify).
public enum TLSTruncation: String, Sendable, CaseIterable {
  /// A response that ends with the connection may have been cut off, and is incomplete.
  case reject
  /// It is complete: the server is an old one that never announces the end.
  case accept
}

/// A host or all hosts below a domain, and optionally a port and a path prefix, that a route takes.
public struct Match: Sendable, Hashable {
  /// A host name in lower case without a final dot, or an IP address in canonical form; IPv6 without brackets. For a wildcard,
  /// the domain after `*.`.
  public var host: String
  /// Whether it takes every host with at least one label in front of ``host``, instead of that one.
  public var isWildcard: Bool
  /// The port; nil if the match names none.
  public var port: UInt16?
  /// The path prefix as written; "" takes every path.
  public var path: String

  /// A match of these parts; nothing is checked.
  public init(host: String, port: UInt16? = nil, path: String = "", isWildcard: Bool = false) {
    self.host = host
    self.isWildcard = isWildcard
    self.port = port
    self.path = path
  }
}

extension Match {
  /// The port to which a tunnel's match allows CONNECT: 443 by default.
  public var tunnelPort: UInt16 { port ?? 443 }

  /// Whether a match with `port` takes requests to the port `asked`; one without a port takes the default ports of http and
  /// https.
  public static func port(_ port: UInt16?, takes asked: UInt16) -> Bool {
    port.map { $0 == asked } ?? (asked == 80 || asked == 443)
  }
}

extension Match: CustomStringConvertible {
  /// As written in proxy.conf: `acme.kinde.com/api/`, `[::1]:8443` or `*.acme.com`.
  public var description: String {
    "\(isWildcard ? "*." : "")\(bracketed(host))\(port.map { ":\($0)" } ?? "")\(path)"
  }
}
