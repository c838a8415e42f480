internal import COpenSSL
public import Cryptography
internal import Secrets

extension CertificateAuthority {
  /// How many seconds before its end an authority is worth a warning.
  public static let soon: Int64 = 30 * 86_400

  /// The authority whose certificates, its own first, are in one PEM file, and whose key is in another, which only root
  /// and this process's user may be able to change.
  ///
  /// - Parameter now: the time, in seconds since 1970, at which it has to be valid; nil where that does not matter.
  public static func load(
    certificateFile: String, keyFile: String, now: Int64?
  ) throws(AuthorityError) -> CertificateAuthority {
    let certificates = try certificates(file: certificateFile)
    for index in certificates.indices {
      if let complaint = complaint(about: index, of: certificates) {
        throw .certificate(file: certificateFile, complaint)
      }
    }
    if let now { try checkDates(of: certificates, now, file: certificateFile) }
    let key: PrivateKey
    do { key = try PrivateKey(file: keyFile, isGuarded: true) } catch { throw .key(file: keyFile, "\(error)") }
    guard certificates[0].belongs(to: key) else {
      throw .key(file: keyFile, "holds a key that does not belong to the certificate in \(certificateFile)")
    }
    guard isFit(key) else {
      throw .key(file: keyFile, "holds a key of the kind \(key.kind); P-256, P-384 and RSA from 2048 bits will do")
    }
    return CertificateAuthority(certificates: certificates, key: key)
  }

  /// The certificates of an authority alone, its own first, whatever state it is in.
  public static func certificates(file: String) throws(AuthorityError) -> [Certificate] {
    let certificates: [Certificate]
    do {
      certificates = try SensitiveFile.read(path: file, limit: 1024 * 1024) { bytes, _ in
        Certificate.all(inPEM: bytes)
      }
    } catch {
      throw .certificate(file: file, error.complaint(limit: "1 MB"))
    }
    guard !certificates.isEmpty else {
      throw .certificate(file: file, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    }
    return certificates
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
    case .p256: true
    case .rsa(let bits): bits >= 2048
    case .other(let name): name == "EC on secp384r1"
    }
  }
}
