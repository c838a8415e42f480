extension LineBuffer {
  /// Appends the first `limit` bytes of `value` as a value of logfmt: as it is, or as a JSON string if it is empty or
  /// could be mistaken for something else.
  mutating func append(logfmtValue value: Span<UInt8>, limit: Int) {
    if !value.isEmpty && value.count <= limit && value.isBare {
      append(value)
    } else {
      append(quoted: value, limit: limit)
    }
  }

  /// Appends the first `limit` bytes of `value` as a JSON string in printable characters, an ellipsis for the rest.
  ///
  /// Control characters, line separators and what changes the direction of text are written as `\u....`, so that no
  /// value can end a line, or look as if it did. A byte that is not part of valid UTF-8 is written as the four
  /// characters `\xHH`, with the backslash escaped: JSON has nothing for it.
  mutating func append(quoted value: Span<UInt8>, limit: Int) {
    append(UInt8(ascii: "\""))
    let shown = value.count <= limit ? value : value.extracting(first: value.boundary(before: limit))
    if shown.isClean {
      append(shown)
    } else {
      append(escaping: shown)
    }
    if shown.count < value.count { append("…") }
    append(UInt8(ascii: "\""))
  }

  private mutating func append(escaping value: Span<UInt8>) {
    var index = 0
    while index < value.count {
      guard let (scalar, length) = value.scalar(at: index) else {
        append("\\\\x")
        append(hexadecimal: UInt32(value[index]), digits: 2)
        index += 1
        continue
      }
      switch scalar {
      case 0x22: append("\\\"")
      case 0x5C: append("\\\\")
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case _ where Self.isShownAsItIs(scalar): append(value.extracting(index..<(index + length)))
      default:
        append("\\u")
        append(hexadecimal: scalar, digits: 4)
      }
      index += length
    }
  }

  // C0, DEL and C1 drive terminals; U+2028 and U+2029 end lines for some readers; the others reorder what is shown.
  private static func isShownAsItIs(_ scalar: UInt32) -> Bool {
    switch scalar {
    case ..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: false
    default: true
    }
  }

  private mutating func append(hexadecimal number: UInt32, digits: Int) {
    for position in stride(from: digits - 1, through: 0, by: -1) {
      let digit = UInt8(truncatingIfNeeded: (number >> (4 * UInt32(position))) & 0xF)
      append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}
