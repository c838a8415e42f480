/// Whose token endpoint it is: decides the wording of hints, and nothing that is sent.
public enum TokenProvider: String, Hashable, Sendable {
  /// Kinde: hints name the step of its dashboard.
  case kinde
  /// Any other authorization server: hints say the same in plain words.
  case generic
}
