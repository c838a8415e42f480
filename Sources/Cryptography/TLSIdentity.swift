internal import COpenSSL
internal import Secrets

/// A certificate with its chain and its private key: how one end of a TLS connection authenticates itself.
public final class TLSIdentity: Sendable {
  // The first one belongs to the key; the others are its chain.
  private let certificates: [Certificate]
  private let key: PrivateKey

  /// Reads the certificates of one PEM file, the one of the key first, and the private key of another (or the same) file.
  public init(certificateFile: String, keyFile: String) throws(TLSIdentityError) {
    do { key = try PrivateKey(file: keyFile) } catch { throw .key(file: keyFile, "\(error)") }
    do {
      certificates = try SensitiveFile.read(path: certificateFile, limit: 1024 * 1024) { bytes, _ in
        Certificate.all(inPEM: bytes)
      }
    } catch {
      throw .certificate(file: certificateFile, error.complaint(limit: "1 MB"))
    }
    guard let own = certificates.first else {
      throw .certificate(file: certificateFile, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    guard own.belongs(to: key) else {
      throw .key(file: keyFile, "holds a key that does not belong to the certificate in \(certificateFile)")
    }
  }

  /// An identity from at least one certificate, the one of `key` first; nothing is checked.
  public init(certificates: [Certificate], key: PrivateKey) {
    self.certificates = certificates
    self.key = key
  }

  /// Whether the certificate has expired, by this machine's clock.
  public var hasExpired: Bool { certificates[0].hasExpired }

  /// Makes the TLS context that `context` points to use the identity; false if OpenSSL refuses.
  package func use(inContext context: UnsafeMutableRawPointer) -> Bool {
    let context = OpaquePointer(context)
    var isUsed = unsafe SSL_CTX_use_certificate(context, certificates[0].x509) == 1
    for certificate in certificates.dropFirst() {
      isUsed = unsafe isUsed && copenssl_add_chain_certificate(context, certificate.x509) == 1
    }
    return unsafe isUsed && SSL_CTX_use_PrivateKey(context, key.key) == 1
  }
}

/// Why files contain no certificate with a key.
public enum TLSIdentityError: Error, Hashable, CustomStringConvertible {
  /// The certificate file has a problem: what, to follow its name.
  case certificate(file: String, String)
  /// The key file has a problem, or does not fit the certificate: what, to follow its name.
  case key(file: String, String)

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .certificate(let file, let complaint), .key(let file, let complaint): "file \(file) \(complaint)"
    }
  }
}

/// A version of TLS.
public enum TLSVersion: String, Sendable, CaseIterable {
  case tls10 = "1.0"
  case tls11 = "1.1"
  case tls12 = "1.2"
  case tls13 = "1.3"

  /// Its number in the protocol (RFC 8446 section 4.1.2).
  public var number: Int32 {
    switch self {
    case .tls10: TLS1_VERSION
    case .tls11: TLS1_1_VERSION
    case .tls12: TLS1_2_VERSION
    case .tls13: TLS1_3_VERSION
    }
  }

  /// Whether it needs algorithms that are weak today (RFC 8996).
  public var isWeak: Bool { number < TLS1_2_VERSION }
}
