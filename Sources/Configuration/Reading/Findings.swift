/// What is found wrong or doubtful while a file is read, and what the reading needs to know of the world.
final class Findings {
  /// The file as it is named in messages.
  let file: String
  /// What `${NAME}` stands for.
  let environment: [String: String]

  /// The variables whose values no message may show.
  var secretVariables: Set<String> = []

  private(set) var problems: [ConfigurationProblem] = []
  private(set) var warnings: [ConfigurationProblem] = []

  init(file: String, environment: [String: String]) {
    self.file = file
    self.environment = environment
  }

  /// Notes a problem with the setting `path`, which `message` goes on about: `path: message`.
  func problem(_ mark: Mark?, path: String, _ message: String) {
    problems.append(finding(mark, path: path, path.isEmpty ? message : "\(path): \(message)"))
  }

  /// Notes a problem as a sentence whose subject is the setting `path`: `path complaint`.
  func problem(_ mark: Mark, about path: String, _ complaint: String) {
    problems.append(finding(mark, path: path, "\(path.isEmpty ? "the file" : path) \(complaint)"))
  }

  /// Notes a warning as a sentence whose subject is the setting `path`: `path remark`.
  func warning(_ mark: Mark, about path: String, _ remark: String) {
    warnings.append(finding(mark, path: path, "\(path) \(remark)"))
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
