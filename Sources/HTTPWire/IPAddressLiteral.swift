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

/// Addresses of eight groups in hexadecimal.
enum IPv6Address {
  /// The address at `range`, without brackets, or nil (RFC 3986 3.2.2). Zones are not accepted.
  static func parse(_ bytes: Span<UInt8>, _ range: ByteRange) -> UInt128? {
    let end = Int(range.end)
    var position = Int(range.start)
    var address: UInt128 = 0
    var groups = 0
    var gap: Int?
    if isGap(bytes, at: position, end) {
      gap = 0
      position += 2
    }
    while position < end {
      let start = position
      var group: UInt128 = 0
      while position < end, position - start < 4, let digit = ByteClass.hexValue(bytes[position]) {
        group = group << 4 | UInt128(digit)
        position += 1
      }
      guard position > start else { return nil }
      if position < end, bytes[position] == UInt8(ascii: ".") {
        guard groups <= 6, let last = IPv4Address.parse(bytes, ByteRange(start..<end)) else { return nil }
        address = address << 32 | UInt128(last)
        groups += 2
        break
      }
      address = address << 16 | group
      groups += 1
      guard groups <= 8 else { return nil }
      if position == end { break }
      if isGap(bytes, at: position, end) {
        guard gap == nil else { return nil }
        gap = groups
        position += 2
      } else {
        guard bytes[position] == UInt8(ascii: ":"), position + 1 < end else { return nil }
        position += 1
      }
    }
    guard let gap else { return groups == 8 ? address : nil }
    guard groups < 8 else { return nil }
    let below = 16 * (groups - gap)
    let high = address >> UInt128(below)
    return high << UInt128(16 * (8 - gap)) | (address & ((1 << UInt128(below)) - 1))
  }

  private static func isGap(_ bytes: Span<UInt8>, at position: Int, _ end: Int) -> Bool {
    position + 1 < end && bytes[position] == UInt8(ascii: ":") && bytes[position + 1] == UInt8(ascii: ":")
  }
}
