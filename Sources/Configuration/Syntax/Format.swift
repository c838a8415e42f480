internal import Encodings

/// How the text of a setting becomes a value of a type.
struct Format<Value: Sendable>: Sendable {
  /// What is accepted, to follow "must be": `a duration such as 500ms or 10s`.
  let expected: String
  /// The type in the reference and in the schema.
  let type: SettingType
  /// Parses a text; throws what is wrong with it.
  let read: @Sendable (String) throws(Refusal) -> Value
  /// The inverse of ``read``, for defaults.
  let written: @Sendable (Value) -> String

  init(
    _ expected: String, _ type: SettingType, written: @escaping @Sendable (Value) -> String = { "\($0)" },
    read: @escaping @Sendable (String) throws(Refusal) -> Value
  ) {
    self.expected = expected
    self.type = type
    self.written = written
    self.read = read
  }
}

extension Format {
  /// One of the values of an enumeration, by its raw value.
  static func choice() -> Self where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    let words = Value.allCases.map(\.rawValue)
    return Format(alternatives(words), .choice(words), written: { $0.rawValue }) { text throws(Refusal) in
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
    Format("true or false", .truth) { text throws(Refusal) in
      guard text == "true" || text == "false" else { throw Refusal() }
      return text == "true"
    }
  }

  /// `on` or `off`.
  static var onOff: Self {
    Format("on or off", .onOff, written: { $0 ? "on" : "off" }) { text throws(Refusal) in
      // Programs that write YAML for older readers replace one by the other.
      switch text {
      case "on", "true": return true
      case "off", "false": return false
      default: throw Refusal()
      }
    }
  }
}

extension Format<String> {
  /// The maximum length of a free text in bytes.
  private static var longest: Int { 2048 }

  /// A name that is also used as a metric label.
  static var name: Self {
    Format("a name of 1 to 64 letters, digits, \".\", \"_\" and \"-\"", .text("name", pattern: "[A-Za-z0-9._-]{1,64}"))
    { text throws(Refusal) in
      guard isName(text) else { throw Refusal() }
      return text
    }
  }

  /// One line of text; `expected` describes it.
  static func line(_ expected: String, _ type: SettingType = .text("text")) -> Self {
    Format(expected, type) { text throws(Refusal) in
      guard !text.isEmpty else { throw Refusal() }
      guard text.utf8.count <= longest else { throw Refusal("it is longer than \(longest) bytes") }
      guard !text.utf8.contains(where: \.isControl) else { throw Refusal("it must be a single line") }
      return text
    }
  }

  /// Printable ASCII, as in a client id (RFC 6749 appendix A.1).
  static var clientID: Self {
    Format("the client id, in printable ASCII", .text("text")) { text throws(Refusal) in
      // Not shown: a wrong value here is probably the client secret.
      guard !text.isEmpty else { throw Refusal("it is empty", hidesValue: true) }
      guard text.utf8.count <= longest else { throw Refusal("it is longer than \(longest) bytes", hidesValue: true) }
      guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 <= 0x7E }) else {
        throw Refusal("it holds other characters", hidesValue: true)
      }
      return text
    }
  }

  /// One scope (RFC 6749 section 3.3).
  static var scope: Self {
    Format("a scope such as read:orders", .text("scope", pattern: #"[^ ,"\\]{1,256}"#)) { text throws(Refusal) in
      guard !text.contains(" ") else { throw Refusal("in a list each scope is an item of its own") }
      // RFC 6749 allows it, but it is nearly always meant as a separator.
      guard !text.contains(",") else { throw Refusal("scopes are separated by spaces, or are items of a list") }
      let isScope = text.utf8.allSatisfy {
        $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
      }
      guard !text.isEmpty, text.utf8.count <= 256, isScope else { throw Refusal() }
      return text
    }
  }

  static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 64
      && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || ".-_".utf8.contains($0) }
  }
}

/// Why a value is rejected.
struct Refusal: Error, Equatable {
  /// What would be accepted, if that is narrower than the format's general description.
  var expected: String?
  /// How to fix it.
  var hint: String?

  /// Whether the value may contain a password or secret, and must not be shown.
  var hidesValue: Bool

  init(expected: String? = nil, _ hint: String? = nil, hidesValue: Bool = false) {
    self.expected = expected
    self.hint = hint
    self.hidesValue = hidesValue
  }
}
