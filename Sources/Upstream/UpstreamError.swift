internal import CCurl
internal import Glibc
internal import Reactor
internal import SystemPackage

/// Why there is no connection to an upstream or a token endpoint, or why it ended.
public enum UpstreamError: Error, Equatable, Sendable {
  /// The name could not be resolved.
  case dns(String)
  /// No process accepts connections at the address, or there is no route to it.
  case connect(String)
  /// The name resolves only to addresses that no connection may be made to.
  case prohibited(String)
  /// The name resolves to a private network or to this machine, which this host must not.
  case privateAddress(String)
  /// The name resolves to a listener of this very process.
  case ownListener(String)
  /// Connecting took longer than allowed.
  case connectTimeout(String)
  /// The server's certificate is not one that this proxy trusts for that name.
  case certificate(String)
  /// Our own certificate, or its key, cannot be used.
  case clientCertificate(String)
  /// There is no connection to the parent proxy, or it does not speak HTTP on it.
  case parentProxy(String)
  /// The parent proxy responded to CONNECT with this status instead of a connection.
  case parentProxyRefusal(String, status: Int)
  /// The server ended TLS with this alert.
  case alert(TLSAlert)
  /// The TLS handshake failed otherwise.
  case tls(String)
  /// All connections that may be open to this upstream are in use, and too many requests wait for one.
  case exhausted
  /// The client of the request uses as many connections to this upstream as one client may; or too many requests wait
  /// for one, most of them from this client.
  case clientShare
  /// The process or the machine has no descriptor, or no memory, for another connection.
  case noDescriptors
  /// The connection failed after it was made.
  case broken(String)
  /// The response has a content coding, and its body does not follow that coding.
  case undecodable(String)
  /// The server sent something else than HTTP/1 instead of a response.
  case notHTTP(ForeignProtocol)
  /// libcurl or the system failed in another way.
  case other(String)
}

extension UpstreamError: CustomStringConvertible {
  /// What happened, as a sentence without its full stop.
  public var description: String {
    switch self {
    case .dns(let detail), .connect(let detail), .connectTimeout(let detail), .certificate(let detail),
      .prohibited(let detail), .privateAddress(let detail), .ownListener(let detail),
      .tls(let detail), .broken(let detail), .other(let detail), .clientCertificate(let detail),
      .parentProxy(let detail), .parentProxyRefusal(let detail, _), .undecodable(let detail):
      detail
    case .alert(let alert): "the server refused the TLS connection with the alert \(alert)"
    case .notHTTP(.http2): "the server responds with HTTP/2 without negotiating it"
    case .notHTTP(.tls): "the server responds with TLS, which the URL does not ask for"
    case .notHTTP(.unknown): "the server responds with something that is not HTTP"
    case .exhausted: "all connections to the upstream are in use"
    case .clientShare: "this client has as many requests under way as one client may"
    case .noDescriptors: "no file descriptor is left for another connection"
    }
  }
}

extension UpstreamError {
  /// The error for a transfer that ended with `code`; `detail` is what libcurl wrote about it, if anything.
  init(_ code: CURLcode, detail: String) {
    let text = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
    self =
      switch code {
      case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .dns(text)
      case CURLE_COULDNT_CONNECT: .connect(text)
      case CURLE_OPERATION_TIMEDOUT: .connectTimeout(text)
      case CURLE_PEER_FAILED_VERIFICATION: .certificate(text)
      case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER, CURLE_SSL_CERTPROBLEM, CURLE_SSL_ISSUER_ERROR,
        CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CACERT_BADFILE:
        .tls(text)
      case CURLE_BAD_CONTENT_ENCODING: .undecodable(text)
      // Our own callbacks can refuse data too, which HTTPClient handles; otherwise libcurl's decoder found more than it
      // expected.
      case CURLE_WRITE_ERROR: .undecodable("it goes on behind the end of what was encoded")
      case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE: .broken(text)
      default: .other(text)
      }
  }
}

/// A TLS alert (RFC 8446 section 6) with which a server says why there is no connection.
public struct TLSAlert: Hashable, Sendable {
  /// Its number.
  public let number: UInt8

  /// The alert of this number.
  public init(_ number: UInt8) { self.number = number }

  /// What it is about, as far as it concerns the operator of a client.
  public enum Subject: Sendable {
    /// The server wants a certificate from the client, and got none.
    case missingCertificate
    /// The server does not accept the certificate that the client sent.
    case certificate
    /// The sides have no cipher suite, group or signature in common; in TLS 1.2 also: a certificate is missing.
    case parameters
    /// The sides have no version of TLS in common.
    case version
    /// The server has no certificate for the host that the client named (SNI).
    case host
    /// The server speaks none of the protocols that the client offered (ALPN).
    case applicationProtocol
    /// Something else.
    case other
  }

  /// What it is about.
  public var subject: Subject {
    switch number {
    case 116: .missingCertificate
    case 41...46, 48, 49, 51: .certificate
    case 40, 47, 71: .parameters
    case 70: .version
    case 112: .host
    case 120: .applicationProtocol
    default: .other
    }
  }
}

extension TLSAlert: CustomStringConvertible {
  /// Its name in IANA's registry, and its number: `certificate_required (116)`.
  public var description: String { Self.names[number].map { "\($0) (\(number))" } ?? "\(number)" }

  private static let names: [UInt8: String] = [
    10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 115: "unknown_psk_identity", 116: "certificate_required",
    120: "no_application_protocol",
  ]
}

/// What a server speaks if it does not respond with HTTP/1.
public enum ForeignProtocol: Hashable, Sendable {
  /// HTTP/2 frames: the server expects a client that begins with HTTP/2, without TLS (h2c by prior knowledge).
  case http2
  /// Records of TLS.
  case tls
  /// Something else.
  case unknown

  /// How many bytes are enough to tell what it is.
  static let longestSign = 9

  /// The protocol of what begins with `bytes`, of which there are ``longestSign`` unless fewer arrived.
  init(beginning bytes: [UInt8]) {
    // A server's first frame is SETTINGS, for the connection as a whole (RFC 9113 section 3.4), or GOAWAY if it refuses
    // at once.
    if bytes.count >= 9, bytes[3] == 4 || bytes[3] == 7, bytes[5..<9].allSatisfy({ $0 == 0 }) {
      self = .http2
    } else if bytes.count >= 3, (0x14...0x17).contains(bytes[0]), bytes[1] == 3, bytes[2] <= 4 {
      self = .tls
    } else {
      self = .unknown
    }
  }
}

/// Whether a connection failed for lack of descriptors, which libcurl reports as one failure or another.
enum DescriptorShortage {
  /// Whether there is no descriptor for a new socket at this moment.
  static var isPresent: Bool {
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard number < 0 else {
      _ = Descriptor(owning: number)
      return false
    }
    return Errno.last.isShortage
  }
}
