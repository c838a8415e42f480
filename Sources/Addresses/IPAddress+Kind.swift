extension IPAddress {
  /// What an address is for, as far as it matters whether a connection may be made to it.
  public enum Kind: Sendable, CaseIterable {
    /// A host on the internet.
    case global
    /// A host of a private network (RFC 1918, RFC 4193, RFC 6598).
    case privateNetwork
    /// This machine.
    case loopback
    /// Reserved, for documentation, or for a protocol: no host on the internet, but a network may use it for its own.
    case specialPurpose
    /// This machine, or none at all: `0.0.0.0` and `::`.
    case unspecified
    /// Something on the same link that nobody configured (RFC 3927, RFC 4291 section 2.5.6).
    case linkLocal
    /// The service of a cloud provider that gives a machine its credentials.
    case cloudMetadata
    /// Many hosts at a time.
    case multicast

    /// What it takes for a connection to be made; a later case is the stricter one.
    public enum Access: Comparable, Sendable {
      /// Nothing.
      case open
      /// A host that the operator wrote out, or a route that allows it.
      case restricted
      /// There is nothing that allows it.
      case never
    }

    /// What it takes for a connection to an address of this kind to be made.
    public var access: Access {
      switch self {
      case .global: .open
      case .privateNetwork, .loopback, .specialPurpose: .restricted
      case .unspecified, .linkLocal, .cloudMetadata, .multicast: .never
      }
    }

    /// Whether nothing that the proxy is for can be there, whatever a name or a file says.
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

  /// What this address is for. One that carries IPv4 addresses in it may end up there: the strictest of them all counts.
  public var kind: Kind { strictest.kind }

  /// ``kind`` as a sentence: which address it comes from, and which range that is in.
  public var explanation: String {
    let (address, kind) = strictest
    let which = address == unmapped ? text : "\(text) carries \(address.text), which"
    guard let special = address.specialAddresses else { return "\(which) is \(kind.name)" }
    let range = special.network == IPNetwork(address) ? "" : ", \(special.network)"
    return "\(which) is \(kind.name) (\(special.name)\(range))"
  }

  /// This address, or the one in it that counts, and what that is for.
  private var strictest: (address: IPAddress, kind: Kind) {
    let outer = unmapped
    var result = (address: outer, kind: outer.ownKind)
    outer.forEachEmbedded { inner in
      let inner = IPAddress.v4(inner)
      let kind = inner.ownKind
      // The inner one says more where both are as strict.
      if kind.access != .open, kind.access >= result.kind.access { result = (inner, kind) }
    }
    return result
  }

  private var ownKind: Kind { specialAddresses?.kind ?? .global }

  /// The smallest of the ranges that this address is in, whatever it carries.
  var specialAddresses: SpecialAddresses? {
    var found: Int?
    for index in SpecialAddresses.all.indices where SpecialAddresses.all[index].network.contains(self) {
      let length = SpecialAddresses.all[index].network.prefixLength
      if let other = found, SpecialAddresses.all[other].network.prefixLength >= length { continue }
      found = index
    }
    return found.map { SpecialAddresses.all[$0] }
  }

  /// Calls `body` with each IPv4 address that a translator or a tunnel on the way may take this one for.
  private func forEachEmbedded(_ body: (UInt32) -> Void) {
    guard case .v6(let address) = self else { return }
    func bits(_ count: UInt128, endingAt shift: UInt128) -> UInt32 {
      UInt32(truncatingIfNeeded: address >> shift & (1 << count - 1))
    }
    // What looks like an address of no host is part of a prefix that is longer.
    func host(_ inner: UInt32) { if (1..<224).contains(inner >> 24) { body(inner) } }
    let last = bits(32, endingAt: 0)
    switch address >> 32 {
    // IPv4-compatible (RFC 4291 section 2.5.5.1), which :: and ::1 are not; IPv4-translated (RFC 2765 section 2.1); the
    // well-known prefix of NAT64 (RFC 6052 section 2.1).
    case 0 where address > 1, 0xFFFF_0000, 0x0064_ff9b_0000_0000_0000_0000: body(last)
    default: break
    }
    if address >> 80 == 0x0064_ff9b_0001 {
      // RFC 8215: how long the prefix of a translator is within these 48 bits is up to the network (RFC 6052 section 2.2).
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
    // ISATAP, in any network; the bit that may be set says that the IPv4 address is a global one (RFC 5214 section 6.1).
    if bits(32, endingAt: 32) & 0xFDFF_FFFF == 0x0000_5EFE { body(last) }
  }
}
