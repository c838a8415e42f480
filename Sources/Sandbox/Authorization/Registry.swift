/// What is set up in the dashboard: APIs, applications, and which may get tokens for which.
struct Registry: Sendable {
  /// The audience of the management API.
  let managementAudience: String
  /// The audience of the API that answers for orders.
  let ordersAudience: String

  private let apis: [RegisteredAPI]
  private let applications: [Application]

  /// Some of the scopes that Kinde's management API has.
  private static let managementScopes = [
    "create:organizations", "read:applications", "read:organizations", "read:users", "update:organizations",
  ]

  /// What `settings` say, with the management API of the authorization server at `issuer`.
  init(_ settings: SandboxSettings, issuer: String) {
    managementAudience = settings.managementAudience ?? issuer + "/api"
    ordersAudience = settings.ordersAudience
    apis = settings.apis + [RegisteredAPI(audience: managementAudience, scopes: Self.managementScopes)]
    applications = settings.applications
  }

  /// The application that `credentials` prove.
  func application(_ credentials: ClientCredentials) throws(TokenRefusal) -> Application {
    guard let application = applications.first(where: { $0.clientID == credentials.clientID }) else {
      throw TokenRefusal(.invalidClient, "no application has this client id")
    }
    guard application.clientSecret == credentials.clientSecret else {
      throw TokenRefusal(.invalidClient, "the client secret is wrong")
    }
    return application
  }

  /// Checks that `application` may have `scopes` for `audience`.
  func authorize(_ application: Application, audience: String, scopes: [String]) throws(TokenRefusal) {
    guard let api = apis.first(where: { $0.audience == audience }) else {
      throw TokenRefusal(.unauthorizedClient, "no API is registered with the audience \(audience)")
    }
    let key = audience == managementAudience ? Application.API.management : .registered(audience)
    guard let assigned = application.authorizations[key] else {
      throw TokenRefusal(.unauthorizedClient, "the application is not authorized for the audience \(audience)")
    }
    for scope in scopes {
      guard api.scopes.contains(scope) else {
        throw TokenRefusal(.invalidScope, "the scope \(scope) is not defined on the API \(audience)")
      }
      guard assigned.contains(scope) else {
        throw TokenRefusal(.invalidScope, "the scope \(scope) is not assigned to the application")
      }
    }
  }
}
