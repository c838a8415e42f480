public import Outbound

/// Which requests are forwarded, where, and with which token.
public struct Route: Sendable {
  /// The name, unique; letters, digits, `.`, `_` and `-`, at most 64.
  public var name: String
  /// The absolute-form targets that the route takes; may be empty when there is a mount.
  public var matches: [Match]
  /// The path under which base-URL clients find the route, without a slash at its end; "" takes every path.
  public var mount: String?
  /// Where requests go; nil where each goes by https to the host that it names, which one of the matches takes, and for a
  /// tunnel.
  public var upstream: Origin?
  /// What is put before the path of every request: "", or a path such as `/base` without a slash at its end.
  public var upstreamBasePath: String
  /// What it gets its tokens with.
  public var credentials: CredentialsChoice
  /// The audience to ask a token for; nil when none is named in the token request.
  public var audience: String?
  /// The resources to ask a token for (RFC 8707); empty when none are named in the token request.
  public var resources: [String] = []
  /// The scopes to ask a token for; empty when none are named in the token request.
  public var scopes: [String]
  /// The lines of proxy.conf that say what its tokens are for, by the names of settings, and where the route begins.
  public var lines: (settings: [String: Int], start: Int)?
  /// How it serves CONNECT, which for ``TunnelMode/blind`` is all that it serves; nil where it does not.
  public var tunnel: TunnelMode?
  /// Where the proxy itself answers token requests of the route's applications.
  public var tokenEndpoints: [LocalTokenEndpoint] = []
  /// Where the token goes.
  public var tokenField = TokenField()
  /// What becomes of its requests while there is no token.
  public var withoutToken = WithoutToken.refuse
  /// The timeouts of proxy.conf with the route's own put over them.
  public var timeouts: Timeouts
  /// How connections to the upstream are made, and how long they are kept.
  public var connections = ConnectionPolicy()
  /// The certificate that is shown to the upstream.
  public var clientCertificate: CertificateFiles?
  /// The proxy that the upstream is reached through; nil for none.
  public var parentProxy: ParentProxy?
  /// Which authorities the upstream is verified against.
  public var trust = TrustSettings()
  /// What an end of the upstream's TLS connection without close_notify means.
  public var tlsTruncation = TLSTruncation.reject
  /// What it serves of the requests that match it.
  public var rules: RouteRules
  /// Bytes of a request's content; nil for no limit.
  public var body: Int?
  /// When its requests are sent again.
  public var replay = ReplayRules()
  /// What else is set for its requests.
  public var requests = RequestSettings()
  /// Which of its requests get a line in the access log.
  public var access = AccessLogging.on
  /// How many of its requests are under way at once; nil for no limit.
  public var concurrency: Concurrency?
  /// The part of its upstream's connections that one client may use; nil for all of them.
  public var clientShare: ClientShare?
  /// Whether its upstream ignores the case of paths.
  public var ignoresPathCase = false
  /// Whether the hosts that a wildcard takes, or that a tunnel leads to, may be on private networks, or on this machine.
  /// It says nothing of addresses that are written out, and without wildcards and with an upstream nothing at all.
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
  /// The hosts and ports to which CONNECT ends at the proxy: of what it takes, and of its token endpoints.
  public var interceptedMatches: [Match] {
    guard tunnel == .intercept else { return [] }
    let endpoints = tokenEndpoints.compactMap { endpoint in
      if case .host(let match) = endpoint { match } else { nil }
    }
    return matches + endpoints
  }
}

/// What it means when an upstream ends a TLS connection without saying so in TLS (close_notify).
public enum TLSTruncation: String, Sendable, CaseIterable {
  /// A response whose end is the connection's may have been cut off, and is incomplete.
  case reject
  /// It is complete: the server is an old one that never says so.
  case accept
}

/// A host or the hosts below a domain, and possibly a port and the beginning of a path, that a route takes.
public struct Match: Sendable, Hashable {
  /// A host name in lower case without a dot at its end, or an IP address in canonical form; IPv6 without brackets.
  /// Of a wildcard, the domain behind `*.`.
  public var host: String
  /// Whether it takes every host that has one label or more in front of ``host``, instead of that one.
  public var isWildcard: Bool
  /// The port; nil when the match names none.
  public var port: UInt16?
  /// What the path begins with, as written; "" takes every path.
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
  /// The port to which a match of a tunnel lets CONNECT lead: 443 where it names none.
  public var tunnelPort: UInt16 { port ?? 443 }

  /// Whether a match with `port` takes requests to the port `asked`; one without takes those that http and https have by
  /// themselves.
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
