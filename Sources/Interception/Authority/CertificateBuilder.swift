internal import COpenSSL
internal import Cryptography
internal import Glibc

/// A certificate before its signature.
struct CertificateBuilder: ~Copyable {
  // No other code refers to it before it is signed.
  private let certificate: Certificate

  /// A certificate for `key` that is valid from `notBefore` to `notAfter`, in seconds since 1970, with a random serial number.
  init(for key: PrivateKey, notBefore: Int64, notAfter: Int64) throws(CryptographyError) {
    guard let x509 = unsafe X509_new() else { throw CryptographyError("a new certificate") }
    let certificate = unsafe Certificate(owning: x509)
    // Positive, since it has no sign, and with 128 random bits (RFC 5280 section 4.1.2.2 allows 159).
    let serial = try RandomBytes.make(16)
    let number = unsafe BN_bin2bn(serial, Int32(serial.count), nil)
    defer { unsafe BN_free(number) }
    let isDone =
      unsafe X509_set_version(x509, Int(X509_VERSION_3)) == 1
      && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != nil
      && ASN1_TIME_set(X509_getm_notBefore(x509), Int(notBefore)) != nil
      && ASN1_TIME_set(X509_getm_notAfter(x509), Int(notAfter)) != nil
      && X509_set_pubkey(x509, key.key) == 1
    guard isDone else { throw CryptographyError("writing a certificate") }
    self.certificate = certificate
  }

  private var x509: OpaquePointer { unsafe certificate.x509 }

  /// Sets the subject to one attribute, such as its common name.
  func setSubject(_ attribute: Int32, _ value: String) throws(CryptographyError) {
    let text = Array(value.utf8)
    guard
      unsafe X509_NAME_add_entry_by_NID(
        X509_get_subject_name(x509), attribute, MBSTRING_UTF8, text, Int32(text.count), -1, 0) == 1
    else { throw CryptographyError("writing the subject of a certificate") }
  }

  /// Sets the issuer: the subject of `issuer`, or the certificate's own.
  func setIssuer(_ issuer: Certificate?) throws(CryptographyError) {
    guard unsafe X509_set_issuer_name(x509, X509_get_subject_name(issuer?.x509 ?? x509)) == 1 else {
      throw CryptographyError("writing the issuer of a certificate")
    }
  }

  /// Adds an extension whose `value` is written as in openssl.cnf; some extensions need the issuer.
  func add(_ kind: Int32, _ value: String, issuer: Certificate? = nil) throws(CryptographyError) {
    guard unsafe copenssl_add_extension(x509, issuer?.x509 ?? x509, kind, value) == 1 else {
      throw CryptographyError("writing an extension of a certificate")
    }
  }

  /// The certificate, signed with the issuer's `key`.
  consuming func signed(with key: PrivateKey) throws(CryptographyError) -> Certificate {
    // The digest has the size of the curve (RFC 8446 section 4.2.3).
    let digest = unsafe EVP_PKEY_get_bits(key.key) == 384 ? EVP_sha384() : EVP_sha256()
    // The result is the size of the signature, 0 on failure.
    guard unsafe X509_sign(x509, key.key, digest) > 0 else { throw CryptographyError("signing a certificate") }
    return certificate
  }
}

/// Formats times for people.
public enum UTC {
  /// The day of `seconds` since 1970: `2026-11-27`.
  public static func date(_ seconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = unsafe tm()
    unsafe gmtime_r(&time, &parts)
    let digits = unsafe [parts.tm_mon + 1, parts.tm_mday].map { $0 < 10 ? "0\($0)" : "\($0)" }
    return unsafe "\(parts.tm_year + 1900)-\(digits[0])-\(digits[1])"
  }

  /// The time in seconds since 1970.
  @Sendable public static func now() -> Int64 { Int64(time(nil)) }
}
