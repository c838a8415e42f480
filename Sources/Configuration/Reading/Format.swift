/// How the text of a setting is read as a value of a type.
struct Format<Value> {
  /// What is accepted, to follow "must be": `a duration such as 500ms or 10s`.
  let expected: String
  /// Reads a text; throws what is wrong with it.
  let read: (String) throws(Refusal) -> Value

  init(_ expected: String, read: @escaping (String) throws(Refusal) -> Value) {
    self.expected = expected
    self.read = read
  }
}
