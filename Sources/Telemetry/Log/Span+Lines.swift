import Glibc

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
