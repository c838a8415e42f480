internal import Addresses
internal import Encodings

/// A host and a port, as in a request target or a Host field (RFC 9110 7.2, RFC 3986 3.2).
public struct Authority: Sendable, Equatable {
  /// What a host is.
  public enum Kind: Sendable, Equatable {
    /// A name of letters, digits, hyphens, underscores and dots.
    case name
    /// An address in four decimal numbers.
    case ipv4(UInt32)
    /// An address in brackets, whatever of its many spellings was used.
    case ipv6(UInt128)
  }

  /// The host as it was received: without the brackets of an IPv6 address, with the dot that may end a name.
  public internal(set) var host: ByteRange
  /// What the host is.
  public internal(set) var kind: Kind
  /// The port; nil if there is none, or an empty one.
  public internal(set) var port: UInt16?

  /// Whether the host ends with a dot, as a fully qualified name may; `nameWithoutDot` is the same host without.
  public internal(set) var hasTrailingDot = false

  /// The host without the dot that may end it.
  public var nameWithoutDot: ByteRange {
    ByteRange(start: host.start, end: hasTrailingDot ? host.end - 1 : host.end)
  }

  /// Whether the host is an IPv6 address, which needs brackets where a port may follow.
  public var isIPv6Literal: Bool {
    if case .ipv6 = kind { return true }
    return false
  }
}

extension Authority {
  /// Takes `host[:port]` apart.
  ///
  /// Stricter than RFC 3986, where programs would disagree about the rest: no user name, no percent-encoding, no
  /// `!$&'()*+,;=~`, no zone of an IPv6 address, no empty label, and nothing that looks like an IPv4 address but is not
  /// four decimal numbers (`127.1`, `0x7f.1`, `2130706433`, `010.0.0.1`).
  static func parse(_ bytes: Span<UInt8>, _ range: ByteRange) throws(WireError) -> Authority {
    guard !range.isEmpty else { throw .emptyHost }
    let start = Int(range.start)
    let end = Int(range.end)
    var position = start
    while position < end, ByteClass.contains(bytes[position], ByteClass.hostName) { position &+= 1 }
    var authority: Authority
    if bytes[start] == UInt8(ascii: "[") {
      position = start
      while position < end, bytes[position] != UInt8(ascii: "]") { position += 1 }
      let literal = ByteRange(start + 1..<max(start + 1, position))
      guard position < end, let address = IPAddress.v6(in: bytes, literal.range) else { throw fault(bytes, range) }
      position += 1
      authority = Authority(host: literal, kind: .ipv6(address))
    } else {
      guard position == end || bytes[position] == UInt8(ascii: ":") else { throw fault(bytes, range) }
      guard position > start else { throw .emptyHost }
      authority = Authority(host: ByteRange(start..<position), kind: .name)
      try authority.checkName(bytes)
    }
    if position < end { authority.port = try parsePort(bytes, from: position, to: end) }
    return authority
  }

  private static func fault(_ bytes: Span<UInt8>, _ range: ByteRange) -> WireError {
    for offset in range.range where bytes[offset] == UInt8(ascii: "@") { return .userinfo }
    return .invalidHost
  }

  /// `:port` up to `end`; the digits may be missing (RFC 3986 3.2.3).
  private static func parsePort(_ bytes: Span<UInt8>, from start: Int, to end: Int) throws(WireError) -> UInt16? {
    for offset in start..<end where bytes[offset] == UInt8(ascii: "@") { throw .userinfo }
    guard bytes[start] == UInt8(ascii: ":") else { throw .invalidHost }
    guard end - start > 1 else { return nil }
    guard end - start <= 6 else { throw .invalidPort }
    var port: UInt32 = 0
    for offset in start + 1..<end {
      guard bytes[offset].isDigit else { throw .invalidPort }
      port = port * 10 + UInt32(bytes[offset] & 0x0f)
    }
    guard port > 0, let port = UInt16(exactly: port) else { throw .invalidPort }
    return port
  }

  /// Labels of 1 to 63 bytes, 253 in all, and no number that is not an address.
  private mutating func checkName(_ bytes: Span<UInt8>) throws(WireError) {
    let start = Int(host.start)
    var end = Int(host.end)
    if bytes[end - 1] == UInt8(ascii: ".") {
      hasTrailingDot = true
      end -= 1
    }
    guard end > start, end - start <= 253 else { throw .invalidHost }
    var label = start
    for position in start..<end where bytes[position] == UInt8(ascii: ".") {
      guard position > label, position - label <= 63 else { throw .invalidHost }
      label = position + 1
    }
    guard end > label, end - label <= 63 else { throw .invalidHost }
    guard isNumber(bytes, from: label, to: end) else { return }
    guard !hasTrailingDot, let address = IPAddress.v4(in: bytes, host.range) else { throw .ambiguousAddress }
    kind = .ipv4(address)
  }

  /// Whether a label is all digits, or `0x` and hexadecimal digits: then programs take the host for an address.
  private func isNumber(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
    guard bytes[start].isDigit else { return false }
    var position = start
    var digits: (UInt8) -> Bool = { $0.isDigit }
    if end - start >= 2, bytes[start] == UInt8(ascii: "0"), bytes[start + 1] | 0x20 == UInt8(ascii: "x") {
      digits = { $0.isHexDigit }
      position += 2
    }
    while position < end {
      guard digits(bytes[position]) else { return false }
      position += 1
    }
    return true
  }
}

extension Authority {
  /// Whether the host is one of the names that always mean this machine (RFC 6761 6.3): `localhost`, and all below it.
  public func isLocalhost(_ bytes: Span<UInt8>) -> Bool {
    let length = 9
    let name = nameWithoutDot
    guard kind == .name, name.count >= length else { return false }
    let start = Int(name.end) - length
    guard name.count == length || bytes[start - 1] == UInt8(ascii: ".") else { return false }
    return bytes.equals("localhost", count: length, at: start)
  }
}
