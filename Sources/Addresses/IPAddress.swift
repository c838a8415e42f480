internal import Glibc

/// An IP address, read from its text strictly: no octal, no hexadecimal, no shortened IPv4, no zone.
public enum IPAddress: Hashable, Sendable {
  /// Four octets, the first one highest.
  case v4(UInt32)
  /// Sixteen octets, the first one highest.
  case v6(UInt128)

  /// The address in `text`, in which IPv6 has no brackets; nil where it is none.
  public init?(_ text: some StringProtocol) {
    if text.contains(":") { self.init(v6: String(text)) } else { self.init(v4: text) }
  }

  /// The address in `text`, written as `host:port` or `[host]:port`; nil where it is none.
  public init?(ofEndpoint text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { self.init(host.dropFirst().dropLast()) } else { self.init(host) }
  }

  private init?(v4 text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var address: UInt32 = 0
    for part in parts {
      // UInt8's own parser takes "+1" and "007".
      let isNumber = part.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
      guard isNumber, part == "0" || !part.hasPrefix("0"), let octet = UInt8(part) else { return nil }
      address = address << 8 | UInt32(octet)
    }
    self = .v4(address)
  }

  private init?(v6 text: String) {
    guard !text.contains("\0") else { return nil }
    var octets = [UInt8](repeating: 0, count: 16)
    guard unsafe inet_pton(AF_INET6, text, &octets) == 1 else { return nil }
    self = .v6(octets.reduce(0) { $0 << 8 | UInt128($1) })
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

  /// Whether it is in 127.0.0.0/8 or ::1, or the former mapped into IPv6.
  public var isLoopback: Bool {
    switch unmapped {
    case .v4(let address): address >> 24 == 127
    case .v6(let address): address == 1
    }
  }
}
