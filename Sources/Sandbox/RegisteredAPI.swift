/// An API as it is registered in Kinde (step 2 of the quick start), with the scopes that are defined on it (step 4).
public struct RegisteredAPI: Sendable, Equatable {
  /// The identifier: what tokens for it have as their audience. It need not be a URL.
  public let audience: String
  /// The scopes that are defined on it.
  public let scopes: [String]

  /// An API of these parts.
  public init(audience: String, scopes: [String]) {
    self.audience = audience
    self.scopes = scopes
  }
}
