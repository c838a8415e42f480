/// A range of addresses that are not ordinary hosts on the internet, and the document that says so.
public struct SpecialAddresses: Sendable {
  /// The addresses.
  public let network: IPNetwork
  /// What they are for.
  public let kind: IPAddress.Kind
  /// What the source calls them.
  public let name: String
  /// The document that sets them aside.
  public let source: String

  private init(_ prefix: String, _ kind: IPAddress.Kind, _ name: String, _ source: String) {
    let parts = prefix.split(separator: "/")
    guard parts.count == 2, let address = IPAddress(parts[0]), let length = Int(parts[1]),
      let network = IPNetwork(address, prefixLength: length),
      "\(network.address.text)/\(network.prefixLength)" == prefix
    else { preconditionFailure("\(prefix) is no range of addresses") }
    self.network = network
    self.kind = kind
    self.name = name
    self.source = source
  }

  /// All ranges. If several contain an address, the longest prefix counts; an address in no range is a host on the internet.
  ///
  /// `global` is what the registries call globally reachable. The rest is `specialPurpose`, unless it has a kind of its own.
  /// Both registries are complete as of their update of 2025-10-09, except for `::ffff:0:0/96`: an IPv4-mapped address is
  /// treated as the IPv4 address that it contains.
  public static let all: [SpecialAddresses] = [
    // IANA IPv4 Special-Purpose Address Registry (RFC 6890, RFC 8190).
    Self("0.0.0.0/8", .unspecified, "This network", "RFC 791"),
    Self("0.0.0.0/32", .unspecified, "This host on this network", "RFC 1122"),
    Self("10.0.0.0/8", .privateNetwork, "Private-Use", "RFC 1918"),
    Self("100.64.0.0/10", .privateNetwork, "Shared Address Space", "RFC 6598"),
    Self("127.0.0.0/8", .loopback, "Loopback", "RFC 1122"),
    Self("169.254.0.0/16", .linkLocal, "Link Local", "RFC 3927"),
    Self("172.16.0.0/12", .privateNetwork, "Private-Use", "RFC 1918"),
    Self("192.0.0.0/24", .specialPurpose, "IETF Protocol Assignments", "RFC 6890"),
    Self("192.0.0.0/29", .specialPurpose, "IPv4 Service Continuity Prefix", "RFC 7335"),
    Self("192.0.0.8/32", .specialPurpose, "IPv4 dummy address", "RFC 7600"),
    Self("192.0.0.9/32", .global, "Port Control Protocol Anycast", "RFC 7723"),
    Self("192.0.0.10/32", .global, "Traversal Using Relays around NAT Anycast", "RFC 8155"),
    Self("192.0.0.170/32", .specialPurpose, "NAT64/DNS64 Discovery", "RFC 8880"),
    Self("192.0.0.171/32", .specialPurpose, "NAT64/DNS64 Discovery", "RFC 8880"),
    Self("192.0.2.0/24", .specialPurpose, "Documentation (TEST-NET-1)", "RFC 5737"),
    Self("192.31.196.0/24", .global, "AS112-v4", "RFC 7535"),
    Self("192.52.193.0/24", .global, "AMT", "RFC 7450"),
    // Deprecated; the registry does not say whether it is globally reachable.
    Self("192.88.99.0/24", .specialPurpose, "6to4 Relay Anycast", "RFC 7526"),
    Self("192.88.99.2/32", .specialPurpose, "6a44-relay anycast address", "RFC 6751"),
    Self("192.168.0.0/16", .privateNetwork, "Private-Use", "RFC 1918"),
    Self("192.175.48.0/24", .global, "Direct Delegation AS112 Service", "RFC 7534"),
    Self("198.18.0.0/15", .privateNetwork, "Benchmarking", "RFC 2544"),
    Self("198.51.100.0/24", .specialPurpose, "Documentation (TEST-NET-2)", "RFC 5737"),
    Self("203.0.113.0/24", .specialPurpose, "Documentation (TEST-NET-3)", "RFC 5737"),
    Self("240.0.0.0/4", .specialPurpose, "Reserved", "RFC 1112"),
    Self("255.255.255.255/32", .multicast, "Limited Broadcast", "RFC 919"),

    // IANA IPv6 Special-Purpose Address Registry (RFC 6890, RFC 8190).
    Self("::1/128", .loopback, "Loopback Address", "RFC 4291"),
    Self("::/128", .unspecified, "Unspecified Address", "RFC 4291"),
    Self("64:ff9b::/96", .global, "IPv4-IPv6 Translation", "RFC 6052"),
    Self("64:ff9b:1::/48", .specialPurpose, "IPv4-IPv6 Translation", "RFC 8215"),
    Self("100::/64", .specialPurpose, "Discard-Only Address Block", "RFC 6666"),
    Self("100:0:0:1::/64", .specialPurpose, "Dummy IPv6 Prefix", "RFC 9780"),
    Self("2001::/23", .specialPurpose, "IETF Protocol Assignments", "RFC 2928"),
    // The registry says "not applicable" for its reach: it depends on a server and a client that IPv4 reaches.
    Self("2001::/32", .specialPurpose, "TEREDO", "RFC 4380"),
    Self("2001:1::1/128", .global, "Port Control Protocol Anycast", "RFC 7723"),
    Self("2001:1::2/128", .global, "Traversal Using Relays around NAT Anycast", "RFC 8155"),
    Self("2001:1::3/128", .global, "DNS-SD Service Registration Protocol Anycast", "RFC 9665"),
    Self("2001:2::/48", .specialPurpose, "Benchmarking", "RFC 5180"),
    Self("2001:3::/32", .global, "AMT", "RFC 7450"),
    Self("2001:4:112::/48", .global, "AS112-v6", "RFC 7535"),
    // Returned to IANA in 2014.
    Self("2001:10::/28", .specialPurpose, "ORCHID", "RFC 4843"),
    Self("2001:20::/28", .global, "ORCHIDv2", "RFC 7343"),
    Self("2001:30::/28", .global, "Drone Remote ID Protocol Entity Tags", "RFC 9374"),
    Self("2001:db8::/32", .specialPurpose, "Documentation", "RFC 3849"),
    // The registry says "not applicable" for its reach: the IPv4 address inside decides, and is checked as well.
    Self("2002::/16", .global, "6to4", "RFC 3056"),
    Self("2620:4f:8000::/48", .global, "Direct Delegation AS112 Service", "RFC 7534"),
    Self("3fff::/20", .specialPurpose, "Documentation", "RFC 9637"),
    Self("5f00::/16", .specialPurpose, "Segment Routing (SRv6) SIDs", "RFC 9602"),
    Self("fc00::/7", .privateNetwork, "Unique-Local", "RFC 4193"),
    Self("fe80::/10", .linkLocal, "Link-Local Unicast", "RFC 4291"),

    // IANA Internet Protocol Version 6 Address Space, 2025-10-09: only 2000::/3 is assigned to hosts on the internet.
    Self("::/3", .specialPurpose, "Reserved by IETF", "RFC 4291"),
    Self("4000::/2", .specialPurpose, "Reserved by IETF", "RFC 4291"),
    Self("8000::/1", .specialPurpose, "Reserved by IETF", "RFC 4291"),
    Self("::/96", .specialPurpose, "IPv4-compatible Address", "RFC 4291"),
    Self("::ffff:0:0:0/96", .specialPurpose, "IPv4-translated Address", "RFC 2765"),
    Self("fec0::/10", .privateNetwork, "Site-Local Unicast", "RFC 3879"),
    Self("ff00::/8", .multicast, "Multicast", "RFC 4291"),

    // IANA IPv4 Multicast Address Space Registry.
    Self("224.0.0.0/4", .multicast, "Multicast", "RFC 5771"),

    // Services that give machines their credentials. Most clouds use 169.254.169.254 or an address in fe80::/10; these are the
    // others, as the clouds and cloud-init document them (2026-11).
    Self("169.254.169.254/32", .cloudMetadata, "Amazon, Azure, Google and others", "cloud-init"),
    Self("100.100.100.200/32", .cloudMetadata, "Alibaba Cloud", "cloud-init"),
    Self("100.96.0.96/32", .cloudMetadata, "Volcengine and BytePlus", "Volcengine"),
    Self("168.63.129.16/32", .cloudMetadata, "Azure WireServer", "Azure"),
    Self("192.0.0.192/32", .cloudMetadata, "Oracle Cloud", "Oracle"),
    Self("fd00:ec2::/32", .cloudMetadata, "Amazon EC2", "Amazon"),
    Self("fd20:ce::254/128", .cloudMetadata, "Google Cloud", "Google"),
    Self("fd00:c1::a9fe:a9fe/128", .cloudMetadata, "Oracle Cloud", "cloud-init"),
    Self("fd00:100::100:200/128", .cloudMetadata, "Alibaba Cloud", "cloud-init"),
    Self("fd00:42::42/128", .cloudMetadata, "Scaleway", "cloud-init"),
    Self("fd00:a9fe:a9fe::1/128", .cloudMetadata, "Akamai Cloud", "cloud-init"),
  ]
}

extension IPAddress {
  /// What an address is for, as far as this decides whether the proxy may connect to it.
  public enum Kind: Sendable, CaseIterable {
    /// A host on the internet.
    case global
    /// A host of a private network (RFC 1918, RFC 4193, RFC 6598).
    case privateNetwork
    /// This machine.
    case loopback
    /// Reserved, for documentation, or for a protocol: not a host on the internet, but a network may use it internally.
    case specialPurpose
    /// `0.0.0.0` and `::`: this machine, or no host at all.
    case unspecified
    /// An address on the same link, assigned without configuration (RFC 3927, RFC 4291 section 2.5.6).
    case linkLocal
    /// The service of a cloud provider that gives a machine its credentials.
    case cloudMetadata
    /// A group of hosts.
    case multicast

    /// What a connection requires; a later case is stricter.
    public enum Access: Comparable, Sendable {
      /// Nothing.
      case open
      /// The operator must have written the host literally, or the route must allow it.
      case restricted
      /// No setting allows it.
      case never
    }

    /// What a connection to an address of this kind requires.
    public var access: Access {
      switch self {
      case .global: .open
      case .privateNetwork, .loopback, .specialPurpose: .restricted
      case .unspecified, .linkLocal, .cloudMetadata, .multicast: .never
      }
    }

    /// Whether the proxy never connects to such an address, whatever a name or a file says.
    public var isNeverConnectedTo: Bool { access == .never }

    /// What it is called in messages.
    public var name: String {
      switch self {
      case .global: "a public address"
      case .privateNetwork: "an address of a private network"
      case .loopback: "an address of this machine"
      case .specialPurpose: "a special-purpose address, not one of the internet"
      case .unspecified: "no address of a host"
      case .linkLocal: "a link-local address"
      case .cloudMetadata: "the metadata service of a cloud"
      case .multicast: "a multicast or broadcast address"
      }
    }
  }

  /// What this address is for. An address that embeds IPv4 addresses may lead to one of them: the strictest kind counts.
  public var kind: Kind { strictest.kind }

  /// ``kind`` as a sentence that names the deciding address and its range.
  public var explanation: String {
    let (address, kind) = strictest
    let which = address == unmapped ? text : "\(text) carries \(address.text), which"
    guard let special = address.specialAddresses else { return "\(which) is \(kind.name)" }
    let range = special.network == IPNetwork(address) ? "" : ", \(special.network)"
    return "\(which) is \(kind.name) (\(special.name)\(range))"
  }

  /// The address that decides, this one or an embedded one, and its kind.
  private var strictest: (address: IPAddress, kind: Kind) {
    let outer = unmapped
    var result = (address: outer, kind: outer.ownKind)
    outer.forEachEmbedded { inner in
      let inner = IPAddress.v4(inner)
      let kind = inner.ownKind
      // If both are equally strict, the inner address explains more.
      if kind.access != .open, kind.access >= result.kind.access { result = (inner, kind) }
    }
    return result
  }

  private var ownKind: Kind { specialAddresses?.kind ?? .global }

  /// The smallest range that contains this address; embedded addresses are ignored.
  var specialAddresses: SpecialAddresses? {
    var found: Int?
    for index in SpecialAddresses.all.indices where SpecialAddresses.all[index].network.contains(self) {
      let length = SpecialAddresses.all[index].network.prefixLength
      if let other = found, SpecialAddresses.all[other].network.prefixLength >= length { continue }
      found = index
    }
    return found.map { SpecialAddresses.all[$0] }
  }

  /// Calls `body` with each IPv4 address that a translator or tunnel on the path may extract from this one.
  private func forEachEmbedded(_ body: (UInt32) -> Void) {
    guard case .v6(let address) = self else { return }
    func bits(_ count: UInt128, endingAt shift: UInt128) -> UInt32 {
      UInt32(truncatingIfNeeded: address >> shift & (1 << count - 1))
    }
    // Bits that are not a host's address belong to a longer prefix.
    func host(_ inner: UInt32) { if (1..<224).contains(inner >> 24) { body(inner) } }
    let last = bits(32, endingAt: 0)
    switch address >> 32 {
    // IPv4-compatible (RFC 4291 section 2.5.5.1), which :: and ::1 are not; IPv4-translated (RFC 2765 section 2.1); the
    // well-known prefix of NAT64 (RFC 6052 section 2.1).
    case 0 where address > 1, 0xFFFF_0000, 0x0064_ff9b_0000_0000_0000_0000: body(last)
    default: break
    }
    if address >> 80 == 0x0064_ff9b_0001 {
      // RFC 8215: the network chooses how long the translator's prefix within these 48 bits is (RFC 6052 section 2.2).
      body(last)
      host(bits(16, endingAt: 64) << 16 | bits(16, endingAt: 40))
      host(bits(8, endingAt: 64) << 24 | bits(24, endingAt: 32))
      host(bits(32, endingAt: 24))
    }
    // 6to4 (RFC 3056 section 2).
    if address >> 112 == 0x2002 { body(bits(32, endingAt: 80)) }
    // Teredo: the server, and the client with all bits inverted (RFC 4380 section 4).
    if address >> 96 == 0x2001_0000 {
      body(bits(32, endingAt: 64))
      body(~last)
    }
    // ISATAP, in any network; the masked bit says that the IPv4 address is global (RFC 5214 section 6.1).
    if bits(32, endingAt: 32) & 0xFDFF_FFFF == 0x0000_5EFE { body(last) }
  }
}
