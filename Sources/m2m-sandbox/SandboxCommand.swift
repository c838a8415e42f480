public import ArgumentParser
internal import Glibc
internal import Reactor
public import Sandbox
internal import SystemPackage

@main
struct SandboxCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "m2m-sandbox",
    abstract: "A token endpoint and an API on loopback that behave like Kinde's, to try m2m-proxy.",
    discussion: """
      Prints its addresses, one a line, each after its name, and "ready". SIGINT and SIGTERM end it.

      The API answers GET /v1/orders (scope read:orders), POST /v1/orders (write:orders), GET /api/v1/organizations \
      (read:organizations, the management API's audience), and /echo, which says what was received. \
      GET /sandbox/stats counts tokens and requests, GET /sandbox/received shows the last request.
      """)

  @Option(help: "The numeric address of both listeners.")
  var host = "127.0.0.1"

  @Option(help: "The port of the authorization server; 0 for any free port.")
  var authorizationPort: UInt16 = 9400

  @Option(help: "The port of the API; 0 for any free port.")
  var apiPort: UInt16 = 9401

  @Option(help: "How many seconds a token is valid.")
  var lifetime = 3600

  @Option(help: "The client id of the application.")
  var clientID = "demo-application"

  @Option(help: "The client secret of the application.")
  var clientSecret = "demo-secret"

  @Option(help: "The organisation to which the application is limited: the org_code of its tokens.")
  var organization: String?

  @Option(
    name: .customLong("api"),
    help: ArgumentHelp("A registered API and the scopes defined on it; may be repeated.", valueName: "audience=scope,…")
  )
  var apis = [
    AudienceScopes(audience: "api.sandbox", scopes: ["read:orders", "write:orders"]),
    AudienceScopes(audience: "reports.sandbox", scopes: ["read:reports"]),
  ]

  @Option(
    name: .customLong("authorize"),
    help: ArgumentHelp(
      "An API the application is authorised for, or `management`, and the scopes assigned there; may be repeated.",
      valueName: "audience=scope,…"))
  var authorizations = [
    AudienceScopes(audience: "api.sandbox", scopes: ["read:orders"]),
    AudienceScopes(audience: "management", scopes: ["read:organizations"]),
  ]

  @Option(help: "The audience of /v1/orders (default: the first --api).")
  var ordersAudience: String?

  @Option(help: "The audience of the management API (default: the authorization server's URL and /api).")
  var managementAudience: String?

  @Option(help: ArgumentHelp("Every token request fails in this way.", valueName: "failure"))
  var fail: ForcedFailure?

  func validate() throws {
    guard lifetime > 0 else { throw ValidationError("--lifetime must be 1 or more.") }
    guard !apis.isEmpty else { throw ValidationError("--api must name at least one API.") }
  }

  func run() throws {
    do {
      try serve()
    } catch let error as SandboxError {
      say(.standardError, "m2m-sandbox: \(error)")
      throw ExitCode.failure
    }
  }

  private func serve() throws {
    let loop = try EventLoop()
    // Before everything else, so that an early signal is kept and not fatal.
    let signals = try SignalWatch([SIGINT, SIGTERM]) { _ in loop.stop() }
    let sandbox = try Sandbox(settings, on: loop)
    try sandbox.start()
    try signals.start(on: loop)
    say(
      .standardOutput,
      """
      authorization_server \(sandbox.issuer)
      token_endpoint \(sandbox.tokenEndpoint)
      jwks \(sandbox.issuer)/.well-known/jwks.json
      api \(sandbox.apiURL)
      management_audience \(sandbox.managementAudience)
      ready
      """)
    loop.run()
  }

  private var settings: SandboxSettings {
    let granted = authorizations.map { authorization in
      let isManagement = authorization.audience == "management"
      return (isManagement ? Application.API.management : .registered(authorization.audience), authorization.scopes)
    }
    let application = Application(
      clientID: clientID, clientSecret: clientSecret, authorizations: Dictionary(granted) { $0 + $1 },
      organization: organization)
    return SandboxSettings(
      host: host, authorizationPort: authorizationPort, apiPort: apiPort, tokenLifetime: lifetime,
      ordersAudience: ordersAudience ?? apis[0].audience, managementAudience: managementAudience,
      apis: apis.map { RegisteredAPI(audience: $0.audience, scopes: $0.scopes) }, applications: [application],
      failure: fail)
  }

  // The program that started this one may wait for the lines, so write them at once; if it does not read them, that is no
  // reason to stop.
  private func say(_ output: FileDescriptor, _ text: String) {
    _ = try? output.writeAll((text + "\n").utf8)
  }
}

extension ForcedFailure: ExpressibleByArgument {}

/// An audience with scopes, as on the command line: `audience=scope,scope`.
struct AudienceScopes: ExpressibleByArgument {
  let audience: String
  let scopes: [String]

  init(audience: String, scopes: [String]) {
    self.audience = audience
    self.scopes = scopes
  }

  init?(argument: String) {
    // The last equals sign: an audience may be a URL with a query.
    guard let equals = argument.lastIndex(of: "="), equals != argument.startIndex else { return nil }
    audience = String(argument[..<equals])
    scopes = argument[argument.index(after: equals)...].split(separator: ",").map(String.init)
  }

  var defaultValueDescription: String { "\(audience)=\(scopes.joined(separator: ","))" }
}
