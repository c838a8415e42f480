internal import Encodings

extension Format<String> {
  /// The most bytes of a free text.
  private static var longest: Int { 2048 }

  /// A name that also serves as a metric label.
  static var name: Self {
    Format("a name of 1 to 64 letters, digits, \".\", \"_\" and \"-\"") { text throws(Refusal) in
      guard isName(text) else { throw Refusal() }
      return text
    }
  }

  /// Text of one line; `expected` says of what.
  static func line(_ expected: String) -> Self {
    Format(expected) { text throws(Refusal) in
      guard !text.isEmpty else { throw Refusal() }
      guard text.utf8.count <= longest else { throw Refusal("it is longer than \(longest) bytes") }
      guard !text.utf8.contains(where: \.isControl) else { throw Refusal("it must be a single line") }
      return text
    }
  }

  /// Printable ASCII, which is what a client id is made of (RFC 6749 appendix A.1).
  static var clientID: Self {
    Format("the client id, in printable ASCII") { text throws(Refusal) in
      // Never shown: what stands here by mistake is likely to be the client secret.
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
    Format("a scope such as read:orders") { text throws(Refusal) in
      guard !text.contains(" ") else { throw Refusal("in a list each scope is an item of its own") }
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
