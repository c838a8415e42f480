import Cryptography

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
      setting.warnOfExposure(path: path, shownPath: text.shownPath)
      return (key, path)
    } catch {
      setting.complain("names the file \(text.shownPath), which \(error)")
      return nil
    }
  }
}
