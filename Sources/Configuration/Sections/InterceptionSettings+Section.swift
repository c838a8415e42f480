extension InterceptionSettings {
  /// Reads the section `interception`, without a look into the files: `m2m-proxy ca init` reads it before they are there.
  /// Nil after a problem was noted.
  static func read(_ section: Section) -> InterceptionSettings? {
    let certificate = file("ca_certificate", default: defaultCertificateFile, section)
    let key = file("ca_key", default: defaultKeyFile, section)
    let lifetime = section.value("leaf_lifetime", .leafLifetime)
    guard let certificate, let key else { return nil }
    guard certificate.path != key.path else {
      section.complain("has one file for certificate and key; everybody may read the one, and nobody the other")
      return nil
    }
    var settings = InterceptionSettings(certificateFile: certificate.path, keyFile: key.path)
    settings.certificatePlace = certificate.place
    settings.keyPlace = key.place
    if let lifetime { settings.leafLifetime = lifetime }
    return settings
  }

  private static func file(
    _ name: String, default path: String, _ section: Section
  ) -> (path: String, place: SettingPlace)? {
    let findings = section.findings
    guard let setting = section[name] else {
      let place = SettingPlace(
        file: findings.file, line: section.mark.line, column: section.mark.column,
        path: SettingPath.join(section.path, name))
      return (findings.resolve(path: path), place)
    }
    let mark = setting.mark
    let place = SettingPlace(file: findings.file, line: mark.line, column: mark.column, path: setting.path)
    return setting.value(.line("the path of a PEM file")).map { (findings.resolve(path: $0), place) }
  }

  /// Says so if no route needs the authority.
  func warnIfUnused(_ setting: Setting, by routes: [Route]) {
    guard !routes.contains(where: { $0.tunnel == .intercept }) else { return }
    setting.warn("is not used: no route says tunnel: intercept")
  }
}

extension Format<CertificateLifetime> {
  /// `7d`, `12h`.
  static var leafLifetime: Self {
    Format("a lifetime from 1h to 397d, such as 12h or 7d") { text throws(Refusal) in
      guard let lifetime = CertificateLifetime(text, in: CertificateLifetime.ofLeaves) else { throw Refusal() }
      return lifetime
    }
  }
}
