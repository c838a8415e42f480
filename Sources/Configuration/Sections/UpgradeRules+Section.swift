internal import Encodings

extension UpgradeRules {
  /// Reads `upgrade` of a route.
  static func read(_ section: Section) -> UpgradeRules {
    guard let setting = section["upgrade"] else { return .any }
    switch setting.written {
    case "any": return .any
    case "off": return .off
    default: return .listed(setting.distinct(.upgradeProtocol) ?? [])
    }
  }
}

extension Format<String> {
  /// A protocol that a connection may change to (RFC 9110 section 7.8), in small letters.
  static var upgradeProtocol: Self {
    Format("any, off, or a protocol such as websocket") { text throws(Refusal) in
      guard text != "any", text != "off" else { throw Refusal("\(text) stands alone") }
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard text.utf8.count <= 64, parts.count <= 2, parts.allSatisfy(isToken) else { throw Refusal() }
      let name = parts[0].lowercased()
      if ["http", "h2c", "h2"].contains(name) { throw Refusal("the proxy speaks HTTP/1.1 with each side for itself") }
      if name == "tls" { throw Refusal("whether there is TLS is up to the listener and to forward_to") }
      return text.lowercased()
    }
  }

  private static func isToken(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
  }
}
