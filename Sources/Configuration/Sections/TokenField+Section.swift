internal import Encodings

extension TokenField {
  /// Reads the section `token` of a route.
  static func read(_ section: Section, hasToken: Bool) -> TokenField {
    var field = TokenField()
    guard let setting = section["token"] else { return field }
    guard hasToken else {
      setting.complain("is for a token, and credentials: none means without one")
      return field
    }
    _ = setting.section { section in
      section.read("header", .tokenHeader, into: &field.header)
      section.read("scheme", .tokenScheme, into: &field.scheme)
    }
    return field
  }
}

extension Format<String> {
  /// The name of a field that a token can go in: none that means something to the way there.
  static var tokenHeader: Self {
    Format("the name of a field such as Authorization or X-Api-Token") { text throws(Refusal) in
      guard isToken(text) else { throw Refusal() }
      // Servers that hand fields to programs as CGI does take one for the other.
      let name = text.lowercased().replacing("_", with: "-")
      guard !reserved.contains(name), !name.hasPrefix("proxy-") else {
        throw Refusal("HTTP has another use for that one")
      }
      return text
    }
  }

  /// What stands before a token (RFC 9110 section 11.1).
  static var tokenScheme: Self {
    Format(#"a scheme such as Bearer, or "" for none"#) { text throws(Refusal) in
      guard text.isEmpty || isToken(text) else { throw Refusal() }
      return text
    }
  }

  private static var reserved: Set<String> {
    [
      "connection", "content-encoding", "content-length", "content-range", "content-type", "cookie", "date", "expect",
      "forwarded", "host", "http2-settings", "keep-alive", "max-forwards", "origin", "proxy", "range", "te", "trailer",
      "transfer-encoding", "upgrade", "via",
    ]
  }

  private static func isToken(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 64
      && text.utf8.allSatisfy { $0.isLetter || $0.isDigit || "!#$%&'*+-.^_`|~".utf8.contains($0) }
  }
}
