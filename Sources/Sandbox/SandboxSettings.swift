/// What a sandbox contains, and where it listens.
public struct SandboxSettings: Sendable {
  /// The numeric address of both listeners.
  public var host: String
  /// The port of the authorization server; 0: any free one.
  public var authorizationPort: UInt16
  /// The port of the API; 0: any free one.
  public var apiPort: UInt16
  /// How long a token is valid, in seconds.
  public var tokenLifetime: Int
  /// The audience of the orders API under `/v1/`.
  public var ordersAudience: String
  /// The audience of the management API; nil for the authorization server's URL followed by `/api`, as at Kinde.
  public var managementAudience: String?
  /// The registered APIs, without the management API, which always exists.
  public var apis: [RegisteredAPI]
  /// The applications.
  public var applications: [Application]
  /// The result of every token request, if it is forced.
  public var failure: ForcedFailure?

  /// A sandbox of these parts.
  public init(
    host: String = "127.0.0.1", authorizationPort: UInt16 = 0, apiPort: UInt16 = 0, tokenLifetime: Int = 3600,
    ordersAudience: String, managementAudience: String? = nil, apis: [RegisteredAPI], applications: [Application],
    failure: ForcedFailure? = nil
  ) {
    self.host = host
    self.authorizationPort = authorizationPort
    self.apiPort = apiPort
    self.tokenLifetime = tokenLifetime
    self.ordersAudience = ordersAudience
    self.managementAudience = managementAudience
    self.apis = apis
    self.applications = applications
    self.failure = failure
  }
}

/// A machine-to-machine application as it is set up in Kinde (steps 1, 3 and 4 of the quick start).
public struct Application: Sendable {
  /// Which API an authorisation is for.
  public enum API: Sendable, Hashable {
    /// The management API, whatever its audience is.
    case management
    /// The registered API of this audience.
    case registered(String)
  }

  /// Its client id.
  public let clientID: String
  /// Its client secret.
  public let clientSecret: String
  /// The APIs for which it is authorised, each with the scopes that are assigned to it there.
  public let authorizations: [API: [String]]
  /// The organisation to which it is limited, which its tokens then name as `org_code`.
  public let organization: String?

  /// An application of these parts.
  public init(
    clientID: String, clientSecret: String, authorizations: [API: [String]], organization: String? = nil
  ) {
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.authorizations = authorizations
    self.organization = organization
  }
}

/// An API as it is registered in Kinde (step 2 of the quick start), with the scopes that are defined on it (step 4).
public struct RegisteredAPI: Sendable, Equatable {
  /// The identifier, which tokens for it have as their audience. It need not be a URL.
  public let audience: String
  /// The scopes that are defined on it.
  public let scopes: [String]

  /// An API of these parts.
  public init(audience: String, scopes: [String]) {
    self.audience = audience
    self.scopes = scopes
  }
}

/// A failure that a sandbox returns for every token request.
public enum ForcedFailure: String, Sendable, CaseIterable {
  /// 401: as if the secret had been rotated.
  case invalidClient = "invalid_client"
  /// 400: as if the application were not authorised for the API.
  case unauthorizedClient = "unauthorized_client"
  /// 400: as if the scope were not assigned.
  case invalidScope = "invalid_scope"
  /// 400: as if a parameter were missing.
  case invalidRequest = "invalid_request"
  /// 429 with `RateLimit-Reset`, and no `Retry-After`.
  case rateLimited = "rate_limited"
  /// 500 with a page for people.
  case serverError = "server_error"
}
