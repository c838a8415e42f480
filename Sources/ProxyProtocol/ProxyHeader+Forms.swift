internal import Addresses

extension ProxyHeader {
  private static let longestLine = 107

  /// Parses version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 50000 80`, and CR LF.
  static func parseLine(_ bytes: Span<UInt8>) throws(ProxyHeaderError) -> ProxyHeader? {
    var end = keyword.count
    while end < bytes.count, bytes[end] != UInt8(ascii: "\r") {
      // Only printable ASCII, so that it cannot hide another kind of line end.
      guard (0x20...0x7E).contains(bytes[end]) else { throw .malformedLine }
      end += 1
    }
    guard end + 2 <= longestLine else { throw .lineTooLong }
    guard end + 1 < bytes.count else { return nil }
    guard bytes[end + 1] == UInt8(ascii: "\n") else { throw .malformedLine }

    let words = bytes.words(from: keyword.count, to: end)
    let length = end + 2
    // By the specification, the rest of this line has no meaning.
    if words.first == "UNKNOWN" { return ProxyHeader(length: length) }
    guard words.count == 5 else { throw .malformedLine }
    let isV4 = words[0] == "TCP4"
    guard isV4 || words[0] == "TCP6" else { throw .unknownFamily }
    return ProxyHeader(
      source: Endpoint(address: try address(words[1], isV4), port: try port(words[3])),
      destination: Endpoint(address: try address(words[2], isV4), port: try port(words[4])), length: length)
  }

  private static func address(_ text: String, _ isV4: Bool) throws(ProxyHeaderError) -> IPAddress {
    switch IPAddress(text) {
    case .v4(let address) where isV4: .v4(address)
    case .v6(let address) where !isV4: .v6(address)
    default: throw .malformedAddress
    }
  }

  private static func port(_ text: String) throws(ProxyHeaderError) -> UInt16 {
    let isNumber = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard isNumber, text == "0" || !text.hasPrefix("0"), let port = UInt16(text) else { throw .malformedPort }
    return port
  }
}

extension Span<UInt8> {
  /// The words between single spaces; two consecutive spaces enclose an empty word.
  fileprivate func words(from start: Int, to end: Int) -> [String] {
    var words: [String] = []
    var word: [UInt8] = []
    for index in start..<end {
      if self[index] == UInt8(ascii: " ") {
        words.append(String(decoding: word, as: UTF8.self))
        word.removeAll(keepingCapacity: true)
      } else {
        word.append(self[index])
      }
    }
    return words + [String(decoding: word, as: UTF8.self)]
  }
}

extension ProxyHeader {
  /// Parses version 2: the signature, version and command, family and transport, a length, addresses, and type-length fields,
  /// which are skipped.
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
    // LOCAL: skip what follows, whatever its family.
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

  /// The size of one end: its address and port.
  private static func addressSize(_ family: UInt8) throws(ProxyHeaderError) -> Int {
    switch family {
    case 0x00: 0  // Unspecified.
    case 0x11: 4 + 2
    case 0x21: 16 + 2
    case 0x31: 108  // A Unix socket, which does not identify its user.
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
