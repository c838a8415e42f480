extension Span<UInt8> {
  /// Whether these bytes are a value of logfmt without quotation marks. An empty value is for the caller to judge.
  var isBare: Bool {
    for index in indices where !ASCIISet.bare.contains(self[index]) { return false }
    return true
  }

  /// Whether these bytes are printable ASCII, and can stand in a JSON string as they are.
  var isClean: Bool {
    for index in indices where !ASCIISet.clean.contains(self[index]) { return false }
    return true
  }

  /// The scalar whose UTF-8 begins at `index` and its length in bytes, or nil where it is not well-formed
  /// (Unicode 16, table 3-7).
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

  /// The largest offset not above `limit` at which no UTF-8 sequence is cut in two.
  func boundary(before limit: Int) -> Int {
    var offset = limit
    while offset > 0 && limit - offset < 3 && self[offset] & 0xC0 == 0x80 { offset -= 1 }
    return self[offset] & 0xC0 == 0x80 ? limit : offset
  }
}
