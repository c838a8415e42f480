internal import COpenSSL
internal import Cryptography

extension TLSFailure {
  // Reasons of the library of TLS that are alerts of the peer begin here; the alert's number follows (ERR_peer_error_string).
  private static let alertOffset: Int32 = 1000

  /// The failure that OpenSSL noted, with the number of its reason and its words.
  ///
  /// - Parameters:
  ///   - lacksHTTP11: whether the client offered protocols, and not that one.
  ///   - verification: the result of verifying the client's certificate (`X509_V_ERR_...`).
  ///   - rejected: the certificate of the client's chain for which that is the result.
  init(reason: (code: Int32, text: String), lacksHTTP11: Bool, verification: Int32, rejected: Certificate?) {
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
    case SSL_R_CERTIFICATE_VERIFY_FAILED: self.init(verification: verification, rejected, reason.text)
    default: self = .broken(reason.text)
    }
  }

  private init(verification: Int32, _ rejected: Certificate?, _ text: String) {
    let words =
      verification == X509_V_OK
      ? text : unsafe X509_verify_cert_error_string(Int(verification)).map { unsafe String(cString: $0) } ?? text
    switch verification {
    case X509_V_ERR_CERT_REVOKED:
      self = .certificateRevoked(
        rejected.map {
          "\(Self.shortened($0.subject)) (serial number \(Self.shortened($0.serialNumber)), issued by "
            + "\(Self.shortened($0.issuer)))"
        } ?? "it")
    case X509_V_ERR_UNABLE_TO_GET_CRL, X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER,
      X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE, X509_V_ERR_CRL_SIGNATURE_FAILURE, X509_V_ERR_CRL_NOT_YET_VALID,
      X509_V_ERR_CRL_HAS_EXPIRED, X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD,
      X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, X509_V_ERR_KEYUSAGE_NO_CRL_SIGN,
      X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, X509_V_ERR_DIFFERENT_CRL_SCOPE, X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
      self = .revocationUnknown(words, issuer: rejected.map { Self.shortened($0.issuer) } ?? "its authority")
    default: self = .certificateRefused(words)
    }
  }

  // OpenSSL looks for a certificate in the lists before it verifies the signature: the text may be a stranger's.
  private static func shortened(_ text: String) -> String { text.utf8.count > 200 ? "\(text.prefix(200))…" : text }

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
