/// The settings of one mapping. It learns which there are from being asked for them.
final class Section {
  let mark: Mark
  let path: String
  let findings: Findings

  /// Set when what stands in the place of a name may be a secret, as in `client_secret: {s3cret}`.
  var hidesNames = false

  private let entries: [Node.Entry]
  private var known: [String] = []
  private var elsewhere: [String: String] = [:]

  init(_ entries: [Node.Entry], mark: Mark, path: String, findings: Findings) {
    self.entries = entries
    self.mark = mark
    self.path = path
    self.findings = findings
  }

  /// Every setting under its name, for mappings whose names are the user's to choose.
  var all: [(name: String, keyMark: Mark, setting: Setting)] {
    known = entries.map(\.key)
    return entries.map { ($0.key, $0.keyMark, setting($0)) }
  }

  /// The setting `name`, if it is there.
  subscript(name: String) -> Setting? {
    if !known.contains(name) { known.append(name) }
    return entries.first { $0.key == name }.map(setting)
  }

  /// The setting `name`; nil after the problem that it is missing was noted.
  func required(_ name: String, _ expected: String) -> Setting? {
    if let setting = self[name] { return setting }
    missing(name, "it must be \(expected)")
    return nil
  }

  /// Notes that the setting `name` is missing, with an `explanation`.
  func missing(_ name: String, _ explanation: String) {
    findings.problem(mark, about: SettingPath.join(path, name), "is missing; \(explanation)")
  }

  /// The value of the setting `name`; nil when it is not there, or after a problem was noted.
  func value<Value>(_ name: String, _ format: Format<Value>) -> Value? {
    self[name]?.value(format)
  }

  /// The value of the setting `name`; nil after a problem was noted.
  func required<Value>(_ name: String, _ format: Format<Value>) -> Value? {
    required(name, format.expected)?.value(format)
  }

  /// Puts the value of the setting `name` into `target`, if it is there and right.
  func read<Value>(_ name: String, _ format: Format<Value>, into target: inout Value) {
    if let value = value(name, format) { target = value }
  }

  /// Reads the section `name`, if it is there.
  func section<Value>(_ name: String, _ body: (Section) -> Value?) -> Value? {
    self[name]?.section(body)
  }

  /// Says of the settings `names`, when somebody puts them here, that they belong to `place`.
  func belong(_ names: [String], to place: String) {
    for name in names { elsewhere[name] = place }
  }

  /// Notes a problem as a sentence that goes on after the section's name.
  func complain(_ complaint: String) {
    findings.problem(mark, about: path, complaint)
  }

  /// Notes a problem for every setting that nobody asked for.
  func refuseUnknown() {
    let known = Set(self.known)
    for entry in entries where !known.contains(entry.key) {
      findings.problem(entry.keyMark, path: path, complaint(about: entry.key))
    }
  }

  private func complaint(about name: String) -> String {
    if let place = elsewhere[name] { return "\(displayed(name)) belongs to \(place)" }
    let unknown = hidesNames ? "unknown setting" : "unknown setting \(displayed(name))"
    if let meant = suggestion(for: name, among: known) { return "\(unknown); did you mean \"\(meant)\"?" }
    return "\(unknown); known: \(known.joined(separator: ", "))"
  }

  private func setting(_ entry: Node.Entry) -> Setting {
    Setting(node: entry.value, path: SettingPath.join(path, entry.key), findings: findings)
  }
}
