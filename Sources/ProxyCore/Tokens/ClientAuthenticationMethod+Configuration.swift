internal import Configuration
internal import Tokens

extension ClientAuthenticationMethod {
  /// How the client of `credentials` authenticates.
  init(_ credentials: Credentials) {
    switch (credentials.authentication, credentials.assertion) {
    case (.clientSecretBasic, _):
      self = .clientSecretBasic
    case (.privateKeyJWT, let assertion?):
      self = .privateKeyJWT(
        ClientAssertion(
          keyFile: assertion.keyFile, keyID: assertion.keyID, algorithm: assertion.algorithm,
          audience: assertion.audience))
    case (.privateKeyJWT, nil):
      preconditionFailure("private_key_jwt is configured with a key")
    case (.tlsClientAuth, _):
      self = .tlsClientAuth
    case (.clientSecretPost, _):
      self = .clientSecretPost
    }
  }
}
