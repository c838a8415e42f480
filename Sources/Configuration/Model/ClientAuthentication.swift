/// How a client proves to a token endpoint who it is (RFC 6749 section 2.3.1).
public enum ClientAuthentication: String, Sendable, CaseIterable {
  /// Id and secret as form fields of the body.
  case clientSecretPost = "client_secret_post"
  /// Id and secret, form-encoded, in an Authorization field of the Basic scheme.
  case clientSecretBasic = "client_secret_basic"
}
