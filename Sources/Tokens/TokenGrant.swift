public import Secrets

/// A client-credentials grant (RFC 6749, 4.4) as configured: what to ask for, with which secret.
public struct TokenGrant: Sendable {
  /// Everything that is sent but for the secret.
  public let key: TokenRequestKey
  /// The client secret: the one that the next request is made with; empty for a client that proves itself without one.
  public private(set) var clientSecret: Secret
  /// Where the secret is read anew before each fetch; nil for a secret that never changes.
  public let secrets: ClientSecrets?
  /// What all tokens of this client add up to.
  public let spending: TokenSpending
  /// The longest that a token is waited for, a second attempt included.
  public let timeout: Duration
  /// What may be told about this grant.
  public let summary: TokenRequestSummary

  /// A grant for `key`, authenticated by `clientSecret`; `credentialsName` and `provider` serve messages only.
  public init(
    key: TokenRequestKey, clientSecret: Secret, secrets: ClientSecrets? = nil,
    spending: TokenSpending = TokenSpending(), timeout: Duration = TokenHTTPRequest.longestWait,
    credentialsName: String, provider: TokenProvider
  ) {
    self.key = key
    self.clientSecret = clientSecret
    self.secrets = secrets
    self.spending = spending
    self.timeout = timeout
    summary = TokenRequestSummary(credentials: credentialsName, provider: provider, key: key)
  }

  /// Whether `other` sends the same bytes, the secret included, so that the two can share their tokens.
  func sendsTheSame(as other: TokenGrant) -> Bool {
    guard key == other.key else { return false }
    guard let secrets, let others = other.secrets else {
      return secrets == nil && other.secrets == nil && clientSecret == other.clientSecret
    }
    return secrets.isSame(as: others)
  }

  /// The secrets that the client has now, the one that is tried first in front. Reads small files.
  package func latestSecrets() -> [Secret] { secrets?.read().secrets.map(\.secret) ?? [clientSecret] }

  /// The same grant, authenticated by `secret`.
  func authenticated(by secret: Secret) -> TokenGrant {
    var grant = self
    grant.clientSecret = secret
    return grant
  }
}
