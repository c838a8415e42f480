internal import Encodings
import Secrets

extension TokenRequestAdditions {
  /// Reads `parameters` and `headers` of credentials.
  mutating func read(_ section: Section) {
    _ = section.section("parameters") { readParameters($0) }
    _ = section.section("headers") { readHeaders($0) }
  }

  private mutating func readParameters(_ section: Section) {
    for (name, mark, setting) in section.all {
      if let complaint = Self.complaint(aboutParameter: name) {
        section.findings.problem(mark, path: section.path, "\(displayed(name)) \(complaint)")
      } else if let value = setting.value(.line("the value of a form field")) {
        parameters[name] = value
      }
    }
  }

  private mutating func readHeaders(_ section: Section) {
    for (name, mark, setting) in section.all {
      let field = name.lowercased()
      if let complaint = Self.complaint(aboutHeader: field) ?? (headers[field] == nil ? nil : "is there twice") {
        section.findings.problem(mark, path: section.path, "\(displayed(name)) \(complaint)")
      } else if let value = ClientSecretSetting.read(setting, warnsOfText: false)?.secret {
        guard value.withBytes({ bytes in bytes.indices.allSatisfy { (0x20...0x7E).contains(bytes[$0]) } }) else {
          setting.complain("holds characters that no header field may have; printable ASCII only")
          continue
        }
        headers[field] = value
      }
    }
  }

  private static func complaint(aboutParameter name: String) -> String? {
    switch name {
    case "": "is no name"
    case "grant_type": "is always client_credentials"
    case "client_id", "client_secret", "audience", "resource": "is a setting of its own: \(name)"
    case "scope": "is a setting of the route: scopes"
    case _ where name.hasPrefix("client_assertion"): "is made by authentication: private_key_jwt"
    case _ where name.utf8.contains(where: \.isControl): "must be a single line"
    default: nil
    }
  }

  private static func complaint(aboutHeader name: String) -> String? {
    let isToken = name.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
    guard !name.isEmpty, isToken else { return "is no name of a header field" }
    switch name {
    case "authorization":
      return "is made by authentication: client_secret_basic"
    case "accept", "connection", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade":
      return "is set by the proxy itself"
    case _ where name.hasPrefix("content-"):
      return "is set by the proxy itself"
    case _ where name.hasPrefix("proxy-"):
      return "is for proxies, not for token endpoints"
    default:
      return nil
    }
  }
}

extension Format<[String]> {
  /// Resources (RFC 8707 section 2), in a list or one alone.
  static func resources(_ setting: Setting) -> [String]? {
    let format = Format<String>.resource
    guard let items = setting.items(format.expected) else { return nil }
    var resources: [String] = []
    for item in items {
      guard let resource = item.value(format) else { return nil }
      if resources.contains(resource) { item.complain("is \(displayed(resource)), which is in the list already") }
      resources.append(resource)
    }
    return resources
  }
}

extension Format<String> {
  /// An absolute URI without a fragment (RFC 8707 section 2).
  static var resource: Self {
    Format("an absolute URI such as https://orders.example.com/") { text throws(Refusal) in
      guard !text.contains("#") else { throw Refusal("leave out the fragment (#)") }
      guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon != text.startIndex,
        text.utf8.first?.isLetter == true, text.utf8.count <= 2048,
        text.utf8[..<colon].allSatisfy({ $0.isLetter || $0.isDigit || "+-.".utf8.contains($0) }),
        text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
      else { throw Refusal() }
      return text
    }
  }
}
