public import Secrets

/// What a connection needs beyond the address it leads to.
public struct ConnectionOptions: Hashable, Sendable {
  /// The certificate that is shown to a server that asks for one, over TLS.
  public var clientCertificate: ClientCertificate?
  /// The proxy that the connection is made through.
  public var parentProxy: ParentProxy?
  /// Whether a server that ends a TLS connection without close_notify is taken to have sent everything.
  public var acceptsTruncation: Bool

  /// Options of these parts; without any the connection is a direct one, from nobody in particular.
  public init(
    clientCertificate: ClientCertificate? = nil, parentProxy: ParentProxy? = nil, acceptsTruncation: Bool = false
  ) {
    self.clientCertificate = clientCertificate
    self.parentProxy = parentProxy
    self.acceptsTruncation = acceptsTruncation
  }
}

/// A client's certificate by its PEM files. They are read for each connection: renewed ones need no restart.
public struct ClientCertificate: Hashable, Sendable {
  /// The certificate, and the intermediate ones behind it.
  public let certificateFile: String
  /// Its private key.
  public let keyFile: String

  /// The certificate in these files.
  public init(certificateFile: String, keyFile: String) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
  }
}

/// An HTTP proxy that makes connections for others (CONNECT, RFC 9110 section 9.3.6).
public struct ParentProxy: Hashable, Sendable {
  /// A name, or an IP address without brackets.
  public let host: String
  /// The port.
  public let port: UInt16
  /// User and password with a colon between, for HTTP Basic; nil where the proxy asks for none.
  public let credentials: Secret?

  /// The proxy of these parts.
  public init(host: String, port: UInt16, credentials: Secret? = nil) {
    self.host = host
    self.port = port
    self.credentials = credentials
  }

  /// Host and port, as messages name the proxy.
  var name: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
