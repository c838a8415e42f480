public import Secrets

/// What a token request carries beyond what the standard asks for.
public struct TokenRequestAdditions: Sendable {
  /// Form fields by name.
  public var parameters: [String: String] = [:]
  /// The values of header fields by name, in lower case.
  public var headers: [String: Secret] = [:]

  /// Nothing.
  public init() {}
}
