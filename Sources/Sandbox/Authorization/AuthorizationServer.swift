internal import HTTPService

/// Handles the requests to the authorization server.
struct AuthorizationServer: Sendable {
  let tokens: TokenEndpoint
  let api: ProtectedAPI
  let journal: Journal

  private struct Metadata: Encodable {
    let issuer: String
    let grantTypes = ["client_credentials"]
    let authenticationMethods = ["client_secret_post", "client_secret_basic"]

    enum CodingKeys: String, CodingKey {
      case issuer
      case tokenEndpoint = "token_endpoint"
      case keys = "jwks_uri"
      case grantTypes = "grant_types_supported"
      case authenticationMethods = "token_endpoint_auth_methods_supported"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(issuer, forKey: .issuer)
      try container.encode(issuer + "/oauth2/token", forKey: .tokenEndpoint)
      try container.encode(issuer + "/.well-known/jwks.json", forKey: .keys)
      try container.encode(grantTypes, forKey: .grantTypes)
      try container.encode(authenticationMethods, forKey: .authenticationMethods)
    }
  }

  /// - Parameter now: seconds since 1970.
  func answer(_ request: ServiceRequest, now: Int) -> ServiceResponse {
    switch request.path {
    case "/oauth2/token":
      let answer = tokens.answer(request, now: now)
      journal.noteTokenRequest(isIssued: answer.status == 200)
      return answer
    // Kinde's own path has no suffix.
    case "/.well-known/jwks.json", "/.well-known/jwks":
      return .reading(request) { .json(200, JSONWebKeySet(tokens.mint.key)) }
    case "/.well-known/openid-configuration":
      return .reading(request) { .json(200, Metadata(issuer: tokens.mint.issuer)) }
    // The management API has the same host as the token endpoint; every listener serves the sandbox's own pages.
    default: return api.answer(request, now: now)
    }
  }
}

extension ServiceResponse {
  /// The response of `answer`, if `request` is a GET or HEAD.
  static func reading(_ request: ServiceRequest, _ answer: () -> ServiceResponse) -> ServiceResponse {
    request.method == "GET" || request.method == "HEAD" ? answer() : .methodNotAllowed(allowed: ["GET", "HEAD"])
  }
}

/// The settings of the dashboard: APIs, applications, and which may get tokens for which.
struct Registry: Sendable {
  /// The audience of the management API.
  let managementAudience: String
  /// The audience of the orders API.
  let ordersAudience: String

  private let apis: [RegisteredAPI]
  private let applications: [Application]

  /// Some of the scopes that Kinde's management API has.
  private static let managementScopes = [
    "create:organizations", "read:applications", "read:organizations", "read:users", "update:organizations",
  ]

  /// The registry of `settings`, with the management API of the authorization server at `issuer`.
  init(_ settings: SandboxSettings, issuer: String) {
    managementAudience = settings.managementAudience ?? issuer + "/api"
    ordersAudience = settings.ordersAudience
    apis = settings.apis + [RegisteredAPI(audience: managementAudience, scopes: Self.managementScopes)]
    applications = settings.applications
  }

  /// The application that `credentials` authenticate.
  func application(_ credentials: ClientCredentials) throws(TokenRefusal) -> Application {
    guard let application = applications.first(where: { $0.clientID == credentials.clientID }) else {
      throw TokenRefusal(.invalidClient, "no application has this client id")
    }
    guard application.clientSecret == credentials.clientSecret else {
      throw TokenRefusal(.invalidClient, "the client secret is wrong")
    }
    return application
  }

  /// The scopes that `application` gets for `audience`: those that it requests, if it may have them; without `scopes`, as at
  /// Kinde, all that are assigned to it there.
  func authorize(_ application: Application, audience: String, scopes: [String]?) throws(TokenRefusal) -> [String] {
    guard let api = apis.first(where: { $0.audience == audience }) else {
      throw TokenRefusal(.unauthorizedClient, "no API is registered with the audience \(audience)")
    }
    let key = audience == managementAudience ? Application.API.management : .registered(audience)
    guard let assigned = application.authorizations[key] else {
      throw TokenRefusal(.unauthorizedClient, "the application is not authorized for the audience \(audience)")
    }
    guard let scopes else { return api.scopes.filter(assigned.contains) }
    for scope in scopes {
      guard api.scopes.contains(scope) else {
        throw TokenRefusal(.invalidScope, "the scope \(scope) is not defined on the API \(audience)")
      }
      guard assigned.contains(scope) else {
        throw TokenRefusal(.invalidScope, "the scope \(scope) is not assigned to the application")
      }
    }
    return scopes
  }
}
