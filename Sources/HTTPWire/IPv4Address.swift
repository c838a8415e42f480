/// Addresses of four decimal numbers.
enum IPv4Address {
  /// The address at `range`, or nil: four numbers up to 255 without leading zeros (RFC 3986 3.2.2).
  static func parse(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt32? {
    var address: UInt32 = 0
    var part: UInt32 = 0
    var digits = 0
    var dots = 0
    for offset in range.range {
      let byte = bytes[offset]
      if byte == UInt8(ascii: ".") {
        guard digits > 0, dots < 3 else { return nil }
        address = address << 8 | part
        part = 0
        digits = 0
        dots += 1
        continue
      }
      guard ByteClass.isDigit(byte), digits == 0 || part > 0 else { return nil }
      part = part * 10 + UInt32(byte & 0x0f)
      digits += 1
      guard part <= 255 else { return nil }
    }
    guard dots == 3, digits > 0 else { return nil }
    return address << 8 | part
  }
}
