/// Eight bytes that are judged at once.
///
/// Each byte is added to without its highest bit, so that no sum carries into the next byte.
struct EightBytes {
  private let word: UInt64

  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// The bytes of `word`, in any order.
  @inline(__always)
  init(_ word: UInt64) { self.word = word }

  /// Whether all are printable ASCII other than quotation marks and backslashes.
  @inline(__always)
  var areClean: Bool { areAll(areAtLeast(0x20) & areNot(UInt8(ascii: "\"")) & areNot(UInt8(ascii: "\\"))) }

  /// Whether all are clean, and neither spaces nor equals signs.
  @inline(__always)
  var areBare: Bool {
    areAll(
      areAtLeast(0x21) & areNot(UInt8(ascii: "\"")) & areNot(UInt8(ascii: "\\")) & areNot(UInt8(ascii: "=")))
  }

  // Bit 7 of each byte is the answer for that byte; what else is set means nothing.

  @inline(__always)
  private func areAll(_ answers: UInt64) -> Bool {
    let arePrintable = ~word & ~((word & ~Self.highBits) &+ Self.repeated(1))
    return answers & arePrintable & Self.highBits == Self.highBits
  }

  @inline(__always)
  private func areAtLeast(_ byte: UInt8) -> UInt64 {
    (word & ~Self.highBits) &+ Self.repeated(0x80 - byte)
  }

  @inline(__always)
  private func areNot(_ byte: UInt8) -> UInt64 {
    ((word & ~Self.highBits) ^ Self.repeated(byte)) &+ Self.repeated(0x7F)
  }

  @inline(__always)
  private static func repeated(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }
}
