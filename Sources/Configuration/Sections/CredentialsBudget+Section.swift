extension CredentialsBudget {
  /// Reads the section `budget` of credentials; nil after a problem was noted.
  static func read(_ section: Section) -> CredentialsBudget? {
    let tokens = section.required("tokens", Format<Int>.count(1...1_000_000_000))
    let period = section.required("per", Format<Period>.choice())
    var whenSpent = WhenSpent.warn
    section.read("when_spent", .choice(), into: &whenSpent)
    guard let tokens, let period else { return nil }
    return CredentialsBudget(tokens: tokens, period: period, whenSpent: whenSpent)
  }
}
