internal import Configuration
internal import Secrets
internal import Tokens

extension TokenGrant {
  /// What a route asks the token endpoint of its credentials for.
  init(_ credentials: Credentials, _ route: Route, way: Int) {
    let key = TokenRequestKey(
      endpoint: credentials.tokenEndpoint.description, clientID: credentials.clientID,
      authentication: ClientAuthenticationMethod(credentials), audience: route.audience, scopes: route.scopes,
      resources: route.resources, parameters: credentials.additions.parameters, headers: credentials.additions.headers,
      way: way)
    let provider: TokenProvider = if case .kinde = credentials.provider { .kinde } else { .generic }
    self.init(
      key: key, clientSecret: credentials.clientSecret ?? Secret(""), credentialsName: credentials.name,
      provider: provider)
  }
}

extension ClientAuthenticationMethod {
  fileprivate init(_ credentials: Credentials) {
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
