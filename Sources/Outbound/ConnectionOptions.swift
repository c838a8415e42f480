public import Secrets

/// What a connection needs beyond the address it leads to.
public struct ConnectionOptions: Hashable, Sendable {
  /// The certificate for a server that requests one, over TLS.
  public var clientCertificate: CertificateFiles?
  /// The proxy that the connection is made through.
  public var parentProxy: ParentProxy?
  /// Whether a TLS connection that the server ends without close_notify counts as complete.
  public var acceptsTruncation: Bool
  /// The authorities that verify the server's certificate, over TLS. Connections with different trust share nothing: neither
  /// pools nor sessions nor connections to token endpoints.
  public var trust: TrustSettings
  /// How long the connection is kept, and how it is made.
  public var policy: ConnectionPolicy

  /// Options of these parts. The default is a direct connection without a certificate that trusts the system's authorities.
  public init(
    clientCertificate: CertificateFiles? = nil, parentProxy: ParentProxy? = nil, acceptsTruncation: Bool = false,
    trust: TrustSettings = TrustSettings(), policy: ConnectionPolicy = ConnectionPolicy()
  ) {
    self.clientCertificate = clientCertificate
    self.parentProxy = parentProxy
    self.acceptsTruncation = acceptsTruncation
    self.trust = trust
    self.policy = policy
  }
}

/// How connections to a server are made, and how long they are kept.
public struct ConnectionPolicy: Hashable, Sendable {
  /// Whether a connection serves further requests after its first one.
  public var isReused = true
  /// How long an unused connection is kept.
  public var idle: Duration = .seconds(30)
  /// A connection older than this serves no further request; nil for any age.
  public var maxAge: Duration? = .seconds(600)
  /// How many requests a connection serves; nil for any number.
  public var maxRequests: Int?
  /// How many addresses a request tries.
  public var connectAttempts = 3
  /// How long the addresses of a name are used before it is resolved again.
  public var dnsRefresh: Duration = .seconds(30)

  /// The defaults.
  public init() {}

  /// Hashes nothing: origins are hashed with each request below a wildcard, and few of them differ only in their policy.
  public func hash(into hasher: inout Hasher) {}
}

/// The certificate authorities that verify a server.
public struct TrustSettings: Hashable, Sendable {
  /// A PEM file of authorities; it is read again when it changes. Nil for only those of the system.
  public var caFile: String?
  /// Whether to trust the system's authorities in addition to those of ``caFile``.
  public var addsSystemRoots: Bool

  /// Trusts the authorities in `caFile`, or those of the system; nothing is checked.
  public init(caFile: String? = nil, addsSystemRoots: Bool = false) {
    self.caFile = caFile
    self.addsSystemRoots = addsSystemRoots
  }

  /// Hashes little: origins are hashed with each request below a wildcard, and few of them differ only in their trust.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(addsSystemRoots)
  }
}

/// The PEM files of a certificate and its private key. They are read for each connection: renewed ones need no restart.
public struct CertificateFiles: Hashable, Sendable {
  /// The certificate, followed by the intermediate ones.
  public var certificateFile: String
  /// Its private key.
  public var keyFile: String

  /// The certificate in these files; nothing is checked.
  public init(certificateFile: String, keyFile: String) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
  }
}

/// An HTTP proxy that connections are made through (CONNECT, RFC 9110 section 9.3.6).
public struct ParentProxy: Hashable, Sendable {
  /// A name, or an IP address; IPv6 without brackets.
  public var host: String
  /// The port.
  public var port: UInt16
  /// User and password, separated by a colon, for HTTP Basic; nil if the proxy requires none.
  public var credentials: Secret?

  /// The proxy of these parts; nothing is checked.
  public init(host: String, port: UInt16, credentials: Secret? = nil) {
    self.host = host
    self.port = port
    self.credentials = credentials
  }
}

extension ParentProxy: CustomStringConvertible {
  /// Host and port: `proxy.example:3128`, `[::1]:3128`.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
