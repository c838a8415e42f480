internal import Configuration
internal import Outbound
internal import Secrets
internal import Telemetry
internal import Tokens

/// A client of an authorization server: what all of its grants share.
struct TokenClient {
  private let credentials: Credentials
  private let secrets: ClientSecrets?
  private let serverClock: ServerClock
  private let way: Int
  fileprivate let budget: TokenBudget?
  let spending: TokenSpending

  var name: String { credentials.name }

  /// - Parameters:
  ///   - previous: the client of credentials of that name before proxy.conf was loaded again. What it has learned is
  ///     kept if it still applies.
  ///   - way: the number of the way in which connections to its token endpoint are made.
  ///   - events: called when a program does not print a secret.
  init(_ credentials: Credentials, after previous: TokenClient? = nil, way: Int, events: TokenEventLog) {
    self.credentials = credentials
    self.way = way
    let secrets: ClientSecrets?
    if let secret = credentials.clientSecret, let source = credentials.clientSecretSource {
      secrets = ClientSecrets(
        current: ClientSecrets.Entry(source: source, secret: secret),
        previous: credentials.previousClientSecret.map { ClientSecrets.Entry(source: $0.source, secret: $0.secret) },
        onProgramProblem: { [name = credentials.name] in events.record($0, credentials: name) })
    } else {
      secrets = nil
    }
    if let known = previous?.secrets, let secrets, known.isSame(as: secrets) {
      self.secrets = known
    } else {
      self.secrets = secrets
    }
    let account = TokenAccount(
      credentials: credentials.name, endpoint: credentials.tokenEndpoint.description, clientID: credentials.clientID)
    budget = credentials.budget.map(TokenBudget.init)
    if let previous, previous.spending.account == account {
      (spending, serverClock) = (previous.spending, previous.serverClock)
    } else {
      (spending, serverClock) = (TokenSpending(budget: budget, account: account), ServerClock())
    }
  }

  /// Applies the settings that are not part of requests.
  func takeEffect() { spending.change(budget: budget) }

  /// The grant that `route` requests at the token endpoint.
  func grant(for route: Route) -> TokenGrant {
    let key = TokenRequestKey(
      endpoint: credentials.tokenEndpoint.description, clientID: credentials.clientID,
      authentication: ClientAuthenticationMethod(credentials), audience: route.audience, scopes: route.scopes,
      resources: route.resources, parameters: credentials.additions.parameters, headers: credentials.additions.headers,
      way: way, certificateFile: credentials.clientCertificate?.certificateFile)
    let provider: TokenProvider = if case .kinde = credentials.provider { .kinde } else { .generic }
    return TokenGrant(
      key: key, clientSecret: credentials.clientSecret ?? Secret(""), secrets: secrets, serverClock: serverClock,
      spending: spending, timeout: credentials.timeout,
      takesAnyTokenType: route.tokenField.isSchemeWritten, credentialsName: credentials.name, provider: provider,
      places: TokenSettingPlaces(route, credentials))
  }
}

extension TokenSettingPlaces {
  /// The places of the settings for the tokens that `route` gets with `credentials`.
  init(_ route: Route, _ credentials: Credentials) {
    self.init()
    func place(_ setting: String) -> String? {
      if let line = route.lines?.settings[setting] { return "\(setting) in route \(route.name), line \(line)" }
      return credentials.lines[setting].map { "\(setting) in credentials \(credentials.name), line \($0)" }
    }
    audience = place("audience")
    scopes = place("scopes")
    resources = place("resource")
    self.route = route.lines.map { "route \(route.name), line \($0.start)" }
    let proof =
      switch credentials.authentication {
      case .clientSecretPost, .clientSecretBasic, .clientSecretBasicRaw: "client_secret"
      case .clientAssertion: "client_assertion"
      case .privateKeyJWT: "private_key"
      case .tlsClientAuth: "client_certificate"
      }
    let lines = ["client_id", proof].compactMap { credentials.lines[$0] }
    if lines.count == 2 { clientLines = "lines \(lines[0]) and \(lines[1])" }
  }
}

extension TokenBudget {
  init(_ budget: CredentialsBudget) {
    let period: TokenPeriod =
      switch budget.period {
      case .hour: .hour
      case .day: .day
      case .month: .month
      }
    self.init(tokens: budget.tokens, period: period, stops: budget.whenSpent == .stop)
  }
}

extension ClientAuthenticationMethod {
  /// How the client of `credentials` authenticates.
  init(_ credentials: Credentials) {
    switch (credentials.authentication, credentials.assertion) {
    case (.clientSecretBasic, _):
      self = .clientSecretBasic
    case (.privateKeyJWT, let assertion?):
      self = .privateKeyJWT(
        ClientAssertion(
          keyFile: assertion.keyFile, certificateFile: assertion.certificateFile, keyID: assertion.keyID,
          algorithm: assertion.algorithm, audience: assertion.audience,
          lifetime: assertion.lifetime.components.seconds))
    case (.privateKeyJWT, nil):
      preconditionFailure("private_key_jwt is configured with a key")
    case (.clientSecretBasicRaw, _):
      self = .clientSecretBasicRaw
    case (.clientAssertion, _):
      guard let file = credentials.assertionFile else {
        preconditionFailure("client_assertion is configured with a file")
      }
      self = .clientAssertion(AssertionFile(path: file))
    case (.tlsClientAuth, _):
      self = .tlsClientAuth
    case (.clientSecretPost, _):
      self = .clientSecretPost
    }
  }
}

extension MetricsRegistry {
  /// Exposes the counts of the tokens of `client`.
  ///
  /// - Parameter previous: the client whose series it takes over.
  func register(_ client: TokenClient, inPlaceOf previous: TokenClient? = nil) {
    if let previous {
      guard previous.spending !== client.spending || previous.budget != client.budget else { return }
      remove(.tokensIssuedTotal, [.credentials: previous.name])
      for period in TokenPeriod.allCases {
        for metric in [Metric.tokensIssued, .tokenBudget] {
          remove(metric, [.credentials: previous.name, .period: period.rawValue])
        }
      }
    }
    let spending = client.spending
    read(.tokensIssuedTotal, [.credentials: client.name]) { Double(spending.sinceStart) }
    for period in TokenPeriod.allCases {
      read(.tokensIssued, [.credentials: client.name, .period: period.rawValue]) {
        Double(spending.issued(in: period, atWallSeconds: TokenClock.system.wallSeconds))
      }
    }
    if let budget = client.budget {
      read(.tokenBudget, [.credentials: client.name, .period: budget.period.rawValue]) { Double(budget.tokens) }
    }
  }
}
