internal import COpenSSL

extension TLSFailure {
  // Reasons of the library of TLS that are alerts of the peer begin here; the alert's number follows (ERR_peer_error_string).
  private static let alertOffset: Int32 = 1000

  /// The failure that OpenSSL noted, with the number of its reason and its words.
  ///
  /// - Parameter lacksHTTP11: whether the client offered protocols, and not that one.
  init(reason: (code: Int32, text: String), lacksHTTP11: Bool, certificateError: String?) {
    switch reason.code {
    case Self.alertOffset..<Self.alertOffset + 256:
      self.init(alert: reason.code - Self.alertOffset, reason.text)
    case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .plainHTTP
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_BAD_RECORD_TYPE, SSL_R_RECORD_LENGTH_MISMATCH, SSL_R_PACKET_LENGTH_TOO_LONG:
      self = .notTLS
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
      SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_VERSION_TOO_LOW,
      SSL_R_INAPPROPRIATE_FALLBACK:
      self = .incompatible(reason.text)
    case SSL_R_NO_APPLICATION_PROTOCOL where lacksHTTP11: self = .withoutHTTP11
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .certificateMissing
    case SSL_R_CERTIFICATE_VERIFY_FAILED: self = .certificateRefused(certificateError ?? reason.text)
    default: self = .broken(reason.text)
    }
  }

  private init(alert: Int32, _ text: String) {
    switch alert {
    case SSL_AD_BAD_CERTIFICATE: self = .distrusted(alert: "bad_certificate")
    case SSL_AD_UNSUPPORTED_CERTIFICATE: self = .distrusted(alert: "unsupported_certificate")
    case SSL_AD_CERTIFICATE_REVOKED: self = .distrusted(alert: "certificate_revoked")
    case SSL_AD_CERTIFICATE_EXPIRED: self = .distrusted(alert: "certificate_expired")
    case SSL_AD_CERTIFICATE_UNKNOWN: self = .distrusted(alert: "certificate_unknown")
    case SSL_AD_UNKNOWN_CA: self = .distrusted(alert: "unknown_ca")
    case SSL_AD_ACCESS_DENIED: self = .distrusted(alert: "access_denied")
    default: self = .broken("the client ended it with an alert (\(text))")
    }
  }
}
