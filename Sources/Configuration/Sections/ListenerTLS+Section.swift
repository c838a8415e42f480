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
      let demand = section.value("client_certificates", Format<ClientCertificates>.choice())
      if authorities == nil {
        section["client_certificates"]?.complain(
          "needs client_ca, the PEM file of the authorities to verify them against")
      }
      guard let shown, authorities == nil || authoritiesFile != nil else { return nil }
      return ListenerTLS(
        certificateFile: shown.certificateFile, keyFile: shown.keyFile, clientCAFile: authoritiesFile,
        requiresClientCertificate: authoritiesFile != nil && demand != .optional)
    }
  }
}
