internal import Addresses
internal import Encodings

/// A host and a port, from a request target or a Host field (RFC 9110 section 7.2, RFC 3986 section 3.2).
public struct Authority: Sendable, Equatable {
  /// The kind of host.
  public enum Kind: Sendable, Equatable {
    /// A name of letters, digits, hyphens, underscores and dots.
    case name
    /// An address in four decimal numbers.
    case ipv4(UInt32)
    /// An address in brackets, in any of its spellings.
    case ipv6(UInt128)
  }

  /// The host as received: without the brackets of an IPv6 address, but with the dot that may end a name.
  public internal(set) var host: ByteRange
  /// The kind of host.
  public internal(set) var kind: Kind
  /// The port; nil if it is missing or empty.
  public internal(set) var port: UInt16?

  /// Whether the host ends with a dot, as a fully qualified name may; see ``nameWithoutDot``.
  public internal(set) var hasTrailingDot = false

  /// The host without a final dot.
  public var nameWithoutDot: ByteRange {
    ByteRange(start: host.start, end: hasTrailingDot ? host.end - 1 : host.end)
  }

  /// Whether the host is an IPv6 address, which needs brackets in front of a port.
  public var isIPv6Literal: Bool {
    if case .ipv6 = kind { return true }
    return false
  }
}

extension Authority {
  /// Parses `host[:port]`.
  ///
  /// Stricter than RFC 3986, because programs disagree about the rest: no user name, no percent-encoding, no `!$&'()*+,;=~`, no
  /// zone of an IPv6 address, no empty label, and no host that looks like an IPv4 address but is not four decimal numbers
  /// (`127.1`, `0x7f.1`, `2130706433`, `010.0.0.1`).
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

  /// Parses `:port` up to `end`; the digits may be missing (RFC 3986 section 3.2.3).
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

  /// Requires labels of 1 to 63 bytes, at most 253 bytes in all. If the last label is a number, the host must be an IPv4
  /// address.
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

  /// Whether a label is all digits, or `0x` and hexadecimal digits: programs then take the host for an address.
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
  /// Whether the host is a name that always means this machine (RFC 6761 section 6.3): `localhost`, and all names below it.
  public func isLocalhost(_ bytes: Span<UInt8>) -> Bool {
    let length = 9
    let name = nameWithoutDot
    guard kind == .name, name.count >= length else { return false }
    let start = Int(name.end) - length
    guard name.count == length || bytes[start - 1] == UInt8(ascii: ".") else { return false }
    return bytes.equals("localhost", count: length, at: start)
  }
}
