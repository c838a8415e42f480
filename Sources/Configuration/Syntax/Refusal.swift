/// Why a value is not accepted.
struct Refusal: Error, Equatable {
  /// What would have been accepted, when that is narrower than what the format says in general.
  var expected: String?
  /// How to mend it.
  var hint: String?

  init(expected: String? = nil, _ hint: String? = nil) {
    self.expected = expected
    self.hint = hint
  }
}
