internal import Glibc
internal import HTTPService
public import Reactor
internal import SystemPackage

/// An authorization server and an API that behave like Kinde's, on two listeners: for the demo and for tests.
///
/// Real HTTP and real signed tokens, but nothing to trust: the key is made again with every start.
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

  /// Makes a key and binds both addresses; answers nothing before ``start()``.
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

  /// Begins to answer. On the loop's thread, or before the loop runs.
  public func start() throws(SandboxError) {
    let (authorization, api) = (authorization, api)
    try Self.start(authorizationService) { authorization.answer($0, now: time(nil)) }
    try Self.start(apiService) { api.answer($0, now: time(nil)) }
  }

  /// Frees both ports, and ends idle connections. On the loop's thread.
  public func close() {
    authorizationService.close()
    apiService.close()
  }

  private static func bind(
    _ host: String, _ port: UInt16, _ limits: ServiceLimits, _ loop: EventLoop
  ) throws(SandboxError) -> HTTPService {
    do {
      // Called by any name that leads to it, in a network of containers for example; it has nothing that a page could steal.
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
  /// OpenSSL refused; what it said.
  case cryptography(String)
  /// An address cannot be listened on, and why.
  case listening(address: String, reason: String)

  /// A sentence for people.
  public var description: String {
    switch self {
    case .cryptography(let detail): "OpenSSL made no signing key: \(detail)"
    case .listening(let address, let reason): "cannot listen on \(address): \(reason)"
    }
  }
}
