public import Cryptography

/// An application that the proxy knows by name, and how it knows it: any one of these is enough.
public struct Caller: Sendable {
  /// The name, which is also the user of its password; letters, digits, `.`, `_` and `-`, at most 64.
  public var name: String
  /// What its password makes.
  public var password: PasswordHash?
  /// What its certificate says.
  public var certificate: CertificateName?
  /// The user as which it comes to a Unix socket.
  public var uid: UInt32?

  /// A caller of this name that nothing identifies yet.
  public init(name: String, password: PasswordHash? = nil, certificate: CertificateName? = nil, uid: UInt32? = nil) {
    self.name = name
    self.password = password
    self.certificate = certificate
    self.uid = uid
  }
}
