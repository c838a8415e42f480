public import Addresses

/// The hosts that an authority may issue certificates for (RFC 5280 section 4.2.1.10).
public struct AuthorityScope: Hashable, Sendable {
  /// Names; each includes all names below it, because the constraint has no other form.
  public let names: [String]
  /// Individual addresses.
  public let addresses: [IPAddress]

  /// The scope of exactly `hosts` and all names below them. Names below other names are left out.
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

  /// Whether it contains no host.
  public var isEmpty: Bool { names.isEmpty && addresses.isEmpty }

  /// A domain without hosts (RFC 6761). It is the permitted name if there is no other, because a kind of name without a
  /// constraint is not constrained at all, and not every verifier supports the empty name.
  static let noName = "invalid"

  /// The extension, in the syntax of OpenSSL's configuration.
  var extensionValue: String {
    var parts = (names.isEmpty ? [Self.noName] : names).map { "permitted;DNS:\($0)" }
    parts += addresses.map { address in
      switch address {
      case .v4: "permitted;IP:\(address.text)/255.255.255.255"
      case .v6: "permitted;IP:\(address.text)/\(Self.wholeMask)"
      }
    }
    // Java compares addresses of different families, and fails on "::/0" if IPv4 addresses are permitted: if addresses are
    // permitted, exclude none. Verifiers treat the other family as not permitted.
    if addresses.isEmpty { parts += ["excluded;IP:0.0.0.0/0.0.0.0", "excluded;IP:::/::"] }
    return "critical," + parts.joined(separator: ",")
  }

  private static let wholeMask = [String](repeating: "ffff", count: 8).joined(separator: ":")
}

extension AuthorityScope: CustomStringConvertible {
  /// The permitted hosts: `orders.example.com and below it, 10.0.0.1`.
  public var description: String {
    (names.map { "\($0) and below it" } + addresses.map(\.text)).joined(separator: ", ")
  }
}
