internal import Encodings
import Glibc

extension Span<UInt8> {
  /// Whether these bytes are a value of logfmt without quotation marks. An empty value is for the caller to judge.
  var isBare: Bool { EightBytes.all(of: self) { $0.areBare } }

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
