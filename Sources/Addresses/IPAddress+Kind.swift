extension IPAddress {
  /// What an address is for, as far as it matters whether a connection may be made to it.
  public enum Kind: Sendable, CaseIterable {
    /// A host on the internet.
    case global
    /// A host of a private network (RFC 1918, RFC 4193, RFC 6598).
    case privateNetwork
    /// This machine.
    case loopback
    /// This machine, or none at all: `0.0.0.0` and `::`.
    case unspecified
    /// Something on the same link that nobody configured (RFC 3927, RFC 4291 section 2.5.6).
    case linkLocal
    /// The service of a cloud provider that gives a machine its credentials.
    case cloudMetadata
    /// Many hosts at a time.
    case multicast

    /// Whether nothing that the proxy is for can be there, whatever a name or a file says.
    public var isNeverConnectedTo: Bool {
      switch self {
      case .global, .privateNetwork, .loopback: false
      case .unspecified, .linkLocal, .cloudMetadata, .multicast: true
      }
    }

    /// What it is called in messages.
    public var name: String {
      switch self {
      case .global: "a public address"
      case .privateNetwork: "an address of a private network"
      case .loopback: "an address of this machine"
      case .unspecified: "no address of a host"
      case .linkLocal: "a link-local address"
      case .cloudMetadata: "the metadata service of a cloud"
      case .multicast: "a multicast or broadcast address"
      }
    }
  }

  /// What this address is for. One that carries an IPv4 address in it (mapped, compatible, NAT64, 6to4) is for what that
  /// one is for: it may end up there.
  public var kind: Kind {
    if let entry = Self.special.first(where: { $0.network.contains(self) }) { return entry.kind }
    return embedded?.kind ?? .global
  }

  // The first that fits counts.
  private static let special: [(network: IPNetwork, kind: Kind)] = [
    // Link-local in most clouds, and then known by that. These are not.
    ("100.100.100.200", 32, .cloudMetadata), ("168.63.129.16", 32, .cloudMetadata), ("192.0.0.192", 32, .cloudMetadata),
    ("169.254.169.254", 32, .cloudMetadata), ("fd00:ec2::", 32, .cloudMetadata), ("fd20:ce::254", 128, .cloudMetadata),
    ("0.0.0.0", 8, .unspecified), ("::", 128, .unspecified), ("127.0.0.0", 8, .loopback), ("::1", 128, .loopback),
    ("169.254.0.0", 16, .linkLocal), ("fe80::", 10, .linkLocal), ("224.0.0.0", 4, .multicast),
    ("ff00::", 8, .multicast),
    ("255.255.255.255", 32, .multicast), ("10.0.0.0", 8, .privateNetwork), ("172.16.0.0", 12, .privateNetwork),
    ("192.168.0.0", 16, .privateNetwork), ("100.64.0.0", 10, .privateNetwork), ("198.18.0.0", 15, .privateNetwork),
    ("192.0.0.0", 24, .privateNetwork), ("fc00::", 7, .privateNetwork), ("fec0::", 10, .privateNetwork),
  ].compactMap { text, length, kind in
    IPAddress(text).flatMap { IPNetwork($0, prefixLength: length) }.map { ($0, kind) }
  }

  /// The IPv4 address that a translator on the way may take this one for.
  private var embedded: IPAddress? {
    guard case .v6(let address) = self else { return nil }
    let isCompatible = address >> 32 == 0
    // RFC 6052 section 2.1, and RFC 8215 as far as it is used like that.
    let isTranslated = address >> 32 == 0x0064_ff9b_0000_0000_0000_0000 || address >> 80 == 0x0064_ff9b_0001
    if isCompatible || isTranslated { return .v4(UInt32(truncatingIfNeeded: address)) }
    // 6to4, RFC 3056 section 2.
    return address >> 112 == 0x2002 ? .v4(UInt32(truncatingIfNeeded: address >> 80)) : nil
  }
}
