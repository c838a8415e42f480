internal import Encodings
internal import Secrets

/// Collects the problems and warnings while a file is read, with what the reader needs to know about its environment.
final class Findings {
  /// The file as it is named in messages.
  let file: String
  /// What `${NAME}` stands for.
  let environment: Environment

  /// Whether programs that print secrets are run. If not, it is checked that they could be, and their secrets are empty.
  let runsPrograms: Bool
  /// Whether the certificate authority has to be there, where a route needs it.
  let needsAuthority: Bool
  /// Whether a route needs the certificate authority, even one that has problems of its own.
  var hasInterceptedRoute = false

  /// What is called with the setting `hardening` once it is read.
  var onHardening: ((Bool) -> Void)?
  /// The variables whose values no message may show.
  var secretVariables: Set<String> = []

  /// Where a value may have been meant, but a comment begins.
  var commentedOut: Set<Mark> = []

  /// The programs that print secrets, each once, with the setting that is the first to name it.
  private(set) var programs: [(program: SecretProgram, mark: Mark, path: String)] = []

  private(set) var problems: [ConfigurationProblem] = []
  private(set) var warnings: [ConfigurationProblem] = []

  init(file: String, environment: Environment, runsPrograms: Bool = false, needsAuthority: Bool = false) {
    self.file = file
    self.environment = environment
    self.runsPrograms = runsPrograms
    self.needsAuthority = needsAuthority
  }

  /// Reports a problem with the setting `path`: `path: message`.
  func problem(_ mark: Mark?, path: String, _ message: String) {
    problems.append(finding(mark, path: path, path.isEmpty ? message : "\(path): \(message)"))
  }

  /// Reports a problem as a sentence whose subject is the setting `path`: `path complaint`.
  func problem(_ mark: Mark, about path: String, _ complaint: String) {
    problems.append(finding(mark, path: path, "\(path.isEmpty ? "the file" : path) \(complaint)"))
  }

  /// Reports a problem that names its place itself.
  func add(_ problem: ConfigurationProblem) {
    problems.append(problem)
  }

  /// Reports a warning as a sentence whose subject is the setting `path`: `path remark`.
  func warning(_ mark: Mark, about path: String, _ remark: String) {
    warnings.append(finding(mark, path: path, "\(path) \(remark)"))
  }

  /// Notes that `setting` names a program whose output is a secret.
  func add(_ program: SecretProgram, _ setting: Setting) {
    guard !programs.contains(where: { $0.program == program }) else { return }
    programs.append((program, setting.mark, setting.path))
  }

  /// `path` as a file of its own: what is relative counts from the directory of proxy.conf.
  func resolve(path: String) -> String {
    guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
    return file[...slash] + path
  }

  private func finding(_ mark: Mark?, path: String, _ message: String) -> ConfigurationProblem {
    ConfigurationProblem(file: file, line: mark?.line ?? 0, column: mark?.column ?? 0, path: path, message: message)
  }
}

/// Something in proxy.conf that is wrong, or deserves a second look: where, what, and how to fix it.
public struct ConfigurationProblem: Error, Sendable, Hashable {
  /// The file, as it was named to the proxy.
  public var file: String
  /// The line, from 1; 0 when the problem is with the file as a whole.
  public var line: Int
  /// The column in characters, from 1; 0 when the problem is with the file as a whole.
  public var column: Int
  /// The setting, such as `routes[1].timeouts.connect`; "" when the problem is with no setting.
  public var path: String
  /// The sentence to show; it names the setting itself, and never shows a secret.
  public var message: String

  /// A problem of these parts.
  public init(file: String, line: Int = 0, column: Int = 0, path: String = "", message: String) {
    self.file = file
    self.line = line
    self.column = column
    self.path = path
    self.message = message
  }
}

extension ConfigurationProblem: CustomStringConvertible {
  /// One line, in the form editors and compilers use: `proxy.conf:21:14: routes[2].timeouts.connect must be ...`.
  public var description: String {
    line > 0 ? "\(file):\(line):\(column): \(message)" : "\(file): \(message)"
  }
}

/// Why a configuration was refused: all its problems, in the order of the file.
public struct ConfigurationError: Error, Sendable, Hashable {
  /// The problems; at least one.
  public var problems: [ConfigurationProblem]

  /// An error of these problems.
  public init(problems: [ConfigurationProblem]) {
    self.problems = problems
  }

  // More lines do not help: after fixing the first hundred, the user runs the check again anyway.
  private static let shown = 100
}

extension ConfigurationError: CustomStringConvertible {
  /// A line for each problem (a hundred at most), and how many there are.
  public var description: String {
    var lines = problems.prefix(Self.shown).map(\.description)
    if problems.count > Self.shown { lines.append("... and \(problems.count - Self.shown) more") }
    lines.append("\(problems.count) \(problems.count == 1 ? "problem" : "problems"), nothing was started.")
    return lines.joined(separator: "\n")
  }
}

/// The position of a setting in proxy.conf, for problems that are found after the file was read.
public struct SettingPlace: Sendable, Hashable {
  /// The file, as it was named to the proxy.
  public var file: String
  /// The line, from 1; 0 where it is not known.
  public var line: Int
  /// The column in characters, from 1; 0 where it is not known.
  public var column: Int
  /// The setting, such as `interception.ca_key`.
  public var path: String

  /// A place of these parts.
  public init(file: String = "proxy.conf", line: Int = 0, column: Int = 0, path: String) {
    self.file = file
    self.line = line
    self.column = column
    self.path = path
  }

  /// A problem of this setting; `complaint` continues the sentence after the setting's name.
  public func problem(_ complaint: String) -> ConfigurationProblem {
    ConfigurationProblem(file: file, line: line, column: column, path: path, message: "\(path) \(complaint)")
  }
}

/// How settings are named in messages: `routes[1].timeouts.connect`.
enum SettingPath {
  /// The setting `key` of the mapping `parent`.
  static func join(_ parent: String, _ key: String) -> String {
    let name = isWord(key) ? key : displayed(key)
    return parent.isEmpty ? name : "\(parent).\(name)"
  }

  private static func isWord(_ key: String) -> Bool {
    !key.isEmpty && key.utf8.count <= 64
      && key.utf8.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
  }
}
