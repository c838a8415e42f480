import Addresses
import Testing

/// A second opinion: the registries once more, as IANA writes them, read by other code than the program's.
@Suite("The table of special addresses")
struct SpecialAddressesTests {
  // The columns Address Block and Globally Reachable of iana-ipv4-special-registry-1.csv and iana-ipv6-special-registry-1.csv
  // (2025-10-09); "-" where the latter is empty or not applicable. Not here: ::ffff:0:0/96, which is IPv4, and 2002::/16,
  // whose reach is that of the address inside.
  private static let registries = """
    0.0.0.0/8 False
    0.0.0.0/32 False
    10.0.0.0/8 False
    100.64.0.0/10 False
    127.0.0.0/8 False
    169.254.0.0/16 False
    172.16.0.0/12 False
    192.0.0.0/24 False
    192.0.0.0/29 False
    192.0.0.8/32 False
    192.0.0.9/32 True
    192.0.0.10/32 True
    192.0.0.170/32 False
    192.0.0.171/32 False
    192.0.2.0/24 False
    192.31.196.0/24 True
    192.52.193.0/24 True
    192.88.99.0/24 -
    192.88.99.2/32 False
    192.168.0.0/16 False
    192.175.48.0/24 True
    198.18.0.0/15 False
    198.51.100.0/24 False
    203.0.113.0/24 False
    240.0.0.0/4 False
    255.255.255.255/32 False
    ::1/128 False
    ::/128 False
    64:ff9b::/96 True
    64:ff9b:1::/48 False
    100::/64 False
    100:0:0:1::/64 False
    2001::/23 False
    2001::/32 -
    2001:1::1/128 True
    2001:1::2/128 True
    2001:1::3/128 True
    2001:2::/48 False
    2001:3::/32 True
    2001:4:112::/48 True
    2001:10::/28 -
    2001:20::/28 True
    2001:30::/28 True
    2001:db8::/32 False
    2620:4f:8000::/48 True
    3fff::/20 False
    5f00::/16 False
    fc00::/7 False
    fe80::/10 False
    """
  // Of other registries, and of clouds.
  private static let others = """
    224.0.0.0/4 False
    100.96.0.96/32 False
    100.100.100.200/32 False
    168.63.129.16/32 False
    192.0.0.192/32 False
    fec0::/10 False
    ff00::/8 False
    """

  /// A range of either family, as numbers.
  private struct Range {
    let first: UInt128, last: UInt128
    let isV4: Bool, isReachable: Bool
    let length: Int

    init(_ line: Substring) throws {
      let fields = line.split(separator: " ")
      let parts = fields[0].split(separator: "/")
      switch try #require(IPAddress(parts[0])) {
      case .v4(let bits): (first, isV4) = (UInt128(bits), true)
      case .v6(let bits): (first, isV4) = (bits, false)
      }
      length = try #require(Int(parts[1]))
      last = first + (length == 0 ? .max : (1 << UInt128((isV4 ? 32 : 128) - length)) - 1)
      isReachable = fields[1] == "True"
    }

    /// The first and the last one, the one before and the one after.
    var boundaries: [IPAddress] {
      let most = isV4 ? UInt128(UInt32.max) : .max
      let numbers = [first == 0 ? nil : first - 1, first, last, last == most ? nil : last + 1]
      return numbers.compactMap { $0.map { isV4 ? .v4(UInt32($0)) : .v6($0) } }
    }
  }

  private static func ranges() throws -> [Range] {
    try (registries + "\n" + others).split(separator: "\n").map { try Range($0) }
  }

  /// Whether the internet leads to `address`, by the lists above alone.
  private static func isReachable(_ address: IPAddress, _ ranges: [Range]) -> Bool {
    let (number, isV4): (UInt128, Bool) =
      switch address {
      case .v4(let bits): (UInt128(bits), true)
      case .v6(let bits): (bits, false)
      }
    let fitting = ranges.filter { $0.isV4 == isV4 && $0.first <= number && number <= $0.last }
    if let smallest = fitting.max(by: { $0.length < $1.length }) { return smallest.isReachable }
    return isV4 || number >> 125 == 1
  }

  @Test("agrees with the registries at every boundary of every range")
  func boundaries() throws {
    let ranges = try Self.ranges()
    #expect(ranges.count == 56)
    var count = 0
    // What carries an address of IPv4 depends on that as well, see below.
    for range in ranges where range.first != 0x0064_ff9b << 96 {
      for address in range.boundaries {
        let isOpen = address.kind.access == .open
        #expect(isOpen == Self.isReachable(address, ranges), "\(address.text): \(address.explanation)")
        count += 1
      }
    }
    #expect(count > 200)
  }

  @Test("has a row for each of them, and for no other range of the internet")
  func rows() throws {
    for line in Self.registries.split(separator: "\n") {
      let prefix = line.split(separator: " ")[0]
      let rows = SpecialAddresses.all.filter { "\($0.network.address.text)/\($0.network.prefixLength)" == prefix }
      #expect(rows.count == 1, "\(prefix)")
    }
    let ranges = try Self.ranges()
    for row in SpecialAddresses.all where row.kind == .global && row.network.description != "2002::/16" {
      #expect(Self.isReachable(row.network.address, ranges), "\(row.network)")
    }
    #expect(SpecialAddresses.all.allSatisfy { !$0.name.isEmpty && !$0.source.isEmpty })
  }

  @Test("an address that carries one of IPv4 is as restricted as the stricter of both")
  func embedded() throws {
    let v4 = try Self.ranges().filter(\.isV4).flatMap(\.boundaries) + [IPAddress.v4(0x0808_0808)]
    for inner in v4 {
      guard case .v4(let bits) = inner else { continue }
      let number = UInt128(bits)
      let global: UInt128 = 0x2a00_1450 << 96
      let disguises: [(String, UInt128, IPAddress.Kind.Access)] = [
        ("mapped", 0xFFFF << 32 | number, .open), ("NAT64", 0x0064_ff9b << 96 | number, .open),
        ("6to4", 0x2002 << 112 | number << 80 | 1, .open), ("translated", 0xFFFF_0000 << 32 | number, .restricted),
        ("local NAT64", 0x0064_ff9b_0001 << 80 | number, .restricted),
        ("Teredo's client", 0x2001 << 112 | 0x0808_0808 << 64 | UInt128(~bits), .restricted),
        ("Teredo's server", 0x2001 << 112 | number << 64 | UInt128(~UInt32(0x0808_0808)), .restricted),
        ("ISATAP", global | 0x0000_5EFE << 32 | number, .open),
        ("global ISATAP", global | 0x0200_5EFE << 32 | number, .open),
        ("private ISATAP", 0xfd00 << 112 | 0x5EFE << 32 | number, .restricted),
        ("6to4 and ISATAP", 0x2002_0808_0808 << 80 | 0x5EFE << 32 | number, .open),
      ]
      for (name, outer, least) in disguises {
        let address = IPAddress.v6(outer)
        #expect(address.kind.access == max(least, inner.kind.access), "\(name) \(address.text) of \(inner.text)")
      }
      // 0.0.0.0 and 0.0.0.1 are :: and ::1.
      if number > 1 { #expect(IPAddress.v6(number).kind.access == max(.restricted, inner.kind.access), "compatible") }
    }
  }

  @Test(
    "in the local prefix of NAT64 the address is found wherever RFC 6052 puts it",
    arguments: [
      "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9fe:a9:fe00:1:1", "64:ff9b:1:a9:fe:a9fe::1", "64:ff9b:1:0:a9:fea9:fe00:0",
      "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:ffff:ffff:ffff:a9fe:a9fe",
    ])
  func localTranslation(text: String) throws {
    #expect(try #require(IPAddress(text)).kind.isNeverConnectedTo)
  }

  @Test(
    "is told in messages with the range",
    arguments: [
      ("240.0.0.1", "240.0.0.1 is a special-purpose address, not one of the internet (Reserved, 240.0.0.0/4)"),
      ("10.1.2.3", "10.1.2.3 is an address of a private network (Private-Use, 10.0.0.0/8)"),
      ("::ffff:10.1.2.3", "::ffff:10.1.2.3 is an address of a private network (Private-Use, 10.0.0.0/8)"),
      (
        "64:ff9b::a01:203",
        "64:ff9b::a01:203 carries 10.1.2.3, which is an address of a private network (Private-Use, 10.0.0.0/8)"
      ),
      (
        "2001:0:808:808::f7f7:f7f7",
        "2001:0:808:808::f7f7:f7f7 is a special-purpose address, not one of the internet (TEREDO, 2001::/32)"
      ),
      ("100.96.0.96", "100.96.0.96 is the metadata service of a cloud (Volcengine and BytePlus)"),
      ("100.100.100.200", "100.100.100.200 is the metadata service of a cloud (Alibaba Cloud)"),
      ("8.8.8.8", "8.8.8.8 is a public address"),
      ("192.0.0.9", "192.0.0.9 is a public address (Port Control Protocol Anycast)"),
    ])
  func explanations(text: String, expected: String) throws {
    #expect(try #require(IPAddress(text)).explanation == expected)
  }
}
