public import Cryptography

/// What the assertions of `private_key_jwt` are made of (RFC 7523 section 3).
public struct AssertionSettings: Sendable, Hashable {
  /// The PEM file of the private key.
  public var keyFile: String
  /// The name of the key at the server; nil when none is sent.
  public var keyID: String?
  /// The algorithm, one that the key is fit for; nil for the usual one of the key.
  public var algorithm: SignatureAlgorithm?
  /// Who the assertion is for.
  public var audience: String

  /// Settings of these parts; nothing is checked.
  public init(keyFile: String, keyID: String? = nil, algorithm: SignatureAlgorithm? = nil, audience: String) {
    self.keyFile = keyFile
    self.keyID = keyID
    self.algorithm = algorithm
    self.audience = audience
  }
}
