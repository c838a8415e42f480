/// Whose tokens are counted together, in all processes that share a store.
public struct TokenAccount: Hashable, Sendable {
  /// The name of the credentials in proxy.conf.
  public let credentials: String
  /// The URL of the token endpoint.
  public let endpoint: String
  /// The client id.
  public let clientID: String

  /// An account made of its parts.
  public init(credentials: String, endpoint: String, clientID: String) {
    self.credentials = credentials
    self.endpoint = endpoint
    self.clientID = clientID
  }
}
