/// What exists in a sandbox, and where it listens.
public struct SandboxSettings: Sendable {
  /// The numeric address of both listeners.
  public var host: String
  /// The port of the authorization server; 0: any free one.
  public var authorizationPort: UInt16
  /// The port of the API; 0: any free one.
  public var apiPort: UInt16
  /// How long a token is valid, in seconds.
  public var tokenLifetime: Int
  /// The audience of the API under `/v1/` that answers for orders.
  public var ordersAudience: String
  /// The audience of the management API; nil: the authorization server's URL and `/api`, as Kinde has it.
  public var managementAudience: String?
  /// The registered APIs but for the management API, which is always there.
  public var apis: [RegisteredAPI]
  /// The applications.
  public var applications: [Application]
  /// How every token request ends, if not by what it deserves.
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
