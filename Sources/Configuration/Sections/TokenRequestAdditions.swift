internal import Encodings
public import Secrets

/// Additions to a token request beyond the standard.
public struct TokenRequestAdditions: Sendable {
  /// Form fields by name.
  public var parameters: [String: String] = [:]
  /// The values of header fields by name, in lower case.
  public var headers: [String: Secret] = [:]

  /// Nothing.
  public init() {}
}

extension TokenRequestAdditions {
  /// Reads `parameters` and `headers` of credentials.
  mutating func read(_ section: Section) {
    _ = section[CredentialsSettings.parameters]?.section(of: nil) { readParameters($0) }
    _ = section[CredentialsSettings.headers]?.section(of: nil) { readHeaders($0) }
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
    case _ where name.hasPrefix("client_assertion"): "is made by authentication: private_key_jwt or client_assertion"
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
    Format(
      "an absolute URI such as https://orders.example.com/", .text("URI", pattern: "[A-Za-z][A-Za-z0-9+.-]*:[^ #]*")
    ) { text throws(Refusal) in
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

/// The field that carries a route's token.
public struct TokenField: Sendable, Hashable {
  /// The field's name.
  public var header = "Authorization"
  /// The word before the token, separated by a space; "" for the token alone.
  public var scheme = "Bearer"
  /// Whether proxy.conf sets it: then it overrides the token type from the authorization server.
  public var isSchemeWritten = false

  /// `Authorization: Bearer`, as in RFC 6750.
  public init() {}

  /// Whether it is HTTP's own field for credentials (RFC 9110 section 11.6.2).
  public var isAuthorization: Bool { header.lowercased() == "authorization" }
}

extension TokenField {
  /// The mapping `token` of a route.
  static let group = SettingGroup("token", "Where the token goes.", fields.map(\.declaration))

  private static let scheme = Field(
    "scheme", \.scheme, .tokenScheme, in: TokenField(), "the word before the token; `\"\"` for the token alone")
  private static let fields: [Field<TokenField>] = [
    Field(
      "header", \.header, .tokenHeader, in: TokenField(),
      "the field; the client's own field of that name is never forwarded"),
    scheme,
  ]

  /// Reads the section `token` of a route.
  static func read(_ section: Section, hasToken: Bool) -> TokenField {
    var field = TokenField()
    guard let setting = section[RouteSettings.token] else { return field }
    guard hasToken else {
      setting.complain("is for a token, but with credentials: none there is no token")
      return field
    }
    _ = setting.section(of: group) { section in
      section.read(fields, into: &field)
      field.isSchemeWritten = section[scheme.declaration] != nil
    }
    return field
  }
}

extension Format<String> {
  /// The name of a field that may carry a token: one without a meaning on the way to the upstream.
  static var tokenHeader: Self {
    Format(
      "the name of a field such as Authorization or X-Api-Token",
      .text(
        "name of a field",
        pattern: Patterns.tokenHeader)
    ) {
      text throws(Refusal) in
      guard isToken(text) else { throw Refusal() }
      // Servers that pass fields to programs as in CGI do not distinguish the two.
      let name = text.lowercased().replacing("_", with: "-")
      guard !reserved.contains(name), !name.hasPrefix("proxy-") else {
        throw Refusal("HTTP has another use for that one")
      }
      return text
    }
  }

  /// The scheme before a token (RFC 9110 section 11.1).
  static var tokenScheme: Self {
    Format(
      #"a scheme such as Bearer, or "" for none"#, .text("word, or `\"\"`", pattern: Patterns.tokenScheme)
    ) { text throws(Refusal) in
      guard text.isEmpty || isToken(text) else { throw Refusal() }
      return text
    }
  }

  static var reserved: Set<String> {
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
