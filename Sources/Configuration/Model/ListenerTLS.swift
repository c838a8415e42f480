/// TLS of a listener: what it shows its clients, and what they have to show.
public struct ListenerTLS: Sendable, Hashable {
  /// The certificate, and the intermediate ones behind it, as PEM.
  public var certificateFile: String
  /// Its private key, as PEM.
  public var keyFile: String
  /// The authorities whose certificates clients may show, as PEM; nil where none is asked for.
  public var clientCAFile: String?
  /// The revocation lists by which those are checked, as PEM; nil where none is.
  public var clientCRLFile: String?
  /// Whether there is no connection without one of those.
  public var requiresClientCertificate: Bool

  /// TLS with these files; nothing is checked.
  public init(
    certificateFile: String, keyFile: String, clientCAFile: String? = nil, clientCRLFile: String? = nil,
    requiresClientCertificate: Bool = false
  ) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.clientCAFile = clientCAFile
    self.clientCRLFile = clientCRLFile
    self.requiresClientCertificate = requiresClientCertificate
  }
}
