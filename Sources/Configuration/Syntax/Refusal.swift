/// Why a value is not accepted.
struct Refusal: Error, Equatable {
  /// What would have been accepted, when that is narrower than what the format says in general.
  var expected: String?
  /// How to mend it.
  var hint: String?

  /// Whether the value may hold a password or secret, and is not to be shown.
  var hidesValue: Bool

  init(expected: String? = nil, _ hint: String? = nil, hidesValue: Bool = false) {
    self.expected = expected
    self.hint = hint
    self.hidesValue = hidesValue
  }
}
