import Cryptography

extension ClientCertificate {
  static let expected = "{ certificate: FILE, key: FILE } of PEM files"

  /// Reads the setting `client_certificate`; nil after a problem was noted.
  static func read(_ setting: Setting) -> ClientCertificate? {
    setting.section(expected: expected) { read($0) }
  }

  /// Reads the settings `certificate` and `key` of `section`; nil after a problem was noted.
  static func read(_ section: Section) -> ClientCertificate? {
    let certificate = section.required("certificate", "the path of a PEM file")
    let key = section.required("key", "the path of a PEM file")
    guard let certificate, let certificateText = certificate.text("the path of a PEM file"), let key,
      let (_, keyFile) = PrivateKeySetting.readFile(key)
    else { return nil }
    let certificateFile = certificate.findings.resolve(path: certificateText.value)
    do throws(TLSIdentityError) {
      let identity = try TLSIdentity(certificateFile: certificateFile, keyFile: keyFile)
      if identity.hasExpired { certificate.warn("has expired") }
      return ClientCertificate(certificateFile: certificateFile, keyFile: keyFile)
    } catch {
      switch error {
      case .certificate(_, let complaint):
        certificate.complain("names the file \(certificateText.shownPath), which \(complaint)")
      case .key(_, let complaint):
        key.complain(complaint)
      }
      return nil
    }
  }
}
