import Cryptography

extension ListenerTLS {
  private enum ClientCertificates: String, CaseIterable {
    case required, optional
  }

  /// Reads the setting `tls` of a listener; nil after a problem was noted.
  static func read(_ setting: Setting) -> ListenerTLS? {
    setting.section(expected: "{ certificate: FILE, key: FILE } of PEM files") { section -> ListenerTLS? in
      let shown = ClientCertificate.read(section)
      let authorities = section["client_ca"]
      let authoritiesFile = authorities.flatMap { TrustSettings.readAuthorities($0) }
      let revocation = section["client_crl"]
      let revocationFile = revocation.flatMap { readRevocationLists($0, of: authoritiesFile) }
      let demand = section.value("client_certificates", Format<ClientCertificates>.choice())
      if authorities == nil {
        section["client_certificates"]?.complain(
          "needs client_ca, the PEM file of the authorities to verify them against")
        revocation?.complain("needs client_ca, the PEM file of the authorities whose lists they are")
      }
      guard let shown, authorities == nil || authoritiesFile != nil, revocation == nil || revocationFile != nil else {
        return nil
      }
      return ListenerTLS(
        certificateFile: shown.certificateFile, keyFile: shown.keyFile, clientCAFile: authoritiesFile,
        clientCRLFile: revocationFile, requiresClientCertificate: authoritiesFile != nil && demand != .optional)
    }
  }

  /// The path of a PEM file with revocation lists; nil after a problem was noted.
  private static func readRevocationLists(_ setting: Setting, of authorities: String?) -> String? {
    let format = Format<String>.line("the path of a PEM file")
    guard let text = setting.text(format.expected), let written = setting.value(format) else { return nil }
    let path = setting.findings.resolve(path: written)
    do throws(RevocationListError) {
      for warning in try RevocationLists(file: path, authorities: authorities).warnings { setting.warn(warning) }
      return path
    } catch {
      setting.complain("names the file \(text.shownPath), which \(error.complaint)")
      return nil
    }
  }
}
