/// A set of ASCII characters: a bit for each, so that asking costs no branch.
struct ASCIISet {
  /// The characters below 64, from the lowest bit on.
  let low: UInt64
  /// The characters from 64 on.
  let high: UInt64

  /// Printable ASCII without quotation marks and backslashes.
  static var clean: ASCIISet { ASCIISet(low: 0xFFFF_FFFB_0000_0000, high: 0x7FFF_FFFF_EFFF_FFFF) }
  /// ``clean`` without spaces and equals signs.
  static var bare: ASCIISet { ASCIISet(low: 0xDFFF_FFFA_0000_0000, high: 0x7FFF_FFFF_EFFF_FFFF) }

  /// Whether `byte` is one of them.
  @inline(__always)
  func contains(_ byte: UInt8) -> Bool {
    byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 != 0
  }
}
