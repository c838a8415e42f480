internal import Glibc
internal import HTTPService
public import Reactor
internal import SystemPackage

/// An authorization server and an API that behave like Kinde's, on two listeners: for the demo and for tests.
///
/// HTTP and the signed tokens are real, but must not be trusted: the key is generated at every start.
public final class Sandbox: Sendable {
  /// The URL of the authorization server, without a path; the `iss` of its tokens.
  public let issuer: String
  /// The URL of the API, without a path.
  public let apiURL: String
  /// The audience of the management API.
  public let managementAudience: String

  private let authorizationService: HTTPService
  private let apiService: HTTPService
  private let authorization: AuthorizationServer
  private let api: ProtectedAPI

  // Large enough for tests of uploads through the proxy.
  private static let apiLimits = ServiceLimits(body: 64 << 20, connections: 4_096)

  /// Generates a key and binds both addresses. Accepts no connection before ``start()``.
  public init(_ settings: SandboxSettings, on loop: EventLoop) throws(SandboxError) {
    authorizationService = try Self.bind(settings.host, settings.authorizationPort, ServiceLimits(), loop)
    apiService = try Self.bind(settings.host, settings.apiPort, Self.apiLimits, loop)
    issuer = "http://\(authorizationService.address)"
    apiURL = "http://\(apiService.address)"
    let registry = Registry(settings, issuer: issuer)
    managementAudience = registry.managementAudience
    let mint = TokenMint(issuer: issuer, key: try SigningKey(), lifetime: settings.tokenLifetime)
    let journal = Journal()
    api = ProtectedAPI(registry: registry, mint: mint, journal: journal)
    let tokens = TokenEndpoint(registry: registry, mint: mint, failure: settings.failure)
    authorization = AuthorizationServer(tokens: tokens, api: api, journal: journal)
  }

  /// The URL of the token endpoint.
  public var tokenEndpoint: String { issuer + "/oauth2/token" }

  /// Starts to serve. Call it on the loop's thread, or before the loop runs.
  public func start() throws(SandboxError) {
    let (authorization, api) = (authorization, api)
    try Self.start(authorizationService) { authorization.answer($0, now: time(nil)) }
    try Self.start(apiService) { api.answer($0, now: time(nil)) }
  }

  /// Frees both ports and closes idle connections. Call it on the loop's thread.
  public func close() {
    authorizationService.close()
    apiService.close()
  }

  private static func bind(
    _ host: String, _ port: UInt16, _ limits: ServiceLimits, _ loop: EventLoop
  ) throws(SandboxError) -> HTTPService {
    do {
      // Clients may use any name that leads here, in a network of containers for example; there is nothing to steal.
      return try HTTPService(host: host, port: port, limits: limits, refusesForeignPages: false, on: loop)
    } catch {
      throw .listening(address: "\(host):\(port)", reason: error.description)
    }
  }

  private static func start(_ service: HTTPService, _ handler: @escaping HTTPService.Handler) throws(SandboxError) {
    do {
      try service.start(handler)
    } catch {
      throw .listening(address: service.address, reason: error.description)
    }
  }
}

/// Why a sandbox cannot be started.
public enum SandboxError: Error, CustomStringConvertible {
  /// OpenSSL failed; its message.
  case cryptography(String)
  /// An address cannot be bound, and why.
  case listening(address: String, reason: String)

  /// A sentence for people.
  public var description: String {
    switch self {
    case .cryptography(let detail): "OpenSSL could not make a signing key: \(detail)"
    case .listening(let address, let reason): "cannot listen on \(address): \(reason)"
    }
  }
}
