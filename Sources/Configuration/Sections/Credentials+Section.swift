import Secrets

extension Credentials {
  private enum ProviderName: String, CaseIterable {
    case kinde, generic
  }

  /// Reads one of the sections in `credentials`; nil after a problem was noted.
  ///
  /// - Parameter parentProxy: the one that all of proxy.conf goes through unless told otherwise.
  static func read(name: String, _ section: Section, parentProxy: ParentProxy?) -> Credentials? {
    let given = section["provider"]
    let provider = given?.value(Format<ProviderName>.choice())
    let domain = section["domain"]
    let endpoint = section["token_endpoint"]
    let clientID = section.required("client_id", .clientID)
    let proof = readProof(section)
    let budget = section.section("budget") { CredentialsBudget.read($0) }
    let timeout = section.value("timeout", .duration)
    let audience = section["audience"]
    let audienceText = audience?.value(.audience)
    let resources = section["resource"].map(Format<[String]>.resources)
    var additions = TokenRequestAdditions()
    additions.read(section)
    let parentProxy = ParentProxy.read(section, inherited: parentProxy)
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
    guard let tokenEndpoint = endpoint == nil ? kind.tokenEndpoint : endpointURL, let clientID, let proof else {
      return nil
    }
    if tokenEndpoint.origin.scheme == .http {
      section["client_certificate"]?.complain("is for TLS, and the token endpoint is \(tokenEndpoint.origin)")
    }
    var credentials = Credentials(
      name: name, provider: kind, tokenEndpoint: tokenEndpoint, clientID: clientID, clientSecret: proof.secret?.secret,
      clientSecretSource: proof.secret?.source, authentication: proof.authentication, audience: audienceText)
    credentials.previousClientSecret = proof.previousSecret
    credentials.budget = budget
    if let timeout { credentials.timeout = timeout }
    credentials.assertion = proof.key.map { key in
      AssertionSettings(
        keyFile: key.file, keyID: key.id, algorithm: key.algorithm,
        audience: key.audience ?? tokenEndpoint.description)
    }
    credentials.resources = (resources ?? []) ?? []
    credentials.additions = additions
    credentials.clientCertificate = proof.certificate
    credentials.parentProxy = parentProxy
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
