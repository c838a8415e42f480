public import Secrets

/// What a connection needs beyond the address it leads to.
public struct ConnectionOptions: Hashable, Sendable {
  /// The certificate that is shown to a server that asks for one, over TLS.
  public var clientCertificate: CertificateFiles?
  /// The proxy that the connection is made through.
  public var parentProxy: ParentProxy?
  /// Whether a server that ends a TLS connection without close_notify is taken to have sent everything.
  public var acceptsTruncation: Bool
  /// Which authorities the server's certificate is verified against, over TLS. What one trust has verified is not used
  /// for another: pools, sessions and ways to token endpoints differ by it.
  public var trust: TrustSettings
  /// How long the connection is kept, and how it is made.
  public var policy: ConnectionPolicy

  /// Options of these parts; without any the connection is direct, shows no certificate, and trusts the system's
  /// authorities.
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
  /// Whether a connection serves further requests after the one that it was made for.
  public var isReused = true
  /// An unused connection is kept this long.
  public var idle: Duration = .seconds(30)
  /// A connection that is older serves no further request; nil for any age.
  public var maxAge: Duration? = .seconds(600)
  /// How many requests a connection serves; nil for any number.
  public var maxRequests: Int?
  /// How many addresses a request tries until there is a connection.
  public var connectAttempts = 3
  /// How long the addresses of a name are used before it is resolved again.
  public var dnsRefresh: Duration = .seconds(30)

  /// The defaults.
  public init() {}

  /// None of it: origins are hashed with each request below a wildcard, and few of them differ by their policy alone.
  public func hash(into hasher: inout Hasher) {}
}

/// Which certificate authorities a server is verified against.
public struct TrustSettings: Hashable, Sendable {
  /// A PEM file of authorities; it is read again when it changes. Nil for those of the system alone.
  public var caFile: String?
  /// Whether the system's authorities are trusted too, beside those of ``caFile``.
  public var addsSystemRoots: Bool

  /// Trust in what `caFile` contains, or in the system's authorities; nothing is checked.
  public init(caFile: String? = nil, addsSystemRoots: Bool = false) {
    self.caFile = caFile
    self.addsSystemRoots = addsSystemRoots
  }

  /// Little of it: origins are hashed with each request below a wildcard, and few of them differ by their trust alone.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(addsSystemRoots)
  }
}

/// A certificate and its private key by their PEM files. They are read for each connection: renewed ones need no restart.
public struct CertificateFiles: Hashable, Sendable {
  /// The certificate, and the intermediate ones behind it.
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
  /// User and password with a colon between, for HTTP Basic; nil where the proxy asks for none.
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
