public import Cryptography
public import Outbound
public import Secrets

/// An identity of the proxy at an authorization server, with which it gets tokens.
public struct Credentials: Sendable {
  /// The kind of authorization server.
  public enum Provider: Sendable, Hashable {
    /// Kinde, with its domain such as `acme.kinde.com`.
    case kinde(domain: String)
    /// Any server that supports the client credentials grant (RFC 6749 section 4.4).
    case generic
  }

  /// The name routes refer to; letters, digits, `.`, `_` and `-`, at most 64.
  public var name: String
  /// The kind of authorization server.
  public var provider: Provider
  /// Where tokens are requested.
  public var tokenEndpoint: URLParts
  /// The client id; printable ASCII.
  public var clientID: String
  /// The client secret as of when proxy.conf was loaded; nil if ``authentication`` needs none.
  public var clientSecret: Secret?
  /// The source of the client secret.
  public var clientSecretSource: SecretSource?
  /// The secret before a rotation, and its source; nil if there is none.
  public var previousClientSecret: (secret: Secret, source: SecretSource)?
  /// The token budget; nil for no limit.
  public var budget: CredentialsBudget?
  /// The longest wait for a token from the token endpoint, including a second attempt.
  public var timeout = Duration.seconds(10)
  /// How the client authenticates.
  public var authentication: ClientAuthentication
  /// How assertions are made, for ``ClientAuthentication/privateKeyJWT``.
  public var assertion: AssertionSettings?
  /// The file that another program writes assertions into, for ``ClientAuthentication/clientAssertion``.
  public var assertionFile: String?
  /// The resources of routes that name none (RFC 8707).
  public var resources: [String] = []
  /// Additions to token requests.
  public var additions = TokenRequestAdditions()
  /// The client certificate for the token endpoint.
  public var clientCertificate: CertificateFiles?
  /// The proxy through which the token endpoint is reached; nil for none.
  public var parentProxy: ParentProxy?
  /// The authorities that verify the token endpoint.
  public var trust = TrustSettings()
  /// The audience of routes that name none; nil if there is no default.
  public var audience: String?
  /// The lines of proxy.conf that determine the client and its tokens, by the names of settings.
  public var lines: [String: Int] = [:]

  /// Credentials of these parts; nothing is checked.
  public init(
    name: String, provider: Provider, tokenEndpoint: URLParts, clientID: String, clientSecret: Secret?,
    clientSecretSource: SecretSource?, authentication: ClientAuthentication = .clientSecretPost, audience: String? = nil
  ) {
    self.name = name
    self.provider = provider
    self.tokenEndpoint = tokenEndpoint
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.clientSecretSource = clientSecretSource
    self.authentication = authentication
    self.audience = audience
  }
}

extension Credentials {
  enum ProviderName: String, CaseIterable {
    case kinde, generic
  }

  /// Reads one of the sections in `credentials`; nil after a problem was reported.
  ///
  /// - Parameters:
  ///   - parentProxy: the default of proxy.conf.
  ///   - trust: the default of proxy.conf.
  static func read(
    name: String, _ section: Section, parentProxy: ParentProxy?, trust: TrustSettings
  ) -> Credentials? {
    typealias Settings = CredentialsSettings
    let given = section[Settings.provider]
    let provider = section.value(Settings.provider)
    let domain = section[Settings.domain]
    let endpoint = section[Settings.tokenEndpoint]
    let clientID = section.required(Settings.clientID)
    let proof = readProof(section)
    let budget = section.section(Settings.budget) { CredentialsBudget.read($0) }
    let timeout = section.value(Settings.timeout)
    let audience = section[Settings.audience]
    let audienceText = section.value(Settings.audience)
    let resources = section[Settings.resource].map(Format<[String]>.resources)
    var additions = TokenRequestAdditions()
    additions.read(section)
    let parentProxy = ParentProxy.read(section[Settings.parentProxy], inherited: parentProxy)
    let tls = section[Settings.tls]
    let trust = TrustSettings.read(tls, inherited: trust)
    let domainName = section.value(Settings.domain)
    let endpointURL = section.value(Settings.tokenEndpoint)
    guard given == nil || provider != nil, audience == nil || audienceText != nil else { return nil }

    let kind: Provider
    // Only Kinde has a domain; a token endpoint alone does not tell the kind of server.
    switch provider ?? (domain == nil && endpoint != nil ? .generic : .kinde) {
    case .kinde:
      if domain == nil {
        let other = given == nil ? "; for a server other than Kinde set token_endpoint instead" : ""
        section.missing(Settings.domain, "it must be \(Settings.domain.format.expected)\(other)")
      }
      guard let domainName else { return nil }
      kind = .kinde(domain: domainName.text)
    case .generic:
      if endpoint == nil {
        section.missing(Settings.tokenEndpoint, "it must be \(Settings.tokenEndpoint.format.expected)")
      }
      domain?.complain("is for provider kinde only; token_endpoint says where tokens come from")
      kind = .generic
    }
    if let id = clientID, id.contains(":"), proof?.authentication == .clientSecretBasicRaw {
      section[Settings.clientID]?.complain(
        "has a \":\" in it, which ends the id in Basic credentials that are not form-encoded; use client_secret_basic")
    }
    guard let tokenEndpoint = endpoint == nil ? kind.tokenEndpoint : endpointURL, let clientID, let proof else {
      return nil
    }
    if tokenEndpoint.origin.scheme == .http {
      for setting in [section[Settings.clientCertificate], tls] {
        setting?.complain("is for TLS, and the token endpoint is \(tokenEndpoint.origin)")
      }
    }
    var credentials = Credentials(
      name: name, provider: kind, tokenEndpoint: tokenEndpoint, clientID: clientID, clientSecret: proof.secret?.secret,
      clientSecretSource: proof.secret?.source, authentication: proof.authentication, audience: audienceText)
    credentials.previousClientSecret = proof.previousSecret
    credentials.budget = budget
    if let timeout { credentials.timeout = timeout }
    credentials.assertion = proof.key.map { key in
      AssertionSettings(
        keyFile: key.file, certificateFile: key.certificateFile, keyID: key.id, algorithm: key.algorithm,
        audience: key.audience ?? tokenEndpoint.description, lifetime: key.lifetime ?? .seconds(60))
    }
    credentials.assertionFile = proof.assertionFile
    credentials.resources = (resources ?? []) ?? []
    credentials.additions = additions
    credentials.clientCertificate = proof.certificate
    credentials.parentProxy = parentProxy
    credentials.trust = trust
    credentials.lines = section.lines(of: Set(Self.settingsWithLines.map(\.name)))
    return credentials
  }
}

extension Credentials {
  /// Stores the output of `program` where it belongs.
  mutating func set(_ secret: Secret, of program: SecretProgram) {
    if clientSecretSource == .program(program) { clientSecret = secret }
    if previousClientSecret?.source == .program(program) { previousClientSecret?.secret = secret }
  }

  private static var settingsWithLines: [SettingDeclaration] {
    typealias Settings = CredentialsSettings
    return [
      Settings.clientID.declaration, Settings.clientSecret, Settings.audience.declaration, Settings.resource,
      Settings.assertionFile, Settings.privateKey, Settings.clientCertificate,
    ]
  }
}

extension Credentials.Provider {
  /// The token endpoint if proxy.conf does not set one.
  fileprivate var tokenEndpoint: URLParts? {
    guard case .kinde(let domain) = self else { return nil }
    return URLParts(origin: Origin(scheme: .https, host: domain), target: "/oauth2/token")
  }
}

extension Format<String> {
  /// An audience: the identifier of the registered API, often a URL.
  static var audience: Self { .line("an audience such as https://orders.example.com") }
}

extension Format<Duration> {
  /// How long assertions are valid: at least as long as a slow request takes, at most as long as servers commonly accept.
  static var assertionLifetime: Self {
    let duration = Format.duration
    let expected = "a duration from 30s to 10m"
    return Format(expected, duration.type, written: duration.written) { text throws(Refusal) in
      let value = try duration.read(text)
      guard value >= .seconds(30), value <= .seconds(600) else { throw Refusal(expected: expected) }
      guard value.components.attoseconds == 0 else { throw Refusal("it is counted in whole seconds") }
      return value
    }
  }
}

extension Credentials {
  /// How a client authenticates, with everything needed for that.
  struct Proof {
    var authentication = ClientAuthentication.clientSecretPost
    var secret: (secret: Secret, source: SecretSource)?
    var previousSecret: (secret: Secret, source: SecretSource)?
    var key: Key?
    var assertionFile: String?
    var certificate: CertificateFiles?

    /// The settings of `private_key_jwt`.
    struct Key {
      let file: String
      let certificateFile: String?
      let id: String?
      let algorithm: SignatureAlgorithm?
      let audience: String?
      let lifetime: Duration?
    }
  }

  /// Reads how the client authenticates; nil after a problem was reported.
  static func readProof(_ section: Section) -> Proof? {
    typealias Settings = CredentialsSettings
    let given = section[Settings.authentication]
    let authentication = section.value(Settings.authentication)
    let secretSetting = section[Settings.clientSecret]
    let previousSetting = section[Settings.previousClientSecret]
    let keySettings = Settings.keySettings.compactMap { section[$0] }
    let certificateSetting = section[Settings.clientCertificate]
    let certificate = certificateSetting.map(CertificateFiles.read)
    guard given == nil || authentication != nil else { return nil }
    var proof = Proof()
    proof.authentication = authentication ?? .clientSecretPost
    proof.certificate = certificate ?? nil
    if proof.authentication != .privateKeyJWT {
      for setting in keySettings { setting.complain("is for authentication: private_key_jwt") }
    }
    if proof.authentication.usesSecret {
      proof.previousSecret = previousSetting.flatMap { ClientSecretSetting.readOfClient($0) }
      guard let setting = section.required(Settings.clientSecret, ClientSecretSetting.expectedOfClient),
        let secret = ClientSecretSetting.readOfClient(setting)
      else { return nil }
      proof.secret = secret
    } else {
      for setting in [secretSetting, previousSetting].compactMap(\.self) {
        setting.complain("is not sent with authentication: \(proof.authentication.rawValue); take it out")
      }
    }
    if proof.authentication == .tlsClientAuth, certificateSetting == nil {
      section.missing(Settings.clientCertificate, "it must be \(CertificateFiles.expected)")
    }
    let assertionSetting = section[Settings.assertionFile]
    if proof.authentication == .clientAssertion {
      guard let setting = section.required(Settings.assertionFile, AssertionFileSetting.expected),
        let file = AssertionFileSetting.read(setting)
      else { return nil }
      proof.assertionFile = file
    } else {
      assertionSetting?.complain("is for authentication: client_assertion")
    }
    if proof.authentication == .privateKeyJWT {
      guard let key = readKey(section) else { return nil }
      proof.key = key
    }
    return proof
  }

  private static func readKey(_ section: Section) -> Proof.Key? {
    typealias Settings = CredentialsSettings
    let id = section.value(Settings.keyID)
    let algorithmSetting = section[Settings.signingAlgorithm]
    let algorithm = section.value(Settings.signingAlgorithm)
    let audience = section.value(Settings.assertionAudience)
    let lifetime = section.value(Settings.assertionLifetime)
    let certificateSetting = section[Settings.certificate]
    guard let setting = section.required(Settings.privateKey, "{ file: PATH } of a PEM file"),
      let (key, file) = PrivateKeySetting.read(setting)
    else {
      _ = certificateSetting.flatMap { CertificateSetting.read($0, of: nil) }
      return nil
    }
    guard let first = key.algorithms.first else {
      let known = "RSA from 2048 bits, P-256, P-384, P-521 and Ed25519 can be used"
      setting.complain("is a key (\(key.kind)) that cannot sign assertions; \(known)")
      return nil
    }
    if let algorithm, !key.algorithms.contains(algorithm) {
      let fit = alternatives(key.algorithms.map(\.rawValue))
      algorithmSetting?.complain("is \(algorithm.rawValue), but the key is \(key.kind), which signs with \(fit)")
      return nil
    }
    let certificate = certificateSetting.flatMap { CertificateSetting.read($0, of: key) }
    guard certificateSetting == nil || certificate != nil else { return nil }
    return Proof.Key(
      file: file, certificateFile: certificate, id: id, algorithm: algorithm ?? first, audience: audience,
      lifetime: lifetime)
  }
}

/// How a client authenticates at a token endpoint: RFC 6749 section 2.3.1, RFC 7523, RFC 8705.
public enum ClientAuthentication: String, Sendable, CaseIterable {
  /// Id and secret as form fields of the body.
  case clientSecretPost = "client_secret_post"
  /// Id and secret, form-encoded, in an Authorization field of the Basic scheme.
  case clientSecretBasic = "client_secret_basic"
  /// The same without the form-encoding, for servers that do not decode it.
  case clientSecretBasicRaw = "client_secret_basic_raw"
  /// An assertion that is signed with the client's private key.
  case privateKeyJWT = "private_key_jwt"
  /// An assertion that another program has signed, from a file.
  case clientAssertion = "client_assertion"
  /// The certificate of the TLS connection, and the client id.
  case tlsClientAuth = "tls_client_auth"

  /// Whether a client secret is sent.
  public var usesSecret: Bool {
    switch self {
    case .clientSecretPost, .clientSecretBasic, .clientSecretBasicRaw: true
    case .privateKeyJWT, .clientAssertion, .tlsClientAuth: false
    }
  }
}

/// How the assertions of `private_key_jwt` are made (RFC 7523 section 3).
public struct AssertionSettings: Sendable, Hashable {
  /// The PEM file of the private key.
  public var keyFile: String
  /// The PEM file of the certificate whose digests are sent; nil to send none.
  public var certificateFile: String?
  /// The server's name for the key; nil to send none.
  public var keyID: String?
  /// The algorithm, one of the key's; nil for the usual one.
  public var algorithm: SignatureAlgorithm?
  /// The audience of the assertion.
  public var audience: String
  /// How long an assertion is valid, in whole seconds.
  public var lifetime: Duration

  /// Settings of these parts; nothing is checked.
  public init(
    keyFile: String, certificateFile: String? = nil, keyID: String? = nil, algorithm: SignatureAlgorithm? = nil,
    audience: String, lifetime: Duration = .seconds(60)
  ) {
    self.keyFile = keyFile
    self.certificateFile = certificateFile
    self.keyID = keyID
    self.algorithm = algorithm
    self.audience = audience
    self.lifetime = lifetime
  }
}

/// The token budget of credentials.
public struct CredentialsBudget: Sendable, Hashable {
  /// The calendar period (UTC) of a budget.
  public enum Period: String, CaseIterable, Sendable {
    case hour, day, month
  }

  /// What happens when the budget is used up.
  public enum WhenSpent: String, CaseIterable, Sendable {
    /// A line in the log.
    case warn
    /// No token is fetched until the next period; the current one is used until it expires.
    case stop
  }

  /// The number of tokens; at least 1.
  public var tokens: Int
  /// The period.
  public var period: Period
  /// What happens when they are used up.
  public var whenSpent: WhenSpent
}

extension CredentialsBudget {
  /// The section `budget` of credentials.
  static let group = SettingGroup(
    "budget", "How many tokens may be issued.", [limit.declaration, per.declaration, atTheEnd.declaration])

  private static let limit = Declared(
    "tokens", .count(1...1_000_000_000), default: .required, "how many tokens the token endpoint may issue")
  private static let per = Declared(
    "per", Format<Period>.choice(), default: .required, "the calendar period, in UTC")
  private static let atTheEnd = Declared(
    "when_spent", Format<WhenSpent>.choice(), default: .value("warn"),
    "`warn` in the log, or `stop` fetching tokens until the next period")

  /// Reads the section `budget` of credentials; nil after a problem was reported.
  static func read(_ section: Section) -> CredentialsBudget? {
    let tokens = section.required(limit)
    let period = section.required(per)
    let whenSpent = section.value(atTheEnd) ?? .warn
    guard let tokens, let period else { return nil }
    return CredentialsBudget(tokens: tokens, period: period, whenSpent: whenSpent)
  }
}
