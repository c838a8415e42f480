extension CallerRule {
  private static var anyKnown: String { "required" }

  /// Reads `callers` of a listener: `required`, or names. Nil after a problem was noted.
  static func read(_ setting: Setting, _ callers: CallersTable) -> CallerRule? {
    guard setting.written == anyKnown else { return callers.indices(setting).map { .oneOf($0) } }
    guard !callers.names.isEmpty else {
      setting.complain("is \(anyKnown), and no callers are defined")
      return nil
    }
    return .known
  }
}
