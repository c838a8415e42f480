internal import COpenSSL
internal import Cryptography
public import SystemPackage

/// Why the TLS handshake with a client failed.
public enum TLSFailure: Error, Hashable, Sendable {
  /// The client rejects our certificate; the alert's name in RFC 8446 section 6.
  case distrusted(alert: String)
  /// The client closed or reset the connection during the handshake, without an alert.
  case closed
  /// The handshake took too long.
  case timedOut
  /// Too many other handshakes were in progress until the time was over.
  case crowded
  /// The client sent plain HTTP.
  case plainHTTP
  /// The client sent something that is not TLS.
  case notTLS
  /// The client supports no version of TLS that is served: the newest that it offers, and the oldest that is served.
  case version(offered: String, minimum: String)
  /// The client may have sent a ClientHello in the form of SSL 2.0, which is served only with versions before TLS 1.2.
  case oldForm
  /// The client and the server have no cipher or key exchange in common; OpenSSL's message.
  case incompatible(String)
  /// The client supports only HTTP/2.
  case withoutHTTP11
  /// The client sent no certificate, but must.
  case certificateMissing
  /// The client's certificate is rejected; OpenSSL's message.
  case certificateRefused(String)
  /// This certificate of the client's chain has been revoked.
  case certificateRevoked(String)
  /// It is unknown whether the client's certificate was revoked; OpenSSL's message, and the issuer whose revocation list is
  /// needed.
  case revocationUnknown(String, issuer: String)
  /// Another violation of TLS; OpenSSL's message.
  case broken(String)
  /// The connection failed.
  case system(Errno)

  /// A sentence that describes the failure.
  public var detail: String {
    switch self {
    case .distrusted(let alert): "The client does not accept the certificate that it was shown (\(alert))."
    case .closed: "The client closed the connection in the middle of the handshake."
    case .timedOut: "The client did not finish the handshake in time."
    case .crowded: "The handshake did not begin in time: too many others were under way."
    case .plainHTTP: "The client sent plain HTTP where TLS was expected."
    case .notTLS: "What the client sent is not TLS."
    case .version(let offered, let minimum):
      "The client offers \(offered) at most, and \(minimum) is the oldest version that is served here."
    case .oldForm:
      "What the client sent is not TLS, or TLS as Java 6 and OpenSSL 0.9.8 begin it: in the form of SSL 2.0."
    case .incompatible(let reason): "The client offers nothing that is served here (\(reason))."
    case .withoutHTTP11: "The client offers HTTP/2 only, and HTTP/1.1 is what is served here."
    case .certificateMissing: "The client showed no certificate."
    case .certificateRefused(let reason): "The client's certificate is not accepted: \(reason)."
    case .certificateRevoked(let certificate):
      "The client's certificate is not accepted: \(certificate) has been revoked."
    case .revocationUnknown(let reason, let issuer):
      "The client's certificate is not accepted: it is unknown whether \(issuer) has revoked it (\(reason))."
    case .broken(let reason): "The handshake failed: \(reason)."
    case .system(let errno): "The connection failed in the middle of the handshake: \(errno)."
    }
  }
}

extension TLSFailure {
  // Reason codes from here on are alerts of the peer, plus the alert's number (ERR_peer_error_string).
  private static let alertOffset: Int32 = 1000

  /// Translates the failure that OpenSSL reported, with the code and text of its reason.
  ///
  /// - Parameters:
  ///   - versions: the numbers of the newest version of TLS that the client offers, and of the oldest that is served.
  ///   - lacksHTTP11: whether the client offered protocols by ALPN, but not HTTP/1.1.
  ///   - verification: the result of verifying the client's certificate (`X509_V_ERR_...`).
  ///   - rejected: the certificate of the client's chain that has this result.
  init(
    reason: (code: Int32, text: String), versions: (offered: Int32, minimum: Int32), lacksHTTP11: Bool,
    verification: Int32, rejected: Certificate?
  ) {
    switch reason.code {
    case Self.alertOffset..<Self.alertOffset + 256:
      self.init(alert: reason.code - Self.alertOffset, reason.text)
    case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .plainHTTP
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_BAD_RECORD_TYPE, SSL_R_RECORD_LENGTH_MISMATCH, SSL_R_PACKET_LENGTH_TOO_LONG:
      self = .notTLS
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW:
      self = .version(offered: Self.versionName(versions.offered), minimum: Self.versionName(versions.minimum))
    case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SUITABLE_KEY_SHARE,
      SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_INAPPROPRIATE_FALLBACK:
      self = .incompatible(reason.text)
    case SSL_R_NO_APPLICATION_PROTOCOL where lacksHTTP11: self = .withoutHTTP11
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .certificateMissing
    case SSL_R_CERTIFICATE_VERIFY_FAILED: self.init(verification: verification, rejected, reason.text)
    default: self = .broken(reason.text)
    }
  }

  private static func versionName(_ number: Int32) -> String {
    if let version = TLSVersion.allCases.first(where: { $0.number == number }) { return "TLS \(version.rawValue)" }
    return number == SSL3_VERSION ? "SSL 3.0" : "an unknown version"
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

  // OpenSSL looks up a certificate in the lists before it verifies the signature: the text may come from an unknown client.
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
