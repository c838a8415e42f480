/// The settings written in one mapping, limited to those declared for it.
final class Section {
  /// The settings that it may have; nil if the user chooses the names.
  let group: SettingGroup?
  let mark: Mark
  let path: String
  let findings: Findings

  /// Set if the text in the place of a name may be a secret, as in `client_secret: {s3cret}`.
  var hidesNames = false

  private let entries: [Node.Entry]
  private var elsewhere: [String: String] = [:]

  init(_ entries: [Node.Entry], of group: SettingGroup?, mark: Mark, path: String, findings: Findings) {
    self.entries = entries
    self.group = group
    self.mark = mark
    self.path = path
    self.findings = findings
  }

  /// Every setting under its name, for mappings whose names the user chooses.
  var all: [(name: String, keyMark: Mark, setting: Setting)] {
    assert(group == nil, "the names are declared")
    return entries.map { ($0.key, $0.keyMark, setting($0)) }
  }

  /// The setting with this declaration, if it is written.
  subscript(declaration: SettingDeclaration) -> Setting? {
    assert(group?.known.contains(declaration.name) == true, "\(declaration.name) is not declared for \(path)")
    return entries.first { $0.key == declaration.name }.map(setting)
  }

  /// The setting with this declaration, if it is written.
  subscript<Value: Sendable>(declared: Declared<Value>) -> Setting? { self[declared.declaration] }

  /// The lines where the settings `names` begin, as far as they are written.
  func lines(of names: Set<String>) -> [String: Int] {
    Dictionary(uniqueKeysWithValues: entries.filter { names.contains($0.key) }.map { ($0.key, $0.keyMark.line) })
  }

  /// The setting that is declared so; nil after the problem that it is missing was reported.
  func required(_ declaration: SettingDeclaration, _ expected: String) -> Setting? {
    if let setting = self[declaration] { return setting }
    missing(declaration, "it must be \(expected)")
    return nil
  }

  /// Notes that a setting is missing, with an `explanation`.
  func missing(_ declaration: SettingDeclaration, _ explanation: String) {
    findings.problem(mark, about: SettingPath.join(path, declaration.name), "is missing; \(explanation)")
  }

  /// Notes that a setting is missing, with an `explanation`.
  func missing<Value: Sendable>(_ declared: Declared<Value>, _ explanation: String) {
    missing(declared.declaration, explanation)
  }

  /// The value of the setting; nil if it is not written, or after a problem was reported.
  func value<Value: Sendable>(_ declared: Declared<Value>) -> Value? {
    self[declared]?.value(declared.format)
  }

  /// The setting itself; nil after the problem that it is missing was reported.
  func requiredSetting<Value: Sendable>(_ declared: Declared<Value>) -> Setting? {
    required(declared.declaration, declared.format.expected)
  }

  /// The value of the setting; nil after a problem was reported.
  func required<Value: Sendable>(_ declared: Declared<Value>) -> Value? {
    requiredSetting(declared)?.value(declared.format)
  }

  /// Stores the values of those `fields` that are written and valid in `model`.
  func read<Model>(_ fields: [Field<Model>], into model: inout Model) {
    for field in fields { field.read(self, &model) }
  }

  /// Reads the section that is declared so, if it is there.
  func section<Value>(_ declaration: SettingDeclaration, _ body: (Section) -> Value?) -> Value? {
    self[declaration]?.section(of: declaration.type.groups.first, body)
  }

  /// Reports for each of the settings `names`, which do not belong here, where they belong.
  func belong(_ names: [String], to place: String) {
    for name in names { elsewhere[name] = place }
  }

  /// Reports a problem as a sentence that goes on after the section's name.
  func complain(_ complaint: String) {
    findings.problem(mark, about: path, complaint)
  }

  /// Reports a problem for every setting that is not declared.
  func refuseUnknown() {
    guard let group else { return }
    for entry in entries where !group.known.contains(entry.key) {
      findings.problem(entry.keyMark, path: path, complaint(about: entry.key, group.names))
    }
  }

  private func complaint(about name: String, _ known: [String]) -> String {
    if let place = elsewhere[name] { return "\(displayed(name)) belongs to \(place)" }
    let unknown = hidesNames ? "unknown setting" : "unknown setting \(displayed(name))"
    if let meant = suggestion(for: name, among: known) { return "\(unknown); did you mean \"\(meant)\"?" }
    // A name that many sections have does not tell which one was meant.
    let places = hidesNames ? [] : TopSettings.group.places(of: name)
    if (1...2).contains(places.count) { return "\(unknown); it belongs in \(places.joined(separator: " or "))" }
    return "\(unknown); known: \(known.joined(separator: ", "))"
  }

  private func setting(_ entry: Node.Entry) -> Setting {
    Setting(node: entry.value, path: SettingPath.join(path, entry.key), findings: findings)
  }
}

/// A value in proxy.conf, with its name for messages.
struct Setting {
  let node: Node
  let path: String
  let findings: Findings

  /// Where the value begins.
  var mark: Mark { node.mark }

  /// The value, read as `format` says; nil after a problem was reported.
  func value<Value: Sendable>(_ format: Format<Value>) -> Value? {
    guard let text = text(format.expected) else { return nil }
    do {
      return try format.read(text.value)
    } catch {
      complain("must be \(error.expected ?? format.expected)\(text.found(error))")
      return nil
    }
  }

  /// The values of a non-empty list; nil after a problem was reported.
  func list(_ expected: String) -> [Setting]? {
    guard case .sequence(let nodes) = node.content else { return mismatch(expected) }
    guard !nodes.isEmpty else {
      complain("must be \(expected), not an empty list")
      return nil
    }
    return nodes.enumerated().map { Setting(node: $1, path: "\(path)[\($0)]", findings: findings) }
  }

  /// The values of a list with something in it, or a single value, read as a list of one; nil after a problem was
  /// noted.
  func items(_ expected: String) -> [Setting]? {
    written == nil ? list("\(expected), or a list of those") : [self]
  }

  /// The settings of `group`, read by `body`, after which those that are not declared are problems; nil after a problem
  /// with the mapping itself was reported. Without a group the user chooses the names.
  func section<Value>(
    of group: SettingGroup?, expected: String = "a mapping of settings", _ body: (Section) -> Value?
  ) -> Value? {
    guard case .mapping(let entries) = node.content else { return mismatch(expected) }
    let section = Section(entries, of: group, mark: mark, path: path, findings: findings)
    let value = body(section)
    section.refuseUnknown()
    return value
  }

  /// The text as written, including `${NAME}`; nil if it is not a text.
  var written: String? {
    guard case .scalar(let text, isNothing: false) = node.content else { return nil }
    return text
  }

  /// Reports a problem as a sentence that goes on after the setting's name.
  func complain(_ complaint: String) {
    findings.problem(mark, about: path, complaint)
  }

  /// Reports a warning as a sentence that goes on after the setting's name.
  func warn(_ remark: String) {
    findings.warning(mark, about: path, remark)
  }

  /// The text with variables replaced; nil after a problem was reported.
  func text(_ expected: String) -> SettingText? {
    guard let written else { return mismatch(expected) }
    if let swallowed = SecretVariables.setting(namedIn: written) {
      complain("has \"\(swallowed):\" in its text; a quote or \"|\" before that is wrong, or an indentation")
      return nil
    }
    do {
      return try SettingText(written, findings: findings)
    } catch {
      findings.problem(mark, path: path, error.hint ?? "")
      return nil
    }
  }

  private func mismatch<Value>(_ expected: String) -> Value? {
    switch node.content {
    case .refused: break  // Already reported.
    case .scalar("", isNothing: true):
      let comment = findings.commentedOut.contains(mark) ? "; # begins a comment, put the value in quotes" : ""
      complain("must be \(expected), not nothing\(comment)")
    case .scalar(let null, isNothing: true):
      complain("must be \(expected), not \(null), which is nothing in YAML; leave it out, or put the word in quotes")
    case .scalar: complain("must be \(expected), not text")
    case .sequence: complain("must be \(expected), not a list")
    case .mapping: complain("must be \(expected), not a mapping")
    }
    return nil
  }
}

/// `text` without what may be a user and a password in a URL.
private func withoutUserInformation(_ text: String) -> String {
  guard let scheme = text.place(of: "://"), let at = text[scheme.upperBound...].lastIndex(of: "@") else { return text }
  return "\(text[..<scheme.upperBound])...\(text[at...])"
}

/// The text of a setting with variables replaced.
struct SettingText {
  /// The text.
  let value: String
  /// The form of a path in messages: as written if it contains variables, since one may hold a secret by mistake.
  let shownPath: String

  private let variables: [String]
  private let isHidden: Bool

  /// Replaces the variables in `written`.
  init(_ written: String, findings: Findings) throws(Refusal) {
    let substitution = try Substitution(written)
    value = try substitution.text(environment: findings.environment)
    variables = substitution.names
    isHidden = variables.contains { findings.secretVariables.contains($0) || SecretVariables.isNameOfSecret($0) }
    shownPath = variables.isEmpty ? withoutUserInformation(findings.resolve(path: value)) : written
  }

  /// The text of a message about `refusal`: `, not "soon"; add the unit`.
  func found(_ refusal: Refusal) -> String {
    let origin = variables.map { "${\($0)}" }.joined(separator: ", ")
    guard !isHidden else { return ", not what \(origin) holds" }
    let hint = refusal.hint.map { "; \($0)" } ?? ""
    if refusal.hidesValue { return (variables.isEmpty ? "" : ", not what \(origin) holds") + hint }
    return ", not \(displayed(withoutUserInformation(value)))\(variables.isEmpty ? "" : " (from \(origin))")\(hint)"
  }
}
