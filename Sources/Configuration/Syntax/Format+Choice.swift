extension Format {
  /// One of the values of an enumeration, by its raw value.
  static func choice() -> Self where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    let words = Value.allCases.map(\.rawValue)
    return Format(alternatives(words)) { text throws(Refusal) in
      guard let value = Value(rawValue: text) else {
        throw Refusal(suggestion(for: text, among: words).map { "did you mean \($0)?" })
      }
      return value
    }
  }
}

extension Format<Bool> {
  /// `true` or `false`.
  static var truth: Self {
    Format("true or false") { text throws(Refusal) in
      guard text == "true" || text == "false" else { throw Refusal() }
      return text == "true"
    }
  }

  /// `on` or `off`.
  static var onOff: Self {
    Format("on or off") { text throws(Refusal) in
      guard text == "on" || text == "off" else { throw Refusal() }
      return text == "on"
    }
  }
}
