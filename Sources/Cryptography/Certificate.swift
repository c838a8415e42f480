internal import COpenSSL
internal import Secrets

// Sendable: the certificate is never changed, and OpenSSL counts references to it atomically.
/// An X.509 certificate.
@safe public final class Certificate: @unchecked Sendable {
  // Owned by this object.
  package let x509: OpaquePointer

  /// The certificate `x509`, which this object owns from now on.
  package init(owning x509: OpaquePointer) { unsafe self.x509 = x509 }

  deinit { unsafe X509_free(x509) }

  /// Every certificate in `pem`, in the order of the file.
  public static func all(inPEM pem: Span<UInt8>) -> [Certificate] {
    unsafe pem.withUnsafeBytes { bytes in
      let file = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
      defer {
        unsafe BIO_free(file)
        // OpenSSL reports the end of the file as an error.
        ERR_clear_error()
      }
      var certificates: [Certificate] = []
      while let x509 = unsafe copenssl_read_certificate(file) {
        certificates.append(unsafe Certificate(owning: x509))
      }
      return certificates
    }
  }

  /// The first certificate in the PEM file at `path`.
  ///
  /// - Throws: what is wrong, to follow the name of the file.
  public static func first(inFile path: String) throws(CertificateFileError) -> Certificate {
    let certificates: [Certificate]
    do {
      certificates = try SensitiveFile.read(path: path, limit: 1024 * 1024) { bytes, _ in all(inPEM: bytes) }
    } catch {
      throw CertificateFileError(description: error.complaint(limit: "1 MB"))
    }
    guard let first = certificates.first else {
      throw CertificateFileError(description: "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    return first
  }

  /// The first second in which it is valid, since 1970.
  public var notBefore: Int64 { unsafe Self.seconds(X509_get0_notBefore(x509)) }
  /// The last second in which it is valid, since 1970.
  public var notAfter: Int64 { unsafe Self.seconds(X509_get0_notAfter(x509)) }

  /// Whether it has expired, by this machine's clock.
  public var hasExpired: Bool { unsafe X509_cmp_current_time(X509_get0_notAfter(x509)) < 0 }

  /// Whether `key` belongs to the certificate.
  public func belongs(to key: PrivateKey) -> Bool {
    defer { ERR_clear_error() }
    return unsafe X509_check_private_key(x509, key.key) == 1
  }

  /// Whether its issuer is its own subject, as in a root certificate.
  public var isSelfIssued: Bool { unsafe X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0 }

  /// Whether `issuer` issued it, by names, key identifiers and signature.
  public func isIssued(by issuer: Certificate) -> Bool {
    defer { ERR_clear_error() }
    guard unsafe X509_check_issued(issuer.x509, x509) == X509_V_OK else { return false }
    return unsafe X509_verify(x509, X509_get0_pubkey(issuer.x509)) == 1
  }

  /// The hosts for which its name constraints let it issue certificates, as text for people; nil if they permit every host.
  public var permittedHosts: String? {
    guard let text = unsafe copenssl_permitted_hosts(x509) else { return nil }
    return unsafe Self.text(text)
  }

  /// The subject as RFC 4514 writes it.
  public var subject: String { unsafe Self.text(copenssl_name_text(X509_get_subject_name(x509))) }

  /// The issuer as RFC 4514 writes it.
  public var issuer: String { unsafe Self.text(copenssl_name_text(X509_get_issuer_name(x509))) }

  /// The serial number in hexadecimal digits, as `openssl x509 -serial` writes it.
  public var serialNumber: String { unsafe Self.text(copenssl_serial_text(x509)) }

  private static func text(_ owned: UnsafeMutablePointer<CChar>?) -> String {
    guard let owned = unsafe owned else { return "" }
    defer { unsafe copenssl_free_text(owned) }
    return unsafe String(cString: owned)
  }

  /// A name for people: the subject's common name, or the whole subject if it has none.
  public var name: String {
    var bytes = [CChar](repeating: 0, count: 256)
    let count = unsafe X509_NAME_get_text_by_NID(
      X509_get_subject_name(x509), NID_commonName, &bytes, Int32(bytes.count))
    guard count > 0 else { return subject }
    return String(decoding: bytes.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The SHA-256 digest, as `openssl x509 -fingerprint` writes it: `A1:B2:...`.
  public var fingerprint: String {
    unsafe digest(EVP_sha256()).map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }
      .joined(separator: ":")
  }

  /// The SHA-1 and SHA-256 digests of the DER form, by which JSON Web Signatures identify a certificate: `x5t` and `x5t#S256`
  /// (RFC 7515 sections 4.1.7 and 4.1.8), before base64.
  public var thumbprints: (sha1: [UInt8], sha256: [UInt8]) { unsafe (digest(EVP_sha1()), digest(EVP_sha256())) }

  private func digest(_ algorithm: OpaquePointer?) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    unsafe X509_digest(x509, algorithm, &digest, &count)
    return Array(digest.prefix(Int(count)))
  }

  /// The certificate in PEM form.
  public var pem: String { unsafe String(decoding: Self.bytes { unsafe PEM_write_bio_X509($0, x509) }, as: UTF8.self) }

  /// The certificate in DER form.
  public var der: [UInt8] { unsafe Self.bytes { unsafe i2d_X509_bio($0, x509) } }

  /// Collects what `write` writes; empty if there is no memory.
  private static func bytes(_ write: (OpaquePointer) -> Int32) -> [UInt8] {
    guard let file = unsafe BIO_new(BIO_s_mem()) else { return [] }
    defer { unsafe BIO_free(file) }
    _ = unsafe write(file)
    var bytes = [UInt8](repeating: 0, count: Int(unsafe BIO_ctrl_pending(file)))
    unsafe BIO_read(file, &bytes, Int32(bytes.count))
    return bytes
  }

  private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
    guard let epoch = unsafe ASN1_TIME_set(nil, 0) else { return 0 }
    defer { unsafe ASN1_STRING_free(epoch) }
    var (days, seconds): (Int32, Int32) = (0, 0)
    unsafe ASN1_TIME_diff(&days, &seconds, epoch, time)
    return Int64(days) * 86_400 + Int64(seconds)
  }
}

/// Why a file contains no certificate.
public struct CertificateFileError: Error, Hashable, CustomStringConvertible {
  /// What is wrong, to follow the name of the file.
  public let description: String
}
