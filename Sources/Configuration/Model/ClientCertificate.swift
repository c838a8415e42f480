/// A client's certificate for TLS by its PEM files (RFC 8705).
public struct ClientCertificate: Sendable, Hashable {
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
