/// A value in proxy.conf, with its name for messages.
struct Setting {
  let node: Node
  let path: String
  let findings: Findings

  /// Where the value begins.
  var mark: Mark { node.mark }

  /// The value, read as `format` says; nil after a problem was noted.
  func value<Value>(_ format: Format<Value>) -> Value? {
    guard let text = text(format.expected) else { return nil }
    do {
      return try format.read(text.value)
    } catch {
      complain("must be \(error.expected ?? format.expected)\(text.found(error))")
      return nil
    }
  }

  /// The values of a list with something in it; nil after a problem was noted.
  func list(_ expected: String) -> [Setting]? {
    guard case .sequence(let nodes) = node.content else { return mismatch(expected) }
    guard !nodes.isEmpty else {
      complain("must be \(expected), not an empty list")
      return nil
    }
    return nodes.enumerated().map { Setting(node: $1, path: "\(path)[\($0)]", findings: findings) }
  }

  /// The values of a list with something in it, or the one value that stands for a list of one; nil after a problem was
  /// noted.
  func items(_ expected: String) -> [Setting]? {
    written == nil ? list("\(expected), or a list of those") : [self]
  }

  /// The settings of a mapping, read by `body`, after which those it did not ask for are problems; nil after a problem
  /// with the mapping itself was noted.
  func section<Value>(expected: String = "a mapping of settings", _ body: (Section) -> Value?) -> Value? {
    guard case .mapping(let entries) = node.content else { return mismatch(expected) }
    let section = Section(entries, mark: mark, path: path, findings: findings)
    let value = body(section)
    section.refuseUnknown()
    return value
  }

  /// The text as it is written, `${NAME}` and all; nil when it is no text.
  var written: String? {
    guard case .scalar(let text, isNothing: false) = node.content else { return nil }
    return text
  }

  /// Notes a problem as a sentence that goes on after the setting's name.
  func complain(_ complaint: String) {
    findings.problem(mark, about: path, complaint)
  }

  /// Notes a warning as a sentence that goes on after the setting's name.
  func warn(_ remark: String) {
    findings.warning(mark, about: path, remark)
  }

  /// The text with variables replaced; nil after a problem was noted.
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
    case .refused: break  // What was refused has been reported.
    case .scalar(_, isNothing: true): complain("must be \(expected), not nothing")
    case .scalar: complain("must be \(expected), not text")
    case .sequence: complain("must be \(expected), not a list")
    case .mapping: complain("must be \(expected), not a mapping")
    }
    return nil
  }
}
