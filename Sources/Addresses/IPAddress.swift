internal import Encodings
internal import Glibc

/// An IP address, read from its text strictly: no octal, no hexadecimal, no shortened IPv4, no zone.
public enum IPAddress: Hashable, Sendable {
  /// Four octets, the first one highest.
  case v4(UInt32)
  /// Sixteen octets, the first one highest.
  case v6(UInt128)

  /// Parses `text`, an address without brackets; nil if it is not an IP address.
  public init?(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    if bytes.contains(UInt8(ascii: ":")) {
      guard let address = Self.v6(in: bytes.span, 0..<bytes.count) else { return nil }
      self = .v6(address)
    } else {
      guard let address = Self.v4(in: bytes.span, 0..<bytes.count) else { return nil }
      self = .v4(address)
    }
  }

  /// Parses the address of `host:port` or `[host]:port`; nil if `text` has another form.
  public init?(ofEndpoint text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { self.init(host.dropFirst().dropLast()) } else { self.init(host) }
  }

  /// The canonical text (RFC 5952 for IPv6), without brackets.
  public var text: String {
    switch self {
    case .v4(let address):
      return (0..<4).map { String(address >> (24 - 8 * UInt32($0)) & 0xFF) }.joined(separator: ".")
    case .v6(let address):
      var octets = (0..<16).map { UInt8(truncatingIfNeeded: address >> UInt128(120 - 8 * $0)) }
      var characters = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      unsafe inet_ntop(AF_INET6, &octets, &characters, socklen_t(characters.count))
      return String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  /// The IPv4 address that is mapped into this one (RFC 4291 section 2.5.5.2); otherwise the address itself.
  public var unmapped: IPAddress {
    guard case .v6(let address) = self, address >> 32 == 0xFFFF else { return self }
    return .v4(UInt32(truncatingIfNeeded: address))
  }

  /// Whether the address is in 127.0.0.0/8 or is ::1, or is one of the former mapped into IPv6.
  public var isLoopback: Bool {
    switch unmapped {
    case .v4(let address): address >> 24 == 127
    case .v6(let address): address == 1
    }
  }
}

// MARK: - Parsing

extension IPAddress {
  /// Parses the IPv4 address at `range`; nil unless it is four numbers up to 255 without leading zeros (RFC 3986 section
  /// 3.2.2).
  public static func v4(in bytes: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
    var address: UInt32 = 0
    var part: UInt32 = 0
    var digits = 0
    var dots = 0
    for offset in range {
      let byte = bytes[offset]
      if byte == UInt8(ascii: ".") {
        guard digits > 0, dots < 3 else { return nil }
        address = address << 8 | part
        part = 0
        digits = 0
        dots += 1
        continue
      }
      guard byte &- UInt8(ascii: "0") < 10, digits == 0 || part > 0 else { return nil }
      part = part * 10 + UInt32(byte & 0x0f)
      digits += 1
      guard part <= 255 else { return nil }
    }
    guard dots == 3, digits > 0 else { return nil }
    return address << 8 | part
  }

  /// Parses the IPv6 address at `range`, without brackets and zone; nil if it is not valid (RFC 3986 section 3.2.2).
  public static func v6(in bytes: Span<UInt8>, _ range: Range<Int>) -> UInt128? {
    let end = range.upperBound
    var position = range.lowerBound
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
      while position < end, position - start < 4, let digit = bytes[position].hexValue {
        group = group << 4 | UInt128(digit)
        position += 1
      }
      guard position > start else { return nil }
      if position < end, bytes[position] == UInt8(ascii: ".") {
        guard groups <= 6, let last = v4(in: bytes, start..<end) else { return nil }
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

/// A range of addresses that begin with the same bits, in CIDR notation: `10.0.0.0/8`, `fd00::/8` (RFC 4632).
public struct IPNetwork: Hashable, Sendable {
  /// The first address of the range.
  public let address: IPAddress
  /// The length of the common prefix, in bits.
  public let prefixLength: Int

  /// The range of all addresses that share the first `prefixLength` bits with `address`; the other bits are ignored. An
  /// IPv4-mapped IPv6 address counts as IPv4.
  ///
  /// Nil if the prefix is longer than the address.
  public init?(_ address: IPAddress, prefixLength: Int) {
    let mapped = address.unmapped
    let isMapped = mapped != address && prefixLength >= 96
    let length = isMapped ? prefixLength - 96 : prefixLength
    switch isMapped ? mapped : address {
    case .v4(let bits):
      guard (0...32).contains(length) else { return nil }
      self.address = .v4(length == 0 ? 0 : bits & (UInt32.max << UInt32(32 - length)))
    case .v6(let bits):
      guard (0...128).contains(length) else { return nil }
      self.address = .v6(length == 0 ? 0 : bits & (UInt128.max << UInt128(128 - length)))
    }
    self.prefixLength = length
  }

  /// The range that contains only `address`.
  public init(_ address: IPAddress) {
    self.address = address.unmapped
    prefixLength = if case .v4 = self.address { 32 } else { 128 }
  }

  /// Whether `address` is in the range. An IPv4-mapped IPv6 address counts as IPv4.
  public func contains(_ address: IPAddress) -> Bool {
    switch (self.address, address.unmapped) {
    case (.v4(let first), .v4(let other)): prefixLength == 0 || (first ^ other) >> UInt32(32 - prefixLength) == 0
    case (.v6(let first), .v6(let other)): prefixLength == 0 || (first ^ other) >> UInt128(128 - prefixLength) == 0
    default: false
    }
  }
}

extension IPNetwork: CustomStringConvertible {
  /// CIDR notation; a single address has no prefix.
  public var description: String {
    switch address {
    case .v4: prefixLength == 32 ? address.text : "\(address.text)/\(prefixLength)"
    case .v6: prefixLength == 128 ? address.text : "\(address.text)/\(prefixLength)"
    }
  }
}

extension [IPNetwork]? {
  /// Whether `address` is in one of the ranges. Without a list, every address is; an unknown address is in none.
  public func admits(_ address: IPAddress?) -> Bool {
    guard let networks = self else { return true }
    guard let address else { return false }
    return networks.contains { $0.contains(address) }
  }
}
