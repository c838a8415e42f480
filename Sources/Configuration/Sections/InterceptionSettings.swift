public import Cryptography
internal import Glibc

/// The certificate authority that terminates TLS on routes with `tunnel: intercept`.
public struct InterceptionSettings: Sendable, Hashable {
  /// The PEM file of its certificate, with intermediate ones after it.
  public var certificateFile: String
  /// The PEM file of its private key.
  public var keyFile: String
  /// How long the certificates that it issues for hosts are valid.
  public var leafLifetime = defaultLeafLifetime
  /// The oldest version of TLS that clients may use inside tunnels.
  public var minimum = TLSVersion.tls12
  /// Where proxy.conf names the certificate, or where the section without it begins.
  public var certificatePlace = SettingPlace(path: "interception.ca_certificate")
  /// Where proxy.conf names the key, or where the section without it begins.
  public var keyPlace = SettingPlace(path: "interception.ca_key")

  /// An authority in these files; nothing is checked.
  public init(certificateFile: String = defaultCertificateFile, keyFile: String = defaultKeyFile) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
  }

  /// The default certificate file, in a directory next to proxy.conf.
  public static let defaultCertificateFile = "ca/ca.pem"
  /// The default key file.
  public static let defaultKeyFile = "ca/ca.key"
  /// A week: only programs see these certificates, and new ones cost nothing.
  public static let defaultLeafLifetime = CertificateLifetime.days(7)
}

extension InterceptionSettings {
  /// The section `interception`.
  static let group = SettingGroup(
    "interception", prefix: "interception.",
    "The certificate authority that terminates TLS on routes with tunnel: intercept.",
    [certificate.declaration, key.declaration, lifetime.declaration, TLSVersion.minimum.declaration])

  private static let certificate = Declared(
    "ca_certificate", .line("the path of a PEM file", .text("path")), default: .value(defaultCertificateFile),
    "PEM: the certificate of the authority; `m2m-proxy ca init` makes it")
  private static let key = Declared(
    "ca_key", .line("the path of a PEM file", .text("path")), default: .value(defaultKeyFile),
    "PEM: its private key, not encrypted: P-256, P-384, or RSA from 2048 bits")
  private static let lifetime = Declared(
    "leaf_lifetime", .leafLifetime, default: .value("\(defaultLeafLifetime)"),
    "how long the certificates for hosts are valid")

  /// Reads the section `interception` without opening the files: `m2m-proxy ca init` reads it before they exist. Nil after a
  /// problem was reported.
  static func read(_ section: Section) -> InterceptionSettings? {
    let certificate = file(certificate, default: defaultCertificateFile, section)
    let key = file(key, default: defaultKeyFile, section)
    let lifetime = section.value(lifetime)
    let minimum = TLSVersion.readMinimum(section)
    guard let certificate, let key else { return nil }
    guard certificate.path != key.path else {
      section.complain("has one file for certificate and key; use two: the certificate is public, the key is secret")
      return nil
    }
    var settings = InterceptionSettings(certificateFile: certificate.path, keyFile: key.path)
    settings.certificatePlace = certificate.place
    settings.keyPlace = key.place
    if let lifetime { settings.leafLifetime = lifetime }
    if let minimum { settings.minimum = minimum }
    return settings
  }

  private static func file(
    _ declared: Declared<String>, default path: String, _ section: Section
  ) -> (path: String, place: SettingPlace)? {
    let findings = section.findings
    guard let setting = section[declared] else {
      let place = SettingPlace(
        file: findings.file, line: section.mark.line, column: section.mark.column,
        path: SettingPath.join(section.path, declared.declaration.name))
      return (findings.resolve(path: path), place)
    }
    let mark = setting.mark
    let place = SettingPlace(file: findings.file, line: mark.line, column: mark.column, path: setting.path)
    return setting.value(declared.format).map { (findings.resolve(path: $0), place) }
  }

  /// Reports a problem if the authority's certificate cannot be read.
  func complainIfMissing(_ findings: Findings) {
    do throws(CertificateFileError) { _ = try Certificate.first(inFile: certificateFile) } catch {
      findings.add(certificatePlace.problem("names the file \(certificateFile), which \(error)\(remedyIfMissing)"))
    }
  }

  /// How to create the authority, to follow a message that its certificate cannot be read; empty if the file exists.
  public var remedyIfMissing: String {
    guard unsafe access(certificateFile, F_OK) != 0 else { return "" }
    return "; \"\(ConfigurationSource.command("ca init", reading: certificatePlace.file))\" makes one"
  }

  /// Warns if no route needs the authority.
  func warnIfUnused(_ setting: Setting, by routes: [Route]) {
    guard !routes.contains(where: { $0.tunnel == .intercept }) else { return }
    setting.warn("is not used: no route says tunnel: intercept")
  }
}

extension Format<CertificateLifetime> {
  /// `7d`, `12h`.
  static var leafLifetime: Self {
    Format(
      "a lifetime from 1h to 397d, such as 12h or 7d",
      .text("1h to 397d", pattern: Patterns.leafLifetime)
    ) {
      text throws(Refusal) in
      guard let lifetime = CertificateLifetime(text, in: CertificateLifetime.ofLeaves) else { throw Refusal() }
      return lifetime
    }
  }
}

/// The lifetime of a certificate, in whole days or hours.
public struct CertificateLifetime: Sendable, Hashable {
  /// The time.
  public let duration: Duration

  /// So many days.
  public static func days(_ days: Int) -> CertificateLifetime { CertificateLifetime(duration: .seconds(days * 86_400)) }

  /// The range for a host's certificate. Clients reject certificates that are valid for more than 398 days.
  public static let ofLeaves = CertificateLifetime(duration: .seconds(3600))...days(397)
  /// The range for an authority.
  public static let ofAuthorities = days(1)...days(36_500)

  private init(duration: Duration) {
    self.duration = duration
  }

  /// Parses `text`, a number and `d` or `h`; nil if it has another form or is not in `range`.
  public init?(_ text: String, in range: ClosedRange<CertificateLifetime>) {
    guard let unit = text.last, unit == "d" || unit == "h", let number = wholeNumber(text.dropLast()),
      number <= Self.ofAuthorities.upperBound.hours
    else { return nil }
    duration = .seconds(number * (unit == "d" ? 86_400 : 3600))
    guard range.contains(self) else { return nil }
  }

  private var hours: Int { Int(duration.components.seconds) / 3600 }
}

extension CertificateLifetime: Comparable, CustomStringConvertible {
  /// Whether `one` is shorter.
  public static func < (one: Self, other: Self) -> Bool { one.duration < other.duration }

  /// The form in proxy.conf: `7d`, `36h`.
  public var description: String { hours.isMultiple(of: 24) ? "\(hours / 24)d" : "\(hours)h" }
}

/// The name in a client's certificate.
public enum CertificateName: Sendable, Hashable {
  /// Its whole subject.
  case subject(DistinguishedName)
  /// A DNS name among its alternative names, in lower case.
  case dns(String)
  /// A URI among its alternative names, such as a SPIFFE id.
  case uri(String)
  /// An e-mail address among its alternative names.
  case email(String)
}
