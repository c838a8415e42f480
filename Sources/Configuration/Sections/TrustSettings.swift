import Glibc
internal import Outbound
import Secrets

extension TrustSettings {
  // The system's own bundle has 220 KB.
  private static let caFileLimit = 8 * 1024 * 1024

  /// The section `tls`, at the top level, in credentials and in a route.
  static let group = SettingGroup(
    "tls", prefix: "tls.", "Which authorities the certificates of upstreams and token endpoints are verified against.",
    [authorities.declaration, systemRoots.declaration])

  private static let pemFile = Format<String>.line("the path of a PEM file", .text("path"))
  private static let authorities = Declared(
    "ca_file", pemFile, default: .described("the system's roots"),
    "PEM: the authorities that are trusted, instead of the system's; read again when the file changes")
  private static let systemRoots = Declared(
    "system_roots", .truth, default: .described("`false` with `ca_file`, else `true`"),
    "whether the system's authorities are trusted too")

  /// Reads a setting `tls` as a whole; without it, the result is `inherited`.
  static func read(_ setting: Setting?, inherited: TrustSettings) -> TrustSettings {
    setting?.section(of: group) { section in
      let file = section[authorities]
      let system = section[systemRoots]
      let addsSystem = section.value(systemRoots)
      if file == nil, addsSystem == false {
        system?.complain("is false, and there is no ca_file: nothing would be trusted")
      }
      return TrustSettings(caFile: file.flatMap(readAuthorities), addsSystemRoots: file != nil && addsSystem == true)
    } ?? inherited
  }

  /// The path of a PEM file with certificates of authorities; nil after a problem was reported.
  static func readAuthorities(_ setting: Setting) -> String? {
    let format = pemFile
    guard let text = setting.text(format.expected), let written = setting.value(format) else { return nil }
    let path = setting.findings.resolve(path: written)
    if let complaint = complaint(path: path) {
      setting.complain("names the file \(text.shownPath), which \(complaint)")
      return nil
    }
    return setting.isGuarded(path: path, shownPath: text.shownPath) ? path : nil
  }

  private static func complaint(path: String) -> String? {
    do {
      let holdsCertificate = try SensitiveFile.read(path: path, limit: caFileLimit) { bytes, _ in
        bytes.contains("-----BEGIN CERTIFICATE-----") || bytes.contains("-----BEGIN TRUSTED CERTIFICATE-----")
      }
      return holdsCertificate ? nil : "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    } catch {
      return error.complaint(limit: "8 MB")
    }
  }
}

extension Span<UInt8> {
  /// Whether `text` occurs in the bytes.
  fileprivate func contains(_ text: StaticString) -> Bool {
    let wanted = Array(text.description.utf8)
    guard count >= wanted.count else { return false }
    for start in 0...(count - wanted.count) where self[start] == wanted[0] {
      if wanted.indices.allSatisfy({ self[start + $0] == wanted[$0] }) { return true }
    }
    return false
  }
}
