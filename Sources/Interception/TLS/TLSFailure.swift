public import SystemPackage

/// Why a client and this server did not agree on TLS.
public enum TLSFailure: Error, Hashable, Sendable {
  /// The client says that it does not accept our certificate; the alert by its name in RFC 8446 section 6.
  case distrusted(alert: String)
  /// The client went away in the middle of the handshake, without a word: it closed or reset the connection.
  case closed
  /// The handshake took too long.
  case timedOut
  /// Too many other handshakes were under way until the time was over.
  case crowded
  /// What came is plain HTTP.
  case plainHTTP
  /// What came is not TLS.
  case notTLS
  /// The client speaks nothing newer than this, or wants ciphers that are not offered; OpenSSL's words.
  case incompatible(String)
  /// The client speaks HTTP/2 only.
  case withoutHTTP11
  /// The client has shown no certificate, and has to.
  case certificateMissing
  /// The client's certificate is not accepted; OpenSSL's words.
  case certificateRefused(String)
  /// This certificate of the client's chain has been revoked.
  case certificateRevoked(String)
  /// Whether the client's certificate has been revoked cannot be told; OpenSSL's words, and whose revocation list it takes.
  case revocationUnknown(String, issuer: String)
  /// Something else that TLS does not allow; OpenSSL's words.
  case broken(String)
  /// The connection failed.
  case system(Errno)

  /// Its name in the log and in metrics: one of a bounded number.
  public var kind: String {
    switch self {
    case .distrusted: "tls_distrusted"
    case .closed: "tls_closed"
    case .timedOut: "tls_timeout"
    case .crowded: "tls_crowded"
    case .plainHTTP, .notTLS: "tls_expected"
    case .incompatible, .withoutHTTP11: "tls_incompatible"
    case .certificateMissing, .certificateRefused: "tls_client_certificate"
    case .certificateRevoked: "tls_client_revoked"
    case .revocationUnknown: "tls_client_crl"
    case .broken, .system: "tls_broken"
    }
  }

  /// What happened, as a sentence.
  public var detail: String {
    switch self {
    case .distrusted(let alert): "The client does not accept the certificate that it was shown (\(alert))."
    case .closed: "The client closed the connection in the middle of the handshake."
    case .timedOut: "The client did not finish the handshake in time."
    case .crowded: "The handshake did not begin in time: too many others were under way."
    case .plainHTTP: "The client sent plain HTTP where TLS was expected."
    case .notTLS: "What the client sent is not TLS."
    case .incompatible(let reason): "The client offers nothing that is served here (\(reason))."
    case .withoutHTTP11: "The client offers HTTP/2 only, and HTTP/1.1 is what is served here."
    case .certificateMissing: "The client showed no certificate."
    case .certificateRefused(let reason): "The client's certificate is not accepted: \(reason)."
    case .certificateRevoked(let certificate):
      "The client's certificate is not accepted: \(certificate) has been revoked."
    case .revocationUnknown(let reason, let issuer):
      "The client's certificate is not accepted: whether \(issuer) has revoked it cannot be told (\(reason))."
    case .broken(let reason): "The handshake failed: \(reason)."
    case .system(let errno): "The connection failed in the middle of the handshake: \(errno)."
    }
  }
}
