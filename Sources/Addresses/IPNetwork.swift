/// A range of addresses that begin with the same bits, in CIDR notation: `10.0.0.0/8`, `fd00::/8` (RFC 4632).
public struct IPNetwork: Hashable, Sendable {
  /// The first address of the range.
  public let address: IPAddress
  /// How many bits all addresses of the range have in common.
  public let prefixLength: Int

  /// The range around `address`, whose bits behind the prefix do not count. IPv4 mapped into IPv6 is taken as IPv4.
  ///
  /// Nil where the prefix is longer than the address.
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

  /// The range of `address` alone.
  public init(_ address: IPAddress) {
    self.address = address.unmapped
    prefixLength = if case .v4 = self.address { 32 } else { 128 }
  }

  /// Whether `address` is in the range; IPv4 mapped into IPv6 is IPv4.
  public func contains(_ address: IPAddress) -> Bool {
    switch (self.address, address.unmapped) {
    case (.v4(let first), .v4(let other)): prefixLength == 0 || (first ^ other) >> UInt32(32 - prefixLength) == 0
    case (.v6(let first), .v6(let other)): prefixLength == 0 || (first ^ other) >> UInt128(128 - prefixLength) == 0
    default: false
    }
  }
}

extension IPNetwork: CustomStringConvertible {
  /// In CIDR notation; an address alone without its prefix.
  public var description: String {
    switch address {
    case .v4: prefixLength == 32 ? address.text : "\(address.text)/\(prefixLength)"
    case .v6: prefixLength == 128 ? address.text : "\(address.text)/\(prefixLength)"
    }
  }
}
