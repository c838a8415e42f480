import Cryptography
internal import Encodings
internal import Outbound
import Secrets

/// The section `credentials` as routes refer to it.
struct CredentialsTable {
  /// The word by which a route forwards without a token.
  static let none = "none"

  /// Every defined name, even if its entry has problems.
  private(set) var names: [String] = []
  /// The valid ones, in the order of the file.
  private(set) var credentials: [Credentials] = []

  private var marks: [String: Mark] = [:]

  /// Reads the section `credentials` of the file.
  static func read(_ top: Section, parentProxy: ParentProxy?, trust: TrustSettings) -> CredentialsTable {
    top[TopSettings.credentials]?.section(of: nil) { section in
      var table = CredentialsTable()
      for (name, mark, setting) in section.all {
        guard Format<String>.isName(name), name != none else {
          let complaint =
            name == none ? "means without a token; choose another name" : "must be \(Format<String>.name.expected)"
          section.findings.problem(mark, path: section.path, "\(displayed(name)) \(complaint)")
          continue
        }
        table.names.append(name)
        table.marks[name] = mark
        if let credentials = setting.section(
          of: CredentialsSettings.group, { Credentials.read(name: name, $0, parentProxy: parentProxy, trust: trust) })
        {
          table.credentials.append(credentials)
        }
      }
      table.runPrograms(section.findings)
      return table
    } ?? CredentialsTable()
  }

  /// Runs the programs that print secrets in parallel, so that a slow one delays only itself.
  private mutating func runPrograms(_ findings: Findings) {
    let programs = findings.programs
    guard findings.runsPrograms, !programs.isEmpty else { return }
    for (entry, result) in zip(programs, SecretProgram.run(programs.map(\.program))) {
      switch result {
      case .success(let secret):
        for index in credentials.indices { credentials[index].set(secret, of: entry.program) }
      case .failure(let error):
        findings.problem(entry.mark, path: entry.path, "\(error.source) \(error.complaint)")
      }
    }
  }

  /// The index of `name` in ``credentials``; nil if it is not defined or not valid.
  func index(of name: String) -> Int? {
    credentials.firstIndex { $0.name == name }
  }

  /// Warns about credentials that none of `routes` uses.
  func warnOfUnused(by routes: [Route], _ findings: Findings) {
    let used = Set(routes.flatMap(\.credentials.all))
    for (index, credentials) in credentials.enumerated() where !used.contains(index) {
      guard let mark = marks[credentials.name] else { continue }
      findings.warning(mark, about: "credentials.\(credentials.name)", "is used by no route")
    }
  }
}

/// The credentials for a route's tokens: indices into ``ProxyConfiguration/credentials``.
public enum CredentialsChoice: Sendable, Hashable {
  /// None: its requests are forwarded without a token.
  case noToken
  /// The same for all requests.
  case same(Int)
  /// Those of the caller, by its index in ``ProxyConfiguration/callers``; `others` for all other requests, or nil to reject
  /// them.
  case byCaller([Int: Int], others: Int?)

  /// All possible credentials, without duplicates, in the order of the file.
  public var all: [Int] {
    switch self {
    case .noToken: []
    case .same(let index): [index]
    case .byCaller(let table, let others): Set(Array(table.values) + [others].compactMap(\.self)).sorted()
    }
  }

  /// Whether there is a token.
  public var hasToken: Bool { self != .noToken }
}

/// The setting `client_secret`, and others that may hold a secret. No message shows its value, in the file or in the
/// environment.
enum ClientSecretSetting {
  static let expected = "{ file: PATH }, { env: NAME } or ${NAME}"
  static let expectedOfClient = "{ file: PATH }, { env: NAME }, { exec: [PROGRAM] } or ${NAME}"

  /// The secret and its source; nil after a problem was reported.
  ///
  /// - Parameter warnsOfText: whether to warn about a secret that proxy.conf itself contains.
  static func read(_ setting: Setting, warnsOfText: Bool = true) -> (secret: Secret, source: SecretSource)? {
    guard setting.written == nil else { return readText(setting, warnsOfText) }
    return setting.section(of: SecretForm.group, expected: expected) { section in
      section.hidesNames = true
      let file = section[SecretForm.file]
      let variable = section[SecretForm.env]
      guard (file == nil) != (variable == nil) else {
        section.complain(file == nil ? "needs file or env" : "has both file and env; one of them is enough")
        return nil
      }
      return file.flatMap(readFile) ?? variable.flatMap(readVariable)
    }
  }

  /// The same for a client secret, which may also come from a program.
  static func readOfClient(_ setting: Setting) -> (secret: Secret, source: SecretSource)? {
    guard setting.written == nil else { return readText(setting, true) }
    return setting.section(of: ClientSecretForm.group, expected: expectedOfClient) { section in
      section.hidesNames = true
      let settings = [SecretForm.file.declaration, SecretForm.env, ClientSecretForm.exec]
      let given = settings.filter { section[$0] != nil }
      guard given.count == 1 else {
        section.complain(
          given.isEmpty
            ? "needs file, env or exec" : "has \(joined(given.map(\.name))); one of them is enough")
        return nil
      }
      let refresh = section.value(ClientSecretForm.refresh)
      let variables = section[ClientSecretForm.environment]
      if let program = section[ClientSecretForm.exec] {
        return readProgram(program, refresh ?? .seconds(300), variables.flatMap(readNames) ?? [])
      }
      section[ClientSecretForm.refresh]?.complain("is for exec; files are read again for each fetch")
      variables?.complain("is for exec, which names a program that gets variables")
      return section[SecretForm.file].flatMap(readFile) ?? section[SecretForm.env].flatMap(readVariable)
    }
  }

  private static func joined(_ names: [String]) -> String {
    names.count == 2 ? "both \(names[0]) and \(names[1])" : names.joined(separator: ", ")
  }

  /// The names of variables; nil after a problem was noted.
  private static func readNames(_ setting: Setting) -> [String]? {
    setting.items("the name of an environment variable")?.reduce(into: []) { names, item in
      guard let name = item.written, Substitution.isName(name) else {
        return item.complain("must be the name of an environment variable, without \"$\" and braces")
      }
      if names.contains(name) { return item.complain("is there twice") }
      names.append(name)
    }
  }

  private static func readProgram(
    _ setting: Setting, _ refresh: Duration, _ variables: [String]
  ) -> (secret: Secret, source: SecretSource)? {
    let expected = "a list: the absolute path of a program, then its arguments"
    guard let words = setting.list(expected) else { return nil }
    var texts: [SettingText] = []
    for word in words {
      guard let text = word.text("text") else { return nil }
      guard !text.value.utf8.contains(0) else {
        word.complain("holds a zero byte")
        return nil
      }
      texts.append(text)
    }
    guard let path = texts.first, path.value.hasPrefix("/") else {
      words[0].complain(
        "must be the absolute path of a program: it is run directly, without a shell and without a search in PATH")
      return nil
    }
    // No message shows the arguments: one may be a secret.
    if let complaint = ProgramFile.complaint(path: path.value) {
      words[0].complain("names the program \(path.shownPath), which \(complaint)")
      return nil
    }
    guard words[0].isGuarded(path: path.value, shownPath: path.shownPath) else { return nil }
    let program = SecretProgram(
      path: path.value, arguments: texts.dropFirst().map(\.value), refresh: refresh, environment: variables)
    setting.findings.add(program, setting)
    return (Secret(""), .program(program))
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
      // Braces inside a longer text may be part of a secret.
      let hint = isMixed ? "a variable in it is not set; write $$ for a \"$\" that means itself" : error.hint ?? ""
      setting.findings.problem(setting.mark, path: setting.path, hint)
      return nil
    }
  }

  private static func readFile(_ setting: Setting) -> (secret: Secret, source: SecretSource)? {
    guard let text = setting.text("the path of a file") else { return nil }
    let path = setting.findings.resolve(path: text.value)
    let resolved = resolve(.file(path: path), setting, shownAs: "file \(text.shownPath)")
    guard let resolved else { return nil }
    setting.warnOfExposure(path: path, shownPath: text.shownPath)
    if resolved.source.hasByteOrderMark {
      setting.warn(
        "names a file that begins with a byte-order mark; it is not part of the secret, save the file without it")
    }
    return resolved
  }

  private static func readVariable(_ setting: Setting) -> (secret: Secret, source: SecretSource)? {
    // The text without substitution: replacing ${NAME} here would put the secret in the place of its variable's name.
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
  /// Warns if other users can read, change or replace the secret in the file at `path`. Its group may be allowed to read it, as
  /// when Kubernetes mounts secrets.
  ///
  /// It is only a warning, because files that Docker and Compose mount keep the owner they have on the host.
  func warnOfExposure(path: String, shownPath: String) {
    guard let exposure = SensitiveFile.exposure(path: path, showsPaths: shownPath == path) else { return }
    warn(exposure)
  }

  /// Whether the file at `path`, which says what to trust, may be used. Reports a problem if every user of this machine can
  /// write it, and a warning if others can change or replace it.
  func isGuarded(path: String, shownPath: String) -> Bool {
    switch SensitiveFile.tampering(path: path, showsPaths: shownPath == path) {
    case nil: return true
    case .possible(let complaint):
      // Files that Docker and Compose mount keep the owner they have on the host.
      warn("names the file \(shownPath), which \(complaint)")
      return true
    case .byEveryone(let complaint):
      self.complain("names the file \(shownPath), which \(complaint)")
      return false
    }
  }
}

/// A setting that names the file of a private key.
enum PrivateKeySetting {
  /// The key and the path of its file; nil after a problem was reported.
  static func read(_ setting: Setting) -> (key: PrivateKey, file: String)? {
    setting.section(of: SecretForm.fileGroup, expected: "{ file: PATH } of a PEM file") { section in
      section.hidesNames = true
      return section.required(SecretForm.file.declaration, "the path of a PEM file").flatMap(readFile)
    }
  }

  /// The key in the file that `setting` names; nil after a problem was reported.
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

/// The setting `certificate` that belongs to `private_key`.
enum CertificateSetting {
  /// The path of the file, whose first certificate must belong to `key`, if that is known; nil after a problem was reported.
  static func read(_ setting: Setting, of key: PrivateKey?) -> String? {
    setting.section(of: SecretForm.fileGroup, expected: "{ file: PATH } of a PEM file") { section in
      guard let setting = section.required(SecretForm.file.declaration, "the path of a PEM file"),
        let text = setting.text("the path of a PEM file")
      else { return nil }
      let path = setting.findings.resolve(path: text.value)
      do throws(CertificateFileError) {
        let certificate = try Certificate.first(inFile: path)
        if let key, !certificate.belongs(to: key) {
          setting.complain(
            "names the file \(text.shownPath), which holds a certificate of another key than private_key")
          return nil
        }
        if certificate.hasExpired { setting.warn("has expired") }
      } catch {
        setting.complain("names the file \(text.shownPath), which \(error)")
        return nil
      }
      return path
    }
  }
}

/// The setting `client_assertion`.
enum AssertionFileSetting {
  static let expected = "{ file: PATH } of a JSON Web Token"

  /// The path of the file; nil after a problem was reported. The file must be usable and exist at start. Its assertion may have
  /// expired; this is reported when a token is needed.
  static func read(_ setting: Setting) -> String? {
    setting.section(of: SecretForm.fileGroup, expected: expected) { section in
      section.hidesNames = true
      guard let setting = section.required(SecretForm.file.declaration, "the path of a file"),
        let text = setting.text("the path of a file")
      else { return nil }
      let path = setting.findings.resolve(path: text.value)
      do throws(SecretError) {
        let assertion = try SecretSource.file(path: path).read(environment: [:])
        guard assertion.withBytes({ CompactWebToken.payload(of: $0) }) != nil else {
          setting.complain("names the file \(text.shownPath), which holds no JSON Web Token")
          return nil
        }
      } catch {
        setting.complain("names the file \(text.shownPath), which \(error.complaint)")
        return nil
      }
      setting.warnOfExposure(path: path, shownPath: text.shownPath)
      return path
    }
  }
}
