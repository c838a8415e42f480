internal import Addresses

extension ProxyHeader {
  /// Reads version 2: the signature, version and command, family and transport, a length, addresses, and fields of
  /// types and lengths, which are skipped.
  static func parseBinary(_ bytes: Span<UInt8>) throws(ProxyHeaderError) -> ProxyHeader? {
    let start = signature.count
    guard bytes.count > start else { return nil }
    guard bytes[start] >> 4 == 2 else { throw .unknownVersion }
    let command = bytes[start] & 0x0F
    guard command <= 1 else { throw .unknownCommand }
    guard bytes.count >= start + 4 else { return nil }
    let family = bytes[start + 1]
    let length = start + 4 + Int(bytes.number16(at: start + 2))
    guard length <= mostBytes else { throw .tooLong }
    // LOCAL: whatever follows is to be skipped, of whichever family it is said to be.
    let size = command == 0 ? 0 : try addressSize(family)
    let first = start + 4
    guard first + 2 * size <= length else { throw .tooShort }
    guard bytes.count >= length else { return nil }
    guard size == 4 + 2 || size == 16 + 2 else { return ProxyHeader(length: length) }
    let width = size - 2
    let ports = first + 2 * width
    return ProxyHeader(
      source: Endpoint(address: bytes.address(at: first, width), port: bytes.number16(at: ports)),
      destination: Endpoint(address: bytes.address(at: first + width, width), port: bytes.number16(at: ports + 2)),
      length: length)
  }

  /// How many bytes each end has.
  private static func addressSize(_ family: UInt8) throws(ProxyHeaderError) -> Int {
    switch family {
    case 0x00: 0  // Unspecified.
    case 0x11: 4 + 2
    case 0x21: 16 + 2
    case 0x31: 108  // A Unix socket, which says nothing about who uses it.
    default: throw .unknownFamily
    }
  }
}

extension Span<UInt8> {
  fileprivate func number16(at index: Int) -> UInt16 { UInt16(self[index]) << 8 | UInt16(self[index + 1]) }

  fileprivate func address(at index: Int, _ width: Int) -> IPAddress {
    var number: UInt128 = 0
    for position in index..<index + width { number = number << 8 | UInt128(self[position]) }
    return width == 4 ? .v4(UInt32(truncatingIfNeeded: number)) : .v6(number)
  }
}
