/// The inside of JSON strings (RFC 8259, 7).
enum JSONText {
  /// Hands the bytes that the checked string `text` stands for, in UTF-8, to `write`.
  static func unescape(_ text: Span<UInt8>, _ write: (UInt8) -> Void) {
    var position = 0
    while position < text.count {
      let byte = text[position]
      position += 1
      guard byte == UInt8(ascii: "\\") else {
        write(byte)
        continue
      }
      let kind = text[position]
      position += 1
      if let plain = escaped(kind) {
        write(plain)
      } else {
        let scalar = unescapeScalar(text, &position)
        for unit in Character(scalar).utf8 { write(unit) }
      }
    }
  }

  /// What a backslash and `kind` stand for, but for `\u`.
  static func escaped(_ kind: UInt8) -> UInt8? {
    switch kind {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): kind
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "t"): 0x09
    default: nil
    }
  }

  static func hexadecimal(_ digit: UInt8) -> UInt32? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(digit - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(digit - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  /// The scalar of a `\u` escape whose digits begin at `position`, or of a surrogate pair of them; U+FFFD for half a
  /// pair.
  private static func unescapeScalar(_ text: Span<UInt8>, _ position: inout Int) -> Unicode.Scalar {
    let first = unit(text, at: position)
    position += 4
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard (0xD800..<0xDC00).contains(first), position + 6 <= text.count,
      text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u")
    else { return "\u{FFFD}" }
    let second = unit(text, at: position + 2)
    guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
    position += 6
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
  }

  private static func unit(_ text: Span<UInt8>, at position: Int) -> UInt32 {
    var unit: UInt32 = 0
    for offset in 0..<4 { unit = unit << 4 | (hexadecimal(text[position + offset]) ?? 0) }
    return unit
  }
}
