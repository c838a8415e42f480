extension RouteReader {
  /// How a route gets its token.
  struct Token {
    var credentials = CredentialsChoice.noToken
    var audience: String?
    var scopes: [String] = []
    var resources: [String] = []
  }

  // An audience, or that none is needed.
  private struct UsualAudience {
    var value: String?
  }

  /// Reads `credentials`, `audience`, `resource` and `scopes`; nil after a problem was reported.
  func readToken(_ section: Section, _ matching: Matching?, _ target: Target?, _ rules: RouteRules) -> Token? {
    let resource = section[RouteSettings.resource]
    let resources = resource.map(Format<[String]>.resources)
    guard var token = readTokenWithoutResource(section, matching, target, rules) else { return nil }
    guard token.credentials.hasToken else {
      resource?.complain("is for a token, but with credentials: none there is no token")
      return token
    }
    let usual = Set(token.credentials.all.map { table.credentials[$0].resources })
    guard resource != nil || usual.count == 1 else {
      section.missing(
        RouteSettings.resource, "the credentials of its callers have different ones, and a route has one for all")
      return nil
    }
    token.resources = (resources ?? usual.first) ?? []
    return token
  }

  private func readTokenWithoutResource(
    _ section: Section, _ matching: Matching?, _ target: Target?, _ rules: RouteRules
  ) -> Token? {
    let named = section[RouteSettings.credentials]
    let audience = section[RouteSettings.audience]
    let scopes = section[RouteSettings.scopes]
    let value = audience?.value(.audience)
    let scopeList = scopes.map(readScopes) ?? []
    guard let choice = readCredentials(named, section, rules) else { return nil }
    guard choice.hasToken else {
      for setting in [audience, scopes].compactMap(\.self) {
        setting.complain("is for a token, but with credentials: none there is no token")
      }
      return Token()
    }
    guard let scopeList, audience == nil || value != nil else { return nil }
    if let setting = target?.setting, let origin = target?.origin, origin.scheme == .http, !origin.isLoopback {
      setting.warn("is \(origin): the token travels unencrypted")
    }
    if let value { return Token(credentials: choice, audience: value, scopes: scopeList) }
    var usual: Set<String?> = []
    for index in choice.all {
      guard let audience = usualAudience(table.credentials[index], section, matching, target) else { return nil }
      usual.insert(audience.value)
    }
    guard let first = usual.first, usual.count == 1 else {
      section.missing(
        RouteSettings.audience, "the credentials of its callers have different ones, and a route has one for all")
      return nil
    }
    return Token(credentials: choice, audience: first, scopes: scopeList)
  }

  /// The audience if the route sets none; nil after the problem was reported that it must.
  private func usualAudience(
    _ credentials: Credentials, _ section: Section, _ matching: Matching?, _ target: Target?
  ) -> UsualAudience? {
    if let audience = credentials.audience { return UsualAudience(value: audience) }
    guard case .kinde(let domain) = credentials.provider else { return UsualAudience(value: nil) }
    guard let matching, let target else { return nil }
    guard let audience = managementAudience(domain: domain, matching, target) else {
      section.missing(RouteSettings.audience, Self.explanation(domain: domain, target))
      return nil
    }
    return UsualAudience(value: audience)
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
    // A wrong scope is a problem, and then there is no configuration.
    return scopes
  }

  /// The audience of Kinde's management API, if the route reaches nothing else.
  private func managementAudience(domain: String, _ matching: Matching, _ target: Target) -> String? {
    guard target.origin == Origin(scheme: .https, host: domain), Self.isOwnDomain(domain) else { return nil }
    var paths = matching.matches.map { target.basePath + $0.path }
    if matching.mount != nil { paths.append(target.basePath) }
    return paths.allSatisfy { $0 == "/api" || $0.hasPrefix("/api/") } ? Self.managementAudience(domain) : nil
  }

  private static func managementAudience(_ domain: String) -> String { "https://\(domain)/api" }

  /// Whether the domain is Kinde's own: the management API's audience never contains a custom one.
  private static func isOwnDomain(_ domain: String) -> Bool { domain.hasSuffix(".kinde.com") }

  private static func explanation(domain: String, _ target: Target) -> String {
    let own = "it must be the identifier under which the API is registered in Kinde"
    guard target.origin?.host == domain else { return own }
    let management = isOwnDomain(domain) ? managementAudience(domain) : "https://SUBDOMAIN.kinde.com/api"
    return "\(own); that of Kinde's management API is \(management)"
  }
}

extension Format<[String]> {
  /// Scopes, separated by spaces (RFC 6749 section 3.3).
  static var scopes: Self {
    Format(
      "scopes such as read:orders, in a list or with spaces between",
      .text("scopes with spaces between", pattern: #"[^,"\\]*"#)
    ) {
      text throws(Refusal) in
      var scopes: [String] = []
      for scope in text.split(separator: " ").map(String.init) {
        guard !scopes.contains(scope) else { throw Refusal("\(displayed(scope)) is there twice") }
        scopes.append(try Format<String>.scope.read(scope))
      }
      return scopes
    }
  }
}
