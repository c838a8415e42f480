internal import Interception

extension ErrorKind {
  /// Handshakes of clients: with a listener that is TLS itself, or inside an intercepted tunnel.
  enum ClientTLS: String, ErrorKindGroup {
    case distrusted = "tls_distrusted"
    case closed = "tls_closed"
    case timedOut = "tls_timeout"
    case crowded = "tls_crowded"
    case expected = "tls_expected"
    case version = "tls_version"
    case incompatible = "tls_incompatible"
    case certificate = "tls_client_certificate"
    case certificateRevoked = "tls_client_revoked"
    case revocationUnknown = "tls_client_crl"
    case broken = "tls_broken"

    var declaration: ErrorDeclaration {
      let (meaning, remedy) = texts
      return ErrorDeclaration(withoutResponse: .client, meaning: meaning, remedy: remedy)
    }

    private var texts: (meaning: String, remedy: String) {
      switch self {
      case .distrusted:
        (
          "The client does not accept the proxy's certificate: its authority, its names or its dates.",
          "Let the client trust the authority; for interception `m2m-proxy ca trust` says how."
        )
      case .closed:
        (
          "The client closed the connection during the handshake.",
          "If it always does, see `tls_distrusted`: some clients send no alert."
        )
      case .timedOut:
        (
          "The client did not finish the handshake within `timeouts.handshake`.",
          "Check the client and its network, or raise `timeouts.handshake`."
        )
      case .crowded:
        (
          "Too many handshakes were under way, or the client had half of them, or `limits.memory` was reached.",
          "Find out which clients do not finish their handshakes (`tls_timeout`), or raise `limits.handshakes`."
        )
      case .expected:
        (
          "The client sent plain HTTP, or something else, where TLS was expected.",
          "Use `https://` in the client's URL of the proxy, or a listener without `tls`."
        )
      case .version:
        (
          "The client offers only versions of TLS that are older than `minimum` says, 1.2 by default.",
          "Update the client, or set `minimum` in `tls` of the listener, or for tunnels in `interception`."
        )
      case .incompatible:
        (
          "The client offers no cipher or key exchange that the proxy supports, or only HTTP/2.",
          "Configure the client for ECDHE and HTTP/1.1; below TLS 1.2 it may need a certificate with an RSA key."
        )
      case .certificate:
        (
          "The client showed no certificate, or one that `client_ca` of the listener does not accept.",
          "Give the client a certificate of that authority; `detail` says what is wrong with this one."
        )
      case .certificateRevoked:
        (
          "The client's certificate, or an authority of it, is in a list of `client_crl`; `detail` names it.",
          "Give the client a new certificate."
        )
      case .revocationUnknown:
        (
          "`client_crl` has no current list of an authority of the client's chain; `detail` says of which.",
          "Put a current list of each authority, the root included, into the file of `client_crl`."
        )
      case .broken:
        ("The handshake failed in another way; `detail` says how.", "See the log of the client.")
      }
    }
  }
}

extension ExchangeError {
  /// The TLS handshake failed inside the tunnel to `host`; or, if that is "", with the listener.
  static func clientTLS(_ failure: TLSFailure, inside host: String) -> ExchangeError {
    ExchangeError(
      .clientTLS(failure.kind), detail: host.isEmpty ? failure.detail : failure.detail(inside: host),
      hint: failure.hint(inside: host))
  }
}

extension TLSFailure {
  fileprivate var kind: ErrorKind.ClientTLS {
    switch self {
    case .distrusted: .distrusted
    case .closed: .closed
    case .timedOut: .timedOut
    case .crowded: .crowded
    case .plainHTTP, .notTLS: .expected
    case .version, .oldForm: .version
    case .incompatible, .withoutHTTP11: .incompatible
    case .certificateMissing, .certificateRefused: .certificate
    case .certificateRevoked: .certificateRevoked
    case .revocationUnknown: .revocationUnknown
    case .broken, .system: .broken
    }
  }

  /// How to fix it, for the log; `host` is "" on a listener that is TLS itself.
  fileprivate func hint(inside host: String) -> String {
    switch self {
    case .distrusted:
      "give the client the authority of the listener's certificate, and a name or an address that is in it"
    case .closed:
      "if this happens every time, the client does not trust the listener's certificate, or expects another name in it"
    case .timedOut: "timeouts.handshake in proxy.conf says how long a handshake may take"
    case .crowded: "raise limits.handshakes, or find out which clients begin handshakes and do not finish them"
    case .plainHTTP, .notTLS: "write https:// where the client names the proxy, or let it use a listener without tls"
    case .version, .oldForm:
      "update the client, or lower \(Self.minimum(inside: host)) in proxy.conf; 1.0 is the lowest"
    case .incompatible:
      "the client has to offer ECDHE with AES or ChaCha20; one from before TLS 1.2 may need a certificate with an RSA "
        + "key (for interception: m2m-proxy ca init --key rsa-3072)"
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

  private static func minimum(inside host: String) -> String {
    host.isEmpty ? "tls.minimum of the listener" : "interception.minimum"
  }

  /// What happened in the tunnel to `host`, and how to fix it if that is known.
  fileprivate func detail(inside host: String) -> String {
    switch self {
    case .distrusted:
      "\(detail) \(host) is intercepted: let the application trust the proxy's certificate authority; "
        + "m2m-proxy ca trust says how."
    case .closed:
      "\(detail) \(host) is intercepted: if this happens every time, the application does not trust the proxy's certificate "
        + "authority; m2m-proxy ca trust says how to add it."
    case .version, .oldForm: "\(detail) interception.minimum in proxy.conf sets it."
    case .incompatible:
      "\(detail) A client that supports only RSA keys needs an authority made by m2m-proxy ca init --key rsa-3072."
    default: detail
    }
  }
}
