internal import COpenSSL
public import Cryptography
internal import Secrets

extension CertificateAuthority {
  /// Warn if an authority expires within this many seconds.
  public static let soon: Int64 = 30 * 86_400

  /// The authority whose certificates, its own first, are in one PEM file, and whose key is in another. Only root and this
  /// process's user may be able to change them.
  ///
  /// - Parameter now: the time, in seconds since 1970, at which it must be valid; nil if that does not matter.
  public static func load(
    certificateFile: String, keyFile: String, now: Int64?
  ) throws(AuthorityError) -> CertificateAuthority {
    let (certificates, tampering) = try chain(file: certificateFile, trustsOwner: false)
    if let now { try checkDates(of: certificates, now, file: certificateFile) }
    let key: PrivateKey
    do { key = try PrivateKey(file: keyFile, isGuarded: true) } catch { throw .key(file: keyFile, "\(error)") }
    guard certificates[0].belongs(to: key) else {
      throw .key(file: keyFile, "holds a key that does not belong to the certificate in \(certificateFile)")
    }
    guard isFit(key) else {
      throw .key(file: keyFile, "holds a key of the kind \(key.kind); use P-256, P-384 or RSA from 2048 bits")
    }
    // Last, because the key is usually in the same directory, and matters more.
    if let tampering { throw .certificate(file: certificateFile, tampering) }
    return CertificateAuthority(certificates: certificates, key: key)
  }

  /// The certificates of an authority without the key, its own first, each issued by the next, whether or not they are valid
  /// now. The file may belong to any user, but no other user may be able to change it.
  ///
  /// - Parameter keyFile: The file of the authority's key, which must fit if it can be read; nil if it is not known.
  public static func certificates(file: String, keyFile: String?) throws(AuthorityError) -> [Certificate] {
    let (certificates, tampering) = try chain(file: file, trustsOwner: true)
    if let tampering { throw .certificate(file: file, tampering) }
    if let keyFile, let key = try? PrivateKey(file: keyFile), !certificates[0].belongs(to: key) {
      throw .key(file: keyFile, "holds a key that does not belong to the certificate in \(file)")
    }
    return certificates
  }

  private static func chain(
    file: String, trustsOwner: Bool
  ) throws(AuthorityError) -> (certificates: [Certificate], tampering: String?) {
    let result: (certificates: [Certificate], tampering: String?)
    do {
      result = try SensitiveFile.read(path: file, limit: 1024 * 1024) { bytes, opened in
        (Certificate.all(inPEM: bytes), opened.tampering(trustsOwner: trustsOwner))
      }
    } catch {
      throw .certificate(file: file, error.complaint(limit: "1 MB"))
    }
    guard !result.certificates.isEmpty else {
      throw .certificate(file: file, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    for index in result.certificates.indices {
      if let complaint = complaint(about: index, of: result.certificates) { throw .certificate(file: file, complaint) }
    }
    return result
  }

  private static func complaint(about index: Int, of certificates: [Certificate]) -> String? {
    let certificate = certificates[index]
    let which = "holds the certificate \(certificate.subject), which"
    guard unsafe X509_get_extension_flags(certificate.x509) & UInt32(EXFLAG_CA) != 0 else {
      return "\(which) is not that of a certificate authority (basicConstraints lacks CA:TRUE)"
    }
    guard unsafe X509_get_key_usage(certificate.x509) & UInt32(KU_KEY_CERT_SIGN) != 0 else {
      return "\(which) must not sign others (keyUsage lacks keyCertSign)"
    }
    guard unsafe X509_get_extended_key_usage(certificate.x509) & UInt32(XKU_SSL_SERVER | XKU_ANYEKU) != 0 else {
      return "\(which) is not for servers (extendedKeyUsage lacks serverAuth)"
    }
    guard index == 0 || certificates[index - 1].isIssued(by: certificate) else {
      return "\(which) did not issue the one before it; the order is: the authority's own, then upwards"
    }
    guard index < certificates.count - 1 || !certificate.isSelfIssued || certificate.isIssued(by: certificate) else {
      return "\(which) names itself as its issuer, and has another one's signature"
    }
    return nil
  }

  private static func checkDates(of certificates: [Certificate], _ now: Int64, file: String) throws(AuthorityError) {
    for certificate in certificates {
      let which = "holds the certificate \(certificate.subject), which"
      guard certificate.notAfter > now else {
        throw .expired(file: file, "\(which) expired on \(UTC.date(certificate.notAfter))")
      }
      guard certificate.notBefore <= now else {
        let start = UTC.date(certificate.notBefore)
        throw .certificate(file: file, "\(which) is not valid before \(start); is the clock right?")
      }
    }
  }

  private static func isFit(_ key: PrivateKey) -> Bool {
    switch key.kind {
    case .p256, .p384: true
    case .rsa(let bits): bits >= 2048
    case .p521, .ed25519, .other: false
    }
  }
}
