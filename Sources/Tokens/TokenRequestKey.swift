public import Secrets

/// Everything that tells one token request from another, the client secret aside: requests with equal keys get
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
  /// The resources that the token is for (RFC 8707), in ascending order, each once.
  public let resources: [String]
  /// Further form fields by name.
  public let parameters: [String: String]
  /// Further header fields by name, in lower case.
  public let headers: [String: Secret]
  /// Which way the connection is made, with which client certificate and through which proxy: a number that means
  /// something to the transport alone. Equal ways have equal numbers.
  public let way: Int
  /// The file of the client certificate, to which servers may bind tokens (RFC 8705); nil when there is none.
  public let certificateFile: String?

  /// A key; duplicates among `scopes` and `resources`, and empty ones, are dropped.
  public init(
    endpoint: String, clientID: String, authentication: ClientAuthenticationMethod, audience: String?,
    scopes: [String], resources: [String] = [], parameters: [String: String] = [:], headers: [String: Secret] = [:],
    way: Int = 0, certificateFile: String? = nil
  ) {
    self.endpoint = endpoint
    self.clientID = clientID
    self.authentication = authentication
    self.audience = audience
    self.scopes = Set(scopes).subtracting([""]).sorted()
    self.resources = Set(resources).subtracting([""]).sorted()
    self.parameters = parameters
    self.headers = headers
    self.way = way
    self.certificateFile = certificateFile
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
