/// Everything that tells one token request from another, the secret aside: requests with equal keys get
/// interchangeable tokens.
public struct TokenRequestKey: Hashable, Sendable {
  /// The URL of the token endpoint.
  public let endpoint: String
  /// The client id.
  public let clientID: String
  /// How the client authenticates.
  public let authentication: ClientAuthenticationMethod
  /// The API that the token is for, when the request names one.
  public let audience: String?
  /// The scopes in ascending order, each once: their order in proxy.conf makes no difference.
  public let scopes: [String]
  /// Further form fields by name.
  public let parameters: [String: String]

  /// A key; duplicates among `scopes`, and empty ones, are dropped.
  public init(
    endpoint: String, clientID: String, authentication: ClientAuthenticationMethod, audience: String?,
    scopes: [String], parameters: [String: String] = [:]
  ) {
    self.endpoint = endpoint
    self.clientID = clientID
    self.authentication = authentication
    self.audience = audience
    self.scopes = Set(scopes).subtracting([""]).sorted()
    self.parameters = parameters
  }

  /// Host, and port where one is written, of the token endpoint: what messages call it by.
  public var endpointHost: String {
    var rest = Substring(endpoint)
    if let colon = rest.firstIndex(of: ":"), rest[colon...].hasPrefix("://") { rest = rest[colon...].dropFirst(3) }
    rest = rest.prefix { !"/?#".contains($0) }
    if let user = rest.lastIndex(of: "@") { rest = rest[rest.index(after: user)...] }
    return String(rest)
  }
}
