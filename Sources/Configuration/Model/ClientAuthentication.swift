/// How a client proves to a token endpoint who it is: RFC 6749 section 2.3.1, RFC 7523, RFC 8705.
public enum ClientAuthentication: String, Sendable, CaseIterable {
  /// Id and secret as form fields of the body.
  case clientSecretPost = "client_secret_post"
  /// Id and secret, form-encoded, in an Authorization field of the Basic scheme.
  case clientSecretBasic = "client_secret_basic"
  /// An assertion that is signed with the client's private key.
  case privateKeyJWT = "private_key_jwt"
  /// The certificate of the TLS connection, beside the client id.
  case tlsClientAuth = "tls_client_auth"

  /// Whether a client secret is sent.
  public var usesSecret: Bool { self == .clientSecretPost || self == .clientSecretBasic }
}
