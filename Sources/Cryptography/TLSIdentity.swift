internal import COpenSSL
internal import Secrets

// Sendable: nobody changes the certificates, and OpenSSL counts references to them atomically.
/// A certificate with its chain and its private key: what one end of a TLS connection shows the other.
@safe public final class TLSIdentity: @unchecked Sendable {
  // The first is the one that is shown for itself; all are owned by this object.
  private let certificates: [OpaquePointer]
  private let key: PrivateKey

  /// The certificates in one PEM file, that of the key first, and the private key in another (or the same).
  public init(certificateFile: String, keyFile: String) throws(TLSIdentityError) {
    do { key = try PrivateKey(file: keyFile) } catch { throw .key(file: keyFile, "\(error)") }
    do {
      unsafe certificates = try SensitiveFile.read(path: certificateFile, limit: 1024 * 1024) { bytes, _ in
        unsafe Self.certificates(in: bytes)
      }
    } catch {
      throw .certificate(file: certificateFile, error.complaint(limit: "1 MB"))
    }
    guard let own = unsafe certificates.first else {
      throw .certificate(file: certificateFile, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    let matches = unsafe X509_check_private_key(own, key.key) == 1
    ERR_clear_error()
    guard matches else {
      throw .key(file: keyFile, "holds a key that does not belong to the certificate in \(certificateFile)")
    }
  }

  /// The certificates, which this object owns from now on, that of `key` first, and at least one.
  package init(owning certificates: [OpaquePointer], key: PrivateKey) {
    unsafe self.certificates = certificates
    self.key = key
  }

  deinit { for index in unsafe certificates.indices { unsafe X509_free(certificates[index]) } }

  /// Whether the certificate is not valid any more, by this machine's clock.
  public var hasExpired: Bool {
    unsafe X509_cmp_current_time(X509_get0_notAfter(certificates[0])) < 0
  }

  /// Makes a TLS context, which `context` points to, use the identity; false when OpenSSL refuses.
  package func use(inContext context: UnsafeMutableRawPointer) -> Bool {
    let context = OpaquePointer(context)
    var isUsed = unsafe SSL_CTX_use_certificate(context, certificates[0]) == 1
    for index in unsafe certificates.indices.dropFirst() {
      isUsed = unsafe isUsed && copenssl_add_chain_certificate(context, certificates[index]) == 1
    }
    return unsafe isUsed && SSL_CTX_use_PrivateKey(context, key.key) == 1
  }

  private static func certificates(in pem: Span<UInt8>) -> [OpaquePointer] {
    unsafe pem.withUnsafeBytes { bytes in
      let file = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
      defer {
        unsafe BIO_free(file)
        // The end of the file is an error to OpenSSL.
        ERR_clear_error()
      }
      var certificates: [OpaquePointer] = unsafe []
      while let certificate = unsafe copenssl_read_certificate(file) { unsafe certificates.append(certificate) }
      return unsafe certificates
    }
  }
}

/// Why files give no certificate with a key.
public enum TLSIdentityError: Error, Hashable, CustomStringConvertible {
  /// Something is wrong with the file of the certificate: what, to follow its name.
  case certificate(file: String, String)
  /// Something is wrong with the file of the key, or with how both fit together: what, to follow its name.
  case key(file: String, String)

  /// One sentence without its full stop.
  public var description: String {
    switch self {
    case .certificate(let file, let complaint), .key(let file, let complaint): "file \(file) \(complaint)"
    }
  }
}
