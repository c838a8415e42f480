import Secrets

/// The setting `client_secret`, and others that may hold a secret. None of its messages shows what it holds, nor what the environment holds for it.
enum ClientSecretSetting {
  static let expected = "{ file: PATH }, { env: NAME } or ${NAME}"

  /// The secret and where it came from; nil after a problem was noted.
  ///
  /// - Parameter warnsOfText: whether a value that stands in proxy.conf itself is worth a warning.
  static func read(_ setting: Setting, warnsOfText: Bool = true) -> (secret: Secret, source: SecretSource)? {
    guard setting.written == nil else { return readText(setting, warnsOfText) }
    return setting.section(expected: expected) { section in
      section.hidesNames = true
      let file = section["file"]
      let variable = section["env"]
      guard (file == nil) != (variable == nil) else {
        section.complain(file == nil ? "needs file or env" : "has both file and env; one of them is enough")
        return nil
      }
      return file.flatMap(readFile) ?? variable.flatMap(readVariable)
    }
  }

  private static func readText(_ setting: Setting, _ warnsOfText: Bool) -> (secret: Secret, source: SecretSource)? {
    let environment = setting.findings.environment
    var isMixed = false
    do {
      let substitution = try Substitution(setting.written ?? "")
      isMixed = substitution.pieces.count > 1
      if case .variable(let name, let fallback)? = substitution.pieces.first, substitution.pieces.count == 1,
        fallback == nil || environment[name]?.isEmpty == false
      {
        return resolve(.environment(name: name), setting)
      }
      let text = try substitution.text(environment: environment)
      if warnsOfText { setting.warn("is written in proxy.conf; a file or an environment variable is safer") }
      return resolve(.inline(Secret(trimmingLineEnds: text.utf8Span.span)), setting, shownAs: "the secret")
    } catch {
      // What stands in braces inside a longer text may be part of a secret that happens to look like that.
      let hint = isMixed ? "a variable in it is not set; write $$ for a \"$\" that means itself" : error.hint ?? ""
      setting.findings.problem(setting.mark, path: setting.path, hint)
      return nil
    }
  }

  private static func readFile(_ setting: Setting) -> (secret: Secret, source: SecretSource)? {
    guard let text = setting.text("the path of a file") else { return nil }
    let path = setting.findings.resolve(path: text.value)
    let resolved = resolve(.file(path: path), setting, shownAs: "file \(text.shownPath)")
    if resolved != nil { setting.warnOfExposure(path: path, shownPath: text.shownPath) }
    return resolved
  }

  private static func readVariable(_ setting: Setting) -> (secret: Secret, source: SecretSource)? {
    // The text as it is written: replacing ${NAME} here would put the secret where its variable's name belongs.
    guard let name = setting.written, Substitution.isName(name) else {
      setting.complain("must be the name of an environment variable, without \"$\" and braces")
      return nil
    }
    return resolve(.environment(name: name), setting)
  }

  private static func resolve(
    _ source: SecretSource, _ setting: Setting, shownAs name: String? = nil
  ) -> (secret: Secret, source: SecretSource)? {
    do {
      return (try source.read(environment: setting.findings.environment), source)
    } catch {
      setting.findings.problem(setting.mark, path: setting.path, "\(name ?? error.source) \(error.complaint)")
      return nil
    }
  }
}

extension Setting {
  /// Warns where others could read or change the secret in the file at `path`, or put another one in its place. Its group
  /// may be meant to read it: Kubernetes mounts secrets so.
  ///
  /// It is no more than a warning: files that Docker and Compose mount keep their owner from the host.
  func warnOfExposure(path: String, shownPath: String) {
    guard let exposure = SensitiveFile.exposure(path: path, showsPaths: shownPath == path) else { return }
    warn(exposure)
  }
}
