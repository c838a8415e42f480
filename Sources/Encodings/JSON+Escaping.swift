// How text is written into JSON strings (RFC 8259 section 7): the same rules for responses, tokens and the log.
extension JSONText {
  /// `text` as a JSON string, quotes included.
  public static func quoted(_ text: String) -> String {
    var quoted: [UInt8] = [UInt8(ascii: "\"")]
    escape(text.utf8.span) { quoted.append($0) }
    quoted.append(UInt8(ascii: "\""))
    return String(decoding: quoted, as: UTF8.self)
  }

  /// Whether `text` is printable ASCII that needs no escape. This is a fast path for most texts; ``escape(_:_:)`` handles the
  /// others.
  @inlinable
  @inline(__always)
  public static func isClean(_ text: Span<UInt8>) -> Bool { EightBytes.all(of: text) { $0.areClean } }

  /// Passes the escaped form of `text` to `write`, byte by byte.
  ///
  /// Control characters, line separators and characters that change the direction of text are written as `\u....`, so that no
  /// value can end a line, or look as if it did. A byte that is not part of valid UTF-8 is written as the four characters
  /// `\xHH`, with the backslash escaped: JSON has no form for it.
  public static func escape(_ text: Span<UInt8>, _ write: (UInt8) -> Void) {
    let backslash = UInt8(ascii: "\\")
    var index = 0
    while index < text.count {
      guard let (scalar, length) = text.scalar(at: index) else {
        write(backslash)
        write(backslash)
        write(UInt8(ascii: "x"))
        writeHexadecimal(UInt32(text[index]), digits: 2, write)
        index += 1
        continue
      }
      if isShownAsItIs(scalar) {
        for offset in index..<index + length { write(text[offset]) }
      } else {
        write(backslash)
        if let kind = shortEscape(of: scalar) {
          write(kind)
        } else {
          write(UInt8(ascii: "u"))
          writeHexadecimal(scalar, digits: 4, write)
        }
      }
      index += length
    }
  }

  // C0, DEL and C1 control terminals; U+2028 and U+2029 end lines for some readers; the others reorder the displayed text.
  private static func isShownAsItIs(_ scalar: UInt32) -> Bool {
    switch scalar {
    case ..<0x20, 0x22, 0x5C, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: false
    default: true
    }
  }

  /// The character after the backslash, for scalars with a two-character escape.
  private static func shortEscape(of scalar: UInt32) -> UInt8? {
    switch scalar {
    case 0x22, 0x5C: UInt8(scalar)
    case 0x0A: UInt8(ascii: "n")
    case 0x0D: UInt8(ascii: "r")
    case 0x09: UInt8(ascii: "t")
    default: nil
    }
  }

  private static func writeHexadecimal(_ number: UInt32, digits: Int, _ write: (UInt8) -> Void) {
    for position in stride(from: digits - 1, through: 0, by: -1) {
      write(UInt8(truncatingIfNeeded: number >> (4 * UInt32(position))).hexDigit())
    }
  }
}

extension Span<UInt8> {
  /// The scalar whose UTF-8 begins at `index`, and its length in bytes; nil if it is not well-formed (Unicode 16, table 3-7).
  func scalar(at index: Int) -> (scalar: UInt32, length: Int)? {
    let first = self[index]
    let length: Int
    let second: ClosedRange<UInt8>
    switch first {
    case 0x00...0x7F: return (UInt32(first), 1)
    case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
    default: return nil
    }
    guard count - index >= length, second.contains(self[index + 1]) else { return nil }
    var scalar = UInt32(first) & (0x7F >> UInt32(length))
    for offset in 1..<length {
      let byte = self[index + offset]
      guard byte & 0xC0 == 0x80 else { return nil }
      scalar = scalar << 6 | UInt32(byte & 0x3F)
    }
    return (scalar, length)
  }
}
