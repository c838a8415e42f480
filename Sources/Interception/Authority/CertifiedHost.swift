public import Addresses

/// Whom a server's certificate is for (RFC 9525): a DNS name or an address.
public enum CertifiedHost: Hashable, Sendable {
  /// A host name in lower case without a dot at its end.
  case name(String)
  /// An address that stands in the URL itself.
  case address(IPAddress)

  /// The host in `text`, in which IPv6 has no brackets; nil for what can stand in no certificate.
  public init?(_ text: String) {
    if let address = IPAddress(text) {
      self = .address(address)
      return
    }
    let name = (text.hasSuffix(".") ? String(text.dropLast()) : text).lowercased()
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    // What follows is written into the language of OpenSSL's configuration, in which commas and colons mean something.
    guard name.utf8.count <= 253, labels.allSatisfy(Self.isLabel) else { return nil }
    self = .name(name)
  }

  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    (1...63).contains(label.count)
      && label.allSatisfy { byte in
        byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
          || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
      }
  }

  /// As an alternative name in the language of OpenSSL's configuration.
  var alternativeName: String {
    switch self {
    case .name(let name): "DNS:\(name)"
    case .address(let address): "IP:\(address.text)"
    }
  }
}

extension CertifiedHost: CustomStringConvertible {
  /// The host, an IPv6 address without brackets.
  public var description: String {
    switch self {
    case .name(let name): name
    case .address(let address): address.text
    }
  }
}
