/// The text of a setting with variables replaced.
struct SettingText {
  /// The text.
  let value: String
  /// What is shown of a path: as it is written if there are variables in it, since one may hold a secret by mistake.
  let shownPath: String

  private let variables: [String]
  private let isHidden: Bool

  /// Replaces the variables in `written`.
  init(_ written: String, findings: Findings) throws(Refusal) {
    let substitution = try Substitution(written)
    value = try substitution.text(environment: findings.environment)
    variables = substitution.names
    isHidden = variables.contains(where: findings.secretVariables.contains)
    shownPath = variables.isEmpty ? findings.resolve(path: value) : written
  }

  /// What is said when `refusal` meets the text: `, not "soon"; add the unit`.
  func found(_ refusal: Refusal) -> String {
    let origin = variables.map { "${\($0)}" }.joined(separator: ", ")
    guard !isHidden else { return ", not what \(origin) holds" }
    let hint = refusal.hint.map { "; \($0)" } ?? ""
    if refusal.hidesValue { return (variables.isEmpty ? "" : ", not what \(origin) holds") + hint }
    return ", not \(displayed(value))\(variables.isEmpty ? "" : " (from \(origin))")\(hint)"
  }
}
