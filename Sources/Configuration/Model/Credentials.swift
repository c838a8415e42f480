public import Secrets

/// A client of an authorization server: what the proxy gets tokens as.
public struct Credentials: Sendable {
  /// The kind of authorization server.
  public enum Provider: Sendable, Hashable {
    /// Kinde, with its domain such as `acme.kinde.com`.
    case kinde(domain: String)
    /// Any server that knows the client credentials grant (RFC 6749 section 4.4).
    case generic
  }

  /// The name routes refer to; letters, digits, `.`, `_` and `-`, at most 64.
  public var name: String
  /// The kind of authorization server.
  public var provider: Provider
  /// Where tokens are asked for.
  public var tokenEndpoint: URLParts
  /// The client id; printable ASCII.
  public var clientID: String
  /// The client secret, as it was when proxy.conf was loaded; nil when ``authentication`` needs none.
  public var clientSecret: Secret?
  /// Where the client secret came from.
  public var clientSecretSource: SecretSource?
  /// The secret that was in use before a rotation, and where it came from; nil when there is none.
  public var previousClientSecret: (secret: Secret, source: SecretSource)?
  /// How many tokens there may be; nil for as many as are needed.
  public var budget: CredentialsBudget?
  /// The longest that a token is waited for from the token endpoint, a second attempt included.
  public var timeout = Duration.seconds(10)
  /// How the client authenticates.
  public var authentication: ClientAuthentication
  /// What assertions are made of, for ``ClientAuthentication/privateKeyJWT``.
  public var assertion: AssertionSettings?
  /// The resources of routes that name none (RFC 8707).
  public var resources: [String] = []
  /// What token requests carry beyond that.
  public var additions = TokenRequestAdditions()
  /// The certificate that is shown to the token endpoint.
  public var clientCertificate: ClientCertificate?
  /// The proxy that the token endpoint is reached through; nil for none.
  public var parentProxy: ParentProxy?
  /// The audience of routes that name none; nil when there is no default.
  public var audience: String?

  /// Credentials of these parts; nothing is checked.
  public init(
    name: String, provider: Provider, tokenEndpoint: URLParts, clientID: String, clientSecret: Secret?,
    clientSecretSource: SecretSource?, authentication: ClientAuthentication = .clientSecretPost, audience: String? = nil
  ) {
    self.name = name
    self.provider = provider
    self.tokenEndpoint = tokenEndpoint
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.clientSecretSource = clientSecretSource
    self.authentication = authentication
    self.audience = audience
  }
}
