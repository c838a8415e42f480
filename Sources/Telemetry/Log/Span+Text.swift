import Glibc

extension Span<UInt8> {
  /// Whether these bytes are a value of logfmt without quotation marks. An empty value is for the caller to judge.
  var isBare: Bool { holds { $0.areBare } }

  /// Whether these bytes are printable ASCII, and can stand in a JSON string as they are.
  var isClean: Bool { holds { $0.areClean } }

  /// Whether `judgement` holds for all bytes, of which some may be shown to it twice.
  @inline(__always)
  private func holds(_ judgement: (EightBytes) -> Bool) -> Bool {
    // Every load is checked against the bounds of the span; it is called unsafe for the types that it may load.
    guard count >= 8 else { return isEmpty || judgement(EightBytes(paddedWord)) }
    var offset = 0
    while offset &+ 8 <= count {
      guard judgement(unsafe EightBytes(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))) else {
        return false
      }
      offset &+= 8
    }
    return offset == count
      || judgement(unsafe EightBytes(bytes.unsafeLoadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)))
  }

  /// One to seven bytes, some of them repeatedly.
  @inline(__always)
  private var paddedWord: UInt64 {
    if count >= 4 {
      let first = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self)
      let last = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
      return UInt64(first) << 32 | UInt64(last)
    }
    let three = UInt32(self[0]) << 16 | UInt32(self[count / 2]) << 8 | UInt32(self[count &- 1])
    return UInt64(three << 8 | three >> 16) &* 0x1_0000_0001
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

extension Span<UInt8> {
  /// How many lines end in these bytes.
  var lineCount: Int {
    // Every byte that is logged passes through here twice; memchr looks at many bytes at once.
    unsafe withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return 0 }
      var lines = 0
      var position = 0
      while let found = unsafe memchr(start + position, Int32(UInt8(ascii: "\n")), bytes.count - position) {
        lines += 1
        position = unsafe UnsafeRawPointer(found) - start + 1
      }
      return lines
    }
  }

  /// The length of as many whole lines, from the first one on, as fit into `limit` bytes.
  func wholeLines(within limit: Int) -> Int {
    guard count > limit else { return count }
    var end = Swift.max(limit, 0)
    while end > 0 && self[end - 1] != UInt8(ascii: "\n") { end -= 1 }
    return end
  }
}
