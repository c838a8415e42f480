extension RouteReader {
  /// Which token a route puts on its requests; `credentials` is nil for none.
  struct Token {
    var credentials: Int?
    var audience: String?
    var scopes: [String] = []
    var resources: [String] = []
  }

  /// Reads `credentials`, `audience`, `resource` and `scopes`; nil after a problem was noted.
  func readToken(_ section: Section, _ matching: Matching?, _ target: Target?) -> Token? {
    let resource = section["resource"]
    let resources = resource.map(Format<[String]>.resources)
    guard var token = readTokenWithoutResource(section, matching, target) else { return nil }
    guard let index = token.credentials else {
      resource?.complain("is for a token, and credentials: none means without one")
      return token
    }
    token.resources = (resources ?? table.credentials[index].resources) ?? []
    return token
  }

  private func readTokenWithoutResource(_ section: Section, _ matching: Matching?, _ target: Target?) -> Token? {
    let named = section["credentials"]
    let audience = section["audience"]
    let scopes = section["scopes"]
    let value = audience?.value(.audience)
    let scopeList = scopes.map(readScopes) ?? []
    guard let name = credentialsName(named, section) else { return nil }
    guard name != CredentialsTable.none else {
      for setting in [audience, scopes].compactMap(\.self) {
        setting.complain("is for a token, and credentials: none means without one")
      }
      return Token()
    }
    guard let index = table.index(of: name), let scopeList, audience == nil || value != nil else { return nil }
    if let setting = target?.setting, let origin = target?.origin, origin.scheme == .http, !origin.isLoopback {
      setting.warn("is \(origin): the token travels unencrypted")
    }
    let credentials = table.credentials[index]
    if let audience = value ?? credentials.audience {
      return Token(credentials: index, audience: audience, scopes: scopeList)
    }
    guard case .kinde(let domain) = credentials.provider else { return Token(credentials: index, scopes: scopeList) }
    guard let matching, let target else { return nil }
    guard let audience = managementAudience(domain: domain, matching, target) else {
      section.missing("audience", Self.explanation(domain: domain, target))
      return nil
    }
    return Token(credentials: index, audience: audience, scopes: scopeList)
  }

  /// The name of the credentials that a route uses; nil after a problem was noted.
  private func credentialsName(_ setting: Setting?, _ section: Section) -> String? {
    let defined = table.names.joined(separator: ", ")
    guard let setting else {
      if table.names.count == 1 { return table.names[0] }
      let choice = table.names.isEmpty ? "none are defined" : "defined: \(defined)"
      section.missing("credentials", "\(choice); none forwards without a token")
      return nil
    }
    guard let name = setting.value(.name) else { return nil }
    guard name == CredentialsTable.none || table.names.contains(name) else {
      setting.complain(
        "names \(displayed(name)), which is not defined; defined: \(defined.isEmpty ? "nothing" : defined)")
      return nil
    }
    return name
  }

  private func readScopes(_ setting: Setting) -> [String]? {
    let format = Format<String>.scope
    var scopes: [String] = []
    guard case .sequence(let nodes) = setting.node.content else { return setting.value(.scopes) }
    if nodes.isEmpty { return [] }
    for item in setting.list(format.expected) ?? [] {
      guard let scope = item.value(format) else { continue }
      if scopes.contains(scope) { item.complain("is \(displayed(scope)), which is in the list already") }
      scopes.append(scope)
    }
    // With a scope that is wrong there is a problem, and then no configuration.
    return scopes
  }

  /// The audience of Kinde's management API, if that is all that the route reaches.
  private func managementAudience(domain: String, _ matching: Matching, _ target: Target) -> String? {
    guard target.origin == Origin(scheme: .https, host: domain), Self.isOwnDomain(domain) else { return nil }
    var paths = matching.matches.map { target.basePath + $0.path }
    if matching.mount != nil { paths.append(target.basePath) }
    return paths.allSatisfy { $0 == "/api" || $0.hasPrefix("/api/") } ? Self.managementAudience(domain) : nil
  }

  private static func managementAudience(_ domain: String) -> String { "https://\(domain)/api" }

  /// Whether Kinde gave the domain: the management API's audience never names a custom one.
  private static func isOwnDomain(_ domain: String) -> Bool { domain.hasSuffix(".kinde.com") }

  private static func explanation(domain: String, _ target: Target) -> String {
    let own = "it must be the identifier under which the API is registered in Kinde"
    guard target.origin?.host == domain else { return own }
    let management = isOwnDomain(domain) ? managementAudience(domain) : "https://SUBDOMAIN.kinde.com/api"
    return "\(own); that of Kinde's management API is \(management)"
  }
}

extension Format<[String]> {
  /// Scopes with spaces between them (RFC 6749 section 3.3).
  static var scopes: Self {
    Format<[String]>("scopes such as read:orders, in a list or with spaces between") { text throws(Refusal) in
      var scopes: [String] = []
      for scope in text.split(separator: " ").map(String.init) {
        guard !scopes.contains(scope) else { throw Refusal("\(displayed(scope)) is there twice") }
        scopes.append(try Format<String>.scope.read(scope))
      }
      return scopes
    }
  }
}
