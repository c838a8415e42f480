internal import Configuration
internal import Tokens

/// A client of an authorization server: what all of its grants have in common.
struct TokenClient {
  private let credentials: Credentials
  private let secrets: ClientSecrets
  let spending: TokenSpending

  var name: String { credentials.name }

  init(_ credentials: Credentials) {
    self.credentials = credentials
    secrets = ClientSecrets(
      current: ClientSecrets.Entry(source: credentials.clientSecretSource, secret: credentials.clientSecret),
      previous: credentials.previousClientSecret.map { ClientSecrets.Entry(source: $0.source, secret: $0.secret) })
    spending = TokenSpending(budget: credentials.budget.map(TokenBudget.init))
  }

  /// What `route` asks the token endpoint for.
  func grant(for route: Route) -> TokenGrant {
    let key = TokenRequestKey(
      endpoint: credentials.tokenEndpoint.description, clientID: credentials.clientID,
      authentication: credentials.authentication == .clientSecretBasic ? .clientSecretBasic : .clientSecretPost,
      audience: route.audience, scopes: route.scopes)
    let provider: TokenProvider = if case .kinde = credentials.provider { .kinde } else { .generic }
    return TokenGrant(
      key: key, clientSecret: credentials.clientSecret, secrets: secrets, spending: spending,
      timeout: credentials.timeout, credentialsName: credentials.name, provider: provider)
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
