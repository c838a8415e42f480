internal import Interception

extension TLSFailure {
  /// How to fix it, for the log, on a listener that is TLS itself.
  var hint: String {
    switch self {
    case .distrusted:
      "give the client the authority of the listener's certificate, and a name or an address that is in it"
    case .closed:
      "if it is always so, the client does not trust the listener's certificate, or expects another name in it"
    case .timedOut: "timeouts.handshake in proxy.conf says how long a handshake may take"
    case .crowded: "raise limits.handshakes, or find out which clients begin handshakes and do not finish them"
    case .plainHTTP, .notTLS: "write https:// where the client names the proxy, or let it use a listener without tls"
    case .incompatible: "TLS 1.3 is needed, or TLS 1.2 with ECDHE and AES or ChaCha20"
    case .withoutHTTP11: "let the client speak HTTP/1.1 here"
    case .certificateMissing:
      "client_certificates of the listener is required: give the client a certificate and its key"
    case .certificateRefused: "client_ca of the listener must hold the authority of the client's certificate"
    case .certificateRevoked:
      "give the client a new certificate; client_crl of the listener says which ones are revoked"
    case .revocationUnknown:
      "client_crl of the listener must hold a current list of each authority of the chain, the root included; it is "
        + "read again when it changes"
    case .broken, .system: "the client's own log may say more"
    }
  }
}
