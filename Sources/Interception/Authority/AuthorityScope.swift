public import Addresses

/// The hosts that an authority may issue certificates for (RFC 5280 section 4.2.1.10).
public struct AuthorityScope: Hashable, Sendable {
  /// Names, each of which takes those below it, too: the constraint has no other form.
  public let names: [String]
  /// Addresses, each for itself.
  public let addresses: [IPAddress]

  /// The scope of exactly `hosts`, and of what is below them. Names that are below others are left out.
  public init(_ hosts: [CertifiedHost]) {
    var names: Set<String> = []
    var addresses: Set<IPAddress> = []
    for host in hosts {
      switch host {
      case .name(let name): names.insert(name)
      case .address(let address): addresses.insert(address)
      }
    }
    self.names = names.filter { name in !names.contains { name.hasSuffix(".\($0)") } }.sorted()
    self.addresses = addresses.sorted { $0.text < $1.text }
  }

  /// Whether it has no host at all.
  public var isEmpty: Bool { names.isEmpty && addresses.isEmpty }

  /// A domain without hosts (RFC 6761). It is what is permitted where no name is, because a kind of name of which
  /// nothing is said is not constrained at all, and not every verifier knows the empty name.
  static let noName = "invalid"

  /// The extension in the language of OpenSSL's configuration.
  var extensionValue: String {
    var parts = (names.isEmpty ? [Self.noName] : names).map { "permitted;DNS:\($0)" }
    parts += addresses.map { address in
      switch address {
      case .v4: "permitted;IP:\(address.text)/255.255.255.255"
      case .v6: "permitted;IP:\(address.text)/\(Self.wholeMask)"
      }
    }
    // Java compares addresses of both families with each other, and fails over "::/0" with those of IPv4 that are permitted:
    // beside them nothing may be excluded. Verifiers take the other family for one that is not permitted.
    if addresses.isEmpty { parts += ["excluded;IP:0.0.0.0/0.0.0.0", "excluded;IP:::/::"] }
    return "critical," + parts.joined(separator: ",")
  }

  private static let wholeMask = [String](repeating: "ffff", count: 8).joined(separator: ":")
}

extension AuthorityScope: CustomStringConvertible {
  /// What is permitted: `orders.example.com and below it, 10.0.0.1`.
  public var description: String {
    (names.map { "\($0) and below it" } + addresses.map(\.text)).joined(separator: ", ")
  }
}
