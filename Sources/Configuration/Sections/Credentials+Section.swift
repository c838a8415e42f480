import Secrets

extension Credentials {
  private enum ProviderName: String, CaseIterable {
    case kinde, generic
  }

  /// Reads one of the sections in `credentials`; nil after a problem was noted.
  static func read(name: String, _ section: Section) -> Credentials? {
    let given = section["provider"]
    let provider = given?.value(Format<ProviderName>.choice())
    let domain = section["domain"]
    let endpoint = section["token_endpoint"]
    let clientID = section.required("client_id", .clientID)
    let secret = section.required("client_secret", ClientSecretSetting.expected).flatMap(ClientSecretSetting.read)
    let previous = section["client_secret_previous"].flatMap(ClientSecretSetting.read)
    let budget = section.section("budget") { CredentialsBudget.read($0) }
    let timeout = section.value("timeout", .duration)
    let authentication = section.value("authentication", Format<ClientAuthentication>.choice())
    let audience = section["audience"]
    let audienceText = audience?.value(.audience)
    let domainName = domain?.value(.domain)
    let endpointURL = endpoint?.value(.tokenEndpoint)
    guard given == nil || provider != nil, audience == nil || audienceText != nil else { return nil }

    let kind: Provider
    // Only Kinde has a domain; a token endpoint alone says nothing about who answers there.
    switch provider ?? (domain == nil && endpoint != nil ? .generic : .kinde) {
    case .kinde:
      if domain == nil {
        let other = given == nil ? "; for a server other than Kinde set token_endpoint instead" : ""
        section.missing("domain", "it must be \(Format<HostName>.domain.expected)\(other)")
      }
      guard let domainName else { return nil }
      kind = .kinde(domain: domainName.text)
    case .generic:
      if endpoint == nil { section.missing("token_endpoint", "it must be \(Format<URLParts>.tokenEndpoint.expected)") }
      domain?.complain("is for provider kinde only; token_endpoint says where tokens come from")
      kind = .generic
    }
    guard let tokenEndpoint = endpoint == nil ? kind.tokenEndpoint : endpointURL, let clientID, let secret else {
      return nil
    }
    var credentials = Credentials(
      name: name, provider: kind, tokenEndpoint: tokenEndpoint, clientID: clientID, clientSecret: secret.secret,
      clientSecretSource: secret.source, authentication: authentication ?? .clientSecretPost,
      audience: audienceText)
    credentials.previousClientSecret = previous
    credentials.budget = budget
    if let timeout { credentials.timeout = timeout }
    return credentials
  }
}

extension Credentials.Provider {
  /// Where tokens come from when proxy.conf does not say.
  fileprivate var tokenEndpoint: URLParts? {
    guard case .kinde(let domain) = self else { return nil }
    return URLParts(origin: Origin(scheme: .https, host: domain), target: "/oauth2/token")
  }
}

extension Format<String> {
  /// An audience: whatever the API was registered as, often a URL.
  static var audience: Self { .line("an audience such as https://orders.example.com") }
}
