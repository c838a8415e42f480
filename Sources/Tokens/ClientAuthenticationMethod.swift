/// How the client proves to the token endpoint who it is (RFC 6749, 2.3.1); the raw values are those of the
/// "OAuth Token Endpoint Authentication Methods" registry (RFC 7591, 2).
public enum ClientAuthenticationMethod: String, Hashable, Sendable, CaseIterable {
  /// Client id and secret as fields of the form.
  case clientSecretPost = "client_secret_post"
  /// Client id and secret, each form-encoded, as HTTP Basic credentials.
  case clientSecretBasic = "client_secret_basic"
}
