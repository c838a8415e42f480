import Cryptography
import Secrets

extension Credentials {
  /// How a client authenticates, and what it needs for that.
  struct Proof {
    var authentication = ClientAuthentication.clientSecretPost
    var secret: (secret: Secret, source: SecretSource)?
    var previousSecret: (secret: Secret, source: SecretSource)?
    var key: Key?
    var certificate: ClientCertificate?

    /// The settings of `private_key_jwt`.
    struct Key {
      let file: String
      let id: String?
      let algorithm: SignatureAlgorithm?
      let audience: String?
    }
  }

  private static let keySettings = ["private_key", "key_id", "signing_algorithm", "assertion_audience"]

  /// Reads how the client authenticates; nil after a problem was noted.
  static func readProof(_ section: Section) -> Proof? {
    let given = section["authentication"]
    let authentication = given?.value(Format<ClientAuthentication>.choice())
    let secretSetting = section["client_secret"]
    let previousSetting = section["client_secret_previous"]
    let keySettings = keySettings.compactMap { section[$0] }
    let certificateSetting = section["client_certificate"]
    let certificate = certificateSetting.map(ClientCertificate.read)
    guard given == nil || authentication != nil else { return nil }
    var proof = Proof()
    proof.authentication = authentication ?? .clientSecretPost
    proof.certificate = certificate ?? nil
    if proof.authentication != .privateKeyJWT {
      for setting in keySettings { setting.complain("is for authentication: private_key_jwt") }
    }
    if proof.authentication.usesSecret {
      guard let setting = section.required("client_secret", ClientSecretSetting.expected),
        let secret = ClientSecretSetting.read(setting)
      else { return nil }
      proof.secret = secret
      proof.previousSecret = previousSetting.flatMap { ClientSecretSetting.read($0) }
    } else {
      for setting in [secretSetting, previousSetting].compactMap(\.self) {
        setting.complain("is not sent with authentication: \(proof.authentication.rawValue); take it out")
      }
    }
    if proof.authentication == .tlsClientAuth, certificateSetting == nil {
      section.missing("client_certificate", "it must be \(ClientCertificate.expected)")
    }
    if proof.authentication == .privateKeyJWT {
      guard let key = readKey(section) else { return nil }
      proof.key = key
    }
    return proof
  }

  private static func readKey(_ section: Section) -> Proof.Key? {
    let id = section.value("key_id", .line("the key's name at the authorization server"))
    let algorithmSetting = section["signing_algorithm"]
    let algorithm = algorithmSetting?.value(Format<SignatureAlgorithm>.choice())
    let audience = section.value("assertion_audience", .line("what the authorization server calls itself"))
    guard let setting = section.required("private_key", "{ file: PATH } of a PEM file"),
      let (key, file) = PrivateKeySetting.read(setting)
    else { return nil }
    guard let first = key.algorithms.first else {
      let known = "RSA from 2048 bits and P-256 can be used"
      setting.complain("is a key (\(key.kind)) that cannot sign assertions; \(known)")
      return nil
    }
    if let algorithm, !key.algorithms.contains(algorithm) {
      let fit = alternatives(key.algorithms.map(\.rawValue))
      algorithmSetting?.complain("is \(algorithm.rawValue), but the key is \(key.kind), which signs with \(fit)")
      return nil
    }
    return Proof.Key(file: file, id: id, algorithm: algorithm ?? first, audience: audience)
  }
}
