internal import COpenSSL
public import Cryptography
internal import SecureStreams

// Sendable: it does not change after its creation, and OpenSSL counts references to it, and to its parts, atomically.
/// What TLS sessions of a server share: the certificate, the versions of TLS, HTTP/1.1 by ALPN, and the keys of the tickets
/// with which clients resume sessions.
@safe public final class TLSServerContext: @unchecked Sendable {
  let context: OpaquePointer

  /// A context that authenticates with `identity`.
  ///
  /// - Parameter minimum: the oldest version of TLS that is served. Below 1.2, weaker ciphers are served too.
  /// - Parameter clients: whether clients must send certificates, and of which authorities.
  /// - Parameter pausesAtHello: whether handshakes pause once with ``TLSStream/HandshakeStep/hello``, so that the caller can
  ///   choose another context by the name that the client requests (SNI).
  public init(
    _ identity: TLSIdentity, minimum: TLSVersion = .tls12, clients: ClientVerification? = nil,
    pausesAtHello: Bool = false
  ) throws(TLSContextError) {
    ERR_clear_error()
    guard let context = unsafe copenssl_server_context(minimum.number) else {
      throw TLSContextError("there is no memory for it")
    }
    unsafe self.context = context
    guard unsafe identity.use(inContext: UnsafeMutableRawPointer(context)) else {
      throw TLSContextError("OpenSSL refuses the certificate: \(TLSErrorQueue.takeReason() ?? "no reason given")")
    }
    if let clients, unsafe copenssl_verify_clients(context, clients.caFile, clients.isRequired ? 1 : 0) != 1 {
      let reason = TLSErrorQueue.takeReason() ?? "it holds no certificate"
      throw TLSContextError("the authorities in \(clients.caFile) cannot be used: \(reason)")
    }
    if let lists = clients?.revocationLists {
      guard unsafe lists.use(inContext: UnsafeMutableRawPointer(context)) else {
        throw TLSContextError("there is no memory for the revocation lists")
      }
      // A resumed session is not checked against the lists, and may be older than they are, or outlive them. It could not be
      // checked either: a ticket contains the client's own certificate without the rest of the chain.
      unsafe copenssl_resume_no_session(context)
    }
    if pausesAtHello { unsafe copenssl_pause_at_client_hello(context) }
  }

  deinit { unsafe SSL_CTX_free(context) }
}

/// How a server verifies the certificates of its clients (RFC 8446 section 4.3.2).
public struct ClientVerification: Sendable {
  /// A PEM file of the certificate authorities.
  public let caFile: String
  /// Whether a connection without a certificate is rejected.
  public let isRequired: Bool
  /// The lists of revoked certificates; nil if none are checked. With lists, no session is resumed.
  public let revocationLists: RevocationLists?

  /// Verification against the authorities in `caFile`.
  public init(caFile: String, isRequired: Bool, revocationLists: RevocationLists? = nil) {
    self.caFile = caFile
    self.isRequired = isRequired
    self.revocationLists = revocationLists
  }
}

/// Why there is no context: a sentence without its full stop.
public struct TLSContextError: Error, Hashable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// The identity in a client's verified certificate.
public struct PeerCertificate: Hashable, Sendable {
  /// The subject in the form of RFC 4514, the most specific part first: `CN=erp,O=Example`.
  public var subject: String
  /// The subject's alternative names that are DNS names.
  public var dnsNames: [String]
  /// Those that are URIs, as in SPIFFE.
  public var uris: [String]
  /// Those that are mail addresses.
  public var emails: [String]

  /// A certificate with these names.
  public init(subject: String, dnsNames: [String] = [], uris: [String] = [], emails: [String] = []) {
    self.subject = subject
    self.dnsNames = dnsNames
    self.uris = uris
    self.emails = emails
  }

  /// Reads the names of `certificate`, an X509.
  init(reading certificate: OpaquePointer) {
    var subject = ""
    if let text = unsafe copenssl_name_text(X509_get_subject_name(certificate)) {
      subject = unsafe String(cString: text)
      unsafe copenssl_free_text(text)
    }
    self.init(subject: subject)
    // The pointer is used during the call only.
    unsafe withUnsafeMutablePointer(to: &self) { names in
      unsafe copenssl_alternative_names(certificate, names) { names, kind, text, count in
        let names = unsafe names!.assumingMemoryBound(to: PeerCertificate.self)
        let bytes = unsafe UnsafeRawBufferPointer(start: text, count: Int(count))
        let name = unsafe String(decoding: bytes, as: UTF8.self)
        switch kind {
        case GEN_DNS: unsafe names.pointee.dnsNames.append(name)
        case GEN_URI: unsafe names.pointee.uris.append(name)
        default: unsafe names.pointee.emails.append(name)
        }
      }
    }
  }
}
