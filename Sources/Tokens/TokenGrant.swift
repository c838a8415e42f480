public import Secrets

/// A client-credentials grant (RFC 6749, 4.4) as configured: what to ask for, with which secret.
public struct TokenGrant: Sendable {
  /// Everything that is sent but for the secret.
  public let key: TokenRequestKey
  /// The client secret; empty for a client that proves itself without one.
  public let clientSecret: Secret
  /// What may be told about this grant.
  public let summary: TokenRequestSummary

  /// A grant for `key`, authenticated by `clientSecret`; `credentialsName` and `provider` serve messages only.
  public init(key: TokenRequestKey, clientSecret: Secret, credentialsName: String, provider: TokenProvider) {
    self.key = key
    self.clientSecret = clientSecret
    summary = TokenRequestSummary(credentials: credentialsName, provider: provider, key: key)
  }

  /// Whether `other` sends the same bytes, the secret included, so that the two can share their tokens.
  func sendsTheSame(as other: TokenGrant) -> Bool {
    key == other.key && clientSecret == other.clientSecret
  }
}
