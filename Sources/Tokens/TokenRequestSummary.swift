/// What may be told about a token request: for log lines, problem bodies and hints. Never a secret.
public struct TokenRequestSummary: Hashable, Sendable {
  /// The name of the credentials in proxy.conf.
  public let credentials: String
  /// Whose token endpoint it is.
  public let provider: TokenProvider
  /// Host, and port where one is written, of the token endpoint.
  public let endpointHost: String
  /// How the client authenticates.
  public let authentication: ClientAuthenticationMethod
  /// The API that the token is for, when the request names one.
  public let audience: String?
  /// The resources that the token is for (RFC 8707), in ascending order.
  public let resources: [String]
  /// The scopes asked for, in ascending order.
  public let scopes: [String]

  /// The parts of `key` that may be told, with the names that a person knows them by.
  public init(credentials: String, provider: TokenProvider, key: TokenRequestKey) {
    self.credentials = credentials
    self.provider = provider
    endpointHost = key.endpointHost
    authentication = key.authentication
    audience = key.audience
    resources = key.resources
    scopes = key.scopes
  }
}
