/// Numbers of seconds as servers write them.
enum Seconds {
  /// The value of a JSON number, or of the same in a string; nil for anything else. May be infinite, as 1e400 is.
  static func number(_ text: Span<UInt8>) -> Double? {
    var characters = ""
    for position in text.indices {
      // Narrower than what Double reads: no "inf", "nan" or hexadecimal.
      guard "0123456789+-.eE".utf8.contains(text[position]) else { return nil }
      characters.unicodeScalars.append(Unicode.Scalar(text[position]))
    }
    return Double(characters)
  }

  /// The digits of Retry-After or RateLimit-Reset as a time to wait; nil for anything else.
  static func wait(_ field: String) -> Duration? {
    guard !field.isEmpty, field.utf8.allSatisfy({ UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }) else {
      return nil
    }
    return .seconds(Int64(field) ?? .max)
  }
}
