/// The certificate authority with which TLS is ended on routes that say so.
public struct InterceptionSettings: Sendable, Hashable {
  /// The PEM file of its certificate, with intermediate ones behind it.
  public var certificateFile: String
  /// The PEM file of its private key.
  public var keyFile: String
  /// How long the certificates that it issues for hosts are good for.
  public var leafLifetime = defaultLeafLifetime
  /// Where proxy.conf names the certificate, or where the section begins that does not.
  public var certificatePlace = SettingPlace(path: "interception.ca_certificate")
  /// Where proxy.conf names the key, or where the section begins that does not.
  public var keyPlace = SettingPlace(path: "interception.ca_key")

  /// An authority in these files; nothing is checked.
  public init(certificateFile: String = defaultCertificateFile, keyFile: String = defaultKeyFile) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
  }

  /// Where the certificate is when proxy.conf does not say: in a directory beside it.
  public static let defaultCertificateFile = "ca/ca.pem"
  /// Where the key is when proxy.conf does not say.
  public static let defaultKeyFile = "ca/ca.key"
  /// A week: only programs see these certificates, and new ones cost nothing.
  public static let defaultLeafLifetime = CertificateLifetime.days(7)
}
