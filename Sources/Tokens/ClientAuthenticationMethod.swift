/// How the client proves to the token endpoint who it is (RFC 6749, 2.3.1; RFC 7523; RFC 8705).
public enum ClientAuthenticationMethod: Hashable, Sendable {
  /// Client id and secret as fields of the form.
  case clientSecretPost
  /// Client id and secret, each form-encoded, as HTTP Basic credentials.
  case clientSecretBasic
  /// The client id, and an assertion that is signed with a private key (RFC 7523, 2.2).
  case privateKeyJWT(ClientAssertion)
  /// The client id alone: the certificate of the TLS connection says who the client is (RFC 8705, 2).
  case tlsClientAuth
}
