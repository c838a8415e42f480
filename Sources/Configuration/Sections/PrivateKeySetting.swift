import Cryptography
import Secrets

/// A setting that names the file of a private key.
enum PrivateKeySetting {
  /// The key and the path of its file; nil after a problem was noted.
  static func read(_ setting: Setting) -> (key: PrivateKey, file: String)? {
    setting.section(expected: "{ file: PATH } of a PEM file") { section in
      section.hidesNames = true
      return section.required("file", "the path of a PEM file").flatMap(readFile)
    }
  }

  /// The key in the file that `setting` names; nil after a problem was noted.
  static func readFile(_ setting: Setting) -> (key: PrivateKey, file: String)? {
    guard let text = setting.text("the path of a PEM file") else { return nil }
    let path = setting.findings.resolve(path: text.value)
    do {
      let key = try PrivateKey(file: path)
      warnOfMode(path, setting)
      return (key, path)
    } catch {
      setting.complain("names the file \(text.shownPath), which \(error)")
      return nil
    }
  }

  /// Warns of a file that everybody may read.
  private static func warnOfMode(_ path: String, _ setting: Setting) {
    guard let mode = SensitiveFile.mode(path: path), mode & 0o007 != 0 else { return }
    setting.warn("is readable by every user of this machine (mode 0\(String(mode, radix: 8))); chmod 400 mends that")
  }
}
