public import Cryptography
internal import Outbound

/// TLS of a listener: its certificate, and what it requires of clients.
public struct ListenerTLS: Sendable, Hashable {
  /// The certificate, followed by the intermediate ones, as PEM.
  public var certificateFile: String
  /// Its private key, as PEM.
  public var keyFile: String
  /// The authorities that issue clients' certificates, as PEM; nil to request none.
  public var clientCAFile: String?
  /// The revocation lists for those certificates, as PEM; nil to check none.
  public var clientCRLFile: String?
  /// Whether connections without a client certificate are rejected.
  public var requiresClientCertificate: Bool
  /// The oldest version of TLS that clients may use.
  public var minimum = TLSVersion.tls12

  /// TLS with these files; nothing is checked.
  public init(
    certificateFile: String, keyFile: String, clientCAFile: String? = nil, clientCRLFile: String? = nil,
    requiresClientCertificate: Bool = false
  ) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.clientCAFile = clientCAFile
    self.clientCRLFile = clientCRLFile
    self.requiresClientCertificate = requiresClientCertificate
  }
}

extension ListenerTLS {
  private enum ClientCertificates: String, CaseIterable {
    case required, optional
  }

  /// The mapping `tls` of a listener.
  static let group = SettingGroup(
    "listener_tls", "TLS of a listener.",
    CertificateFiles.group.settings + [
      clientCA.declaration, clientCRL.declaration, demand.declaration, TLSVersion.minimum.declaration,
    ])

  private static let pemFile = Format<String>.line("the path of a PEM file", .text("path"))
  private static let clientCA = Declared(
    "client_ca", pemFile, "PEM: the authorities whose client certificates are accepted")
  private static let clientCRL = Declared(
    "client_crl", pemFile, "PEM: the certificate revocation lists (CRLs) of those authorities")
  private static let demand = Declared(
    "client_certificates", Format<ClientCertificates>.choice(), default: .described("`required` with `client_ca`"),
    "whether a client needs a certificate; one that it sends must always be valid")

  /// Reads the setting `tls` of a listener; nil after a problem was reported.
  static func read(_ setting: Setting) -> ListenerTLS? {
    setting.section(of: group, expected: "{ certificate: FILE, key: FILE } of PEM files") { section -> ListenerTLS? in
      let shown = CertificateFiles.read(section)
      let authorities = section[clientCA]
      let authoritiesFile = authorities.flatMap { TrustSettings.readAuthorities($0) }
      let revocation = section[clientCRL]
      let revocationFile = revocation.flatMap { readRevocationLists($0, of: authoritiesFile) }
      let demanded = section.value(demand)
      let minimum = TLSVersion.readMinimum(section)
      if authorities == nil {
        section[demand]?.complain(
          "needs client_ca, the PEM file of the authorities to verify them against")
        revocation?.complain("needs client_ca, the PEM file of the authorities whose lists they are")
      }
      guard let shown, authorities == nil || authoritiesFile != nil, revocation == nil || revocationFile != nil else {
        return nil
      }
      var settings = ListenerTLS(
        certificateFile: shown.certificateFile, keyFile: shown.keyFile, clientCAFile: authoritiesFile,
        clientCRLFile: revocationFile, requiresClientCertificate: authoritiesFile != nil && demanded != .optional)
      if let minimum { settings.minimum = minimum }
      return settings
    }
  }

  /// The path of a PEM file with revocation lists; nil after a problem was reported.
  private static func readRevocationLists(_ setting: Setting, of authorities: String?) -> String? {
    let format = pemFile
    guard let text = setting.text(format.expected), let written = setting.value(format) else { return nil }
    let path = setting.findings.resolve(path: written)
    do throws(RevocationListError) {
      for warning in try RevocationLists(file: path, authorities: authorities).warnings { setting.warn(warning) }
      return setting.isGuarded(path: path, shownPath: text.shownPath) ? path : nil
    } catch {
      setting.complain("names the file \(text.shownPath), which \(error.complaint)")
      return nil
    }
  }
}

extension TLSVersion {
  // Without a suggestion: the version with the most similar text may be the weakest.
  private static let format = Format(
    Format<TLSVersion>.choice().expected, Format<TLSVersion>.choice().type, written: \.rawValue
  ) { text throws(Refusal) in
    guard let version = TLSVersion(rawValue: text) else { throw Refusal() }
    return version
  }

  /// The setting `minimum`, on the side of clients.
  static let minimum = Declared(
    "minimum", format, default: .value(tls12.rawValue),
    "the oldest TLS version that is served; see [old TLS](#old-tls)")

  /// Reads ``minimum``; nil if it is not written, or after a problem was reported.
  static func readMinimum(_ section: Section) -> TLSVersion? {
    let minimum = section.value(minimum)
    if let minimum, minimum.isWeak {
      section[Self.minimum]?.warn(
        "is \(minimum.rawValue), so that weak ciphers, RSA key exchange and SHA-1 are served too; use it only for clients "
          + "that support nothing newer, on a network that you trust")
    }
    return minimum
  }
}

extension CertificateFiles {
  static let expected = "{ certificate: FILE, key: FILE } of PEM files"

  /// The two files.
  static let group = SettingGroup(
    "certificate", form: "`{ certificate: PATH, key: PATH }`", "A certificate and its private key.", [certificate, key])

  private static let certificate = SettingDeclaration(
    "certificate", .text("path"), default: .required, "PEM: the certificate, then the intermediate ones")
  private static let key = SettingDeclaration(
    "key", .text("path"), default: .required, "PEM: the private key of the certificate, not encrypted")

  /// Reads the setting `client_certificate` (RFC 8705); nil after a problem was reported.
  static func read(_ setting: Setting) -> CertificateFiles? {
    setting.section(of: group, expected: expected) { read($0) }
  }

  /// Reads the settings `certificate` and `key` of `section`; nil after a problem was reported.
  static func read(_ section: Section) -> CertificateFiles? {
    let certificate = section.required(certificate, "the path of a PEM file")
    let key = section.required(key, "the path of a PEM file")
    let keyFile = key.flatMap(PrivateKeySetting.readFile)?.file
    guard let certificate, let certificateText = certificate.text("the path of a PEM file") else { return nil }
    let certificateFile = certificate.findings.resolve(path: certificateText.value)
    guard let key, let keyFile else {
      // Both may be missing; report both.
      do throws(CertificateFileError) { _ = try Certificate.first(inFile: certificateFile) } catch {
        certificate.complain("names the file \(certificateText.shownPath), which \(error)")
      }
      return nil
    }
    do throws(TLSIdentityError) {
      let identity = try TLSIdentity(certificateFile: certificateFile, keyFile: keyFile)
      if identity.hasExpired { certificate.warn("has expired") }
      guard certificate.isGuarded(path: certificateFile, shownPath: certificateText.shownPath) else { return nil }
      return CertificateFiles(certificateFile: certificateFile, keyFile: keyFile)
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
