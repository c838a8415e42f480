import Configuration
import Foundation
import Outbound
import Secrets
import Testing

@Suite("ConfigurationLoader")
struct ConfigurationLoaderTests {
  /// The only route of a file with credentials for Kinde.
  private func route(_ settings: String) throws -> Route {
    let text = """
      credentials: { kinde: { domain: acme.kinde.com, client_id: id, client_secret: { env: SECRET } } }
      timeouts: { connect: 3s, token: 4s }
      routes: [{ name: a, \(settings) }]
      """
    return try #require(try configuration(text).routes.first)
  }

  /// The only credentials of a file.
  private func credentials(_ settings: String) throws -> Credentials {
    let text = """
      credentials: { a: { client_id: "${ID}", client_secret: { env: SECRET }, \(settings) } }
      routes: [{ name: a, match: a, audience: x }]
      """
    return try #require(try configuration(text).credentials.first)
  }

  @Test("fills in the defaults")
  func defaults() throws {
    let loaded = try configuration(faultless)
    #expect(loaded.listen == [ListenerSettings(address: ListenAddress(host: "127.0.0.1", port: 8080))])
    #expect(loaded.admin == TCPAddress(host: "127.0.0.1", port: 9901))
    #expect(loaded.loops == nil)
    #expect(loaded.log == LogSettings(format: .auto, level: .info, access: .on))
    #expect(loaded.tls == TrustSettings(caFile: nil))
    #expect(loaded.timeouts == Timeouts())
    #expect(loaded.limits == Limits())
    #expect(loaded.warnings.isEmpty)
    let route = loaded.routes[0]
    #expect(route.name == "orders")
    #expect(route.matches == [Match(host: "orders.internal")])
    #expect(route.mount == nil)
    #expect(route.upstream == Origin(scheme: .https, host: "orders.internal", port: 443))
    #expect(route.upstreamBasePath == "")
    #expect(route.credentials == .same(0))
    #expect(route.audience == "https://orders.example.com")
    #expect(route.scopes == [])
    #expect(route.timeouts == Timeouts())
  }

  @Test("reads every setting of the whole proxy")
  func everything() throws {
    let loaded = try configuration(
      faultless + """
        listen: [127.0.0.1:8081, "[::1]:8082", localhost:8083, 8084]
        admin: "[::1]:9902"
        loops: 3
        log: { format: json, level: warning, access: off }
        timeouts:
          { head: 1ms, idle: 2s, body: 3m, token: 4h, connect: 24h, first_byte: 6s, upstream_idle: 7s, drain: 86400000ms }
        limits: { head: 48KB, fields: 1000, connections: 1, upstream_connections: 65535, queue: 0 }
        """)
    #expect(
      loaded.listen.map(\.address.description) == ["127.0.0.1:8081", "[::1]:8082", "127.0.0.1:8083", "127.0.0.1:8084"])
    #expect(loaded.listen.map(\.address.tcp?.host) == ["127.0.0.1", "::1", "127.0.0.1", "127.0.0.1"])
    #expect(loaded.admin == TCPAddress(host: "::1", port: 9902))
    #expect(loaded.loops == 3)
    #expect(loaded.log == LogSettings(format: .json, level: .warning, access: .off))
    let timeouts = loaded.timeouts
    #expect(timeouts.head == .milliseconds(1))
    #expect(timeouts.idle == .seconds(2))
    #expect(timeouts.body == .seconds(180))
    #expect(timeouts.token == .seconds(4 * 3600))
    #expect(timeouts.connect == .seconds(24 * 3600))
    #expect(timeouts.firstByte == .seconds(6))
    #expect(loaded.connections.idle == .seconds(7))
    #expect(timeouts.drain == .seconds(24 * 3600))
    let limits = loaded.limits
    #expect(limits.head == 48 * 1024)
    #expect(limits.fields == 1000)
    #expect(limits.connections == 1)
    #expect(limits.upstreamConnections == 65535)
    #expect(limits.queue == 0)
  }

  @Test("turns admin off, and replaces variables in any value")
  func admin() throws {
    #expect(try configuration(faultless + "admin: off").admin == nil)
    let loaded = try configuration(faultless + "loops: ${LOOPS:-5}\nlimits: { queue: '${EMPTY:-7}' }")
    #expect(loaded.loops == 5)
    #expect(loaded.limits.queue == 7)
  }

  @Test(
    "reads hosts, ports and paths to match",
    arguments: [
      ("a", Match(host: "a")), ("Orders.Internal.", Match(host: "orders.internal")),
      ("a:8000", Match(host: "a", port: 8000)), ("a/", Match(host: "a")),
      ("a:80/b", Match(host: "a", port: 80, path: "/b")),
      ("a/b/", Match(host: "a", path: "/b/")), ("a/B%20c", Match(host: "a", path: "/B%20c")),
      ("127.0.0.1:1", Match(host: "127.0.0.1", port: 1)), ("[2001:DB8::0:1]", Match(host: "2001:db8::1")),
      ("[::1]:8443/x", Match(host: "::1", port: 8443, path: "/x")),
    ])
  func matches(written: String, expected: Match) throws {
    #expect(try route("match: '\(written)', audience: x").matches == [expected])
  }

  @Test(
    "takes the upstream from what is matched, unless forward_to names it",
    arguments: [
      ("match: a", "https://a", ""), ("match: 'a:8000'", "https://a:8000", ""), ("match: 'a:443'", "https://a", ""),
      ("match: 'a:80'", "https://a", ""), ("match: [a/b, a/c]", "https://a", ""),
      ("match: [a, 'a:80']", "https://a", ""),
      ("match: '[::1]'", "https://[::1]", ""), ("match: a/b", "https://a", ""),
      ("match: a, forward_to: 'https://B.Example.'", "https://b.example", ""),
      ("match: [a, b], forward_to: 'https://c'", "https://c", ""),
      ("match: a, forward_to: 'https://b:443/'", "https://b", ""),
      ("match: a, forward_to: 'HTTPS://b:8443/base/'", "https://b:8443", "/base"),
      ("match: a, forward_to: 'https://b/x/y'", "https://b", "/x/y"),
      ("mount: /, forward_to: 'http://localhost:9401/v1'", "http://localhost:9401", "/v1"),
      ("mount: /, forward_to: 'http://[::1]:80'", "http://[::1]", ""),
    ])
  func upstream(settings: String, origin: String, base: String) throws {
    let route = try route("\(settings), audience: x")
    #expect(route.upstream?.description == origin)
    #expect(route.upstreamBasePath == base)
  }

  @Test(
    "reads mounts without the slash at their end",
    arguments: [("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/a/b%2F", "/a/b%2F")])
  func mounts(written: String, expected: String) throws {
    #expect(try route("mount: \(written), forward_to: 'https://a', audience: x").mount == expected)
  }

  @Test(
    "finds the audience: the route's, the credentials', or that of Kinde's management API",
    arguments: [
      ("match: a, audience: x", "x"), ("match: acme.kinde.com/api, audience: x", "x"),
      ("match: acme.kinde.com/api", "https://acme.kinde.com/api"),
      ("match: acme.kinde.com/api/", "https://acme.kinde.com/api"),
      ("match: ACME.kinde.com/api/v1/users", "https://acme.kinde.com/api"),
      ("match: kinde.internal, mount: /kinde, forward_to: 'https://acme.kinde.com/api'", "https://acme.kinde.com/api"),
      ("match: kinde.internal/v1, forward_to: 'https://acme.kinde.com/api/'", "https://acme.kinde.com/api"),
    ])
  func audience(settings: String, expected: String) throws {
    #expect(try route(settings).audience == expected)
    #expect(try credentials("domain: acme.kinde.com, audience: y").audience == "y")
  }

  @Test("accepts the credentials' audience, and none at all")
  func audienceOfCredentials() throws {
    let text = """
      credentials:
        one: { domain: acme.kinde.com, client_id: id, client_secret: { env: SECRET }, audience: y }
        two: { token_endpoint: 'https://a/t', client_id: id, client_secret: { env: SECRET } }
      routes:
        - { name: a, match: a, credentials: one }
        - { name: b, match: b, credentials: two }
        - { name: c, match: c, credentials: none }
        - { name: d, match: acme.kinde.com/api, credentials: one }
      """
    let routes = try configuration(text).routes
    #expect(routes.map(\.credentials) == [.same(0), .same(1), .noToken, .same(0)])
    #expect(routes.map(\.audience) == ["y", nil, nil, "y"])
  }

  @Test(
    "reads scopes in a list or with spaces between",
    arguments: [
      ("read:orders", ["read:orders"]), ("read:orders  write:orders", ["read:orders", "write:orders"]),
      ("[read:orders, write:orders]", ["read:orders", "write:orders"]), ("[]", []), ("''", []),
    ])
  func scopes(written: String, expected: [String]) throws {
    #expect(try route("match: a, audience: x, scopes: \(written)").scopes == expected)
  }

  @Test("puts a route's timeouts over those of the proxy")
  func timeouts() throws {
    let timeouts = try route("match: a, audience: x, timeouts: { token: 9s, first_byte: 5m }").timeouts
    #expect(timeouts.connect == .seconds(3))
    #expect(timeouts.token == .seconds(9))
    #expect(timeouts.firstByte == .seconds(300))
    #expect(timeouts.body == .seconds(60))
  }

  @Test("knows Kinde by its domain and other servers by their token endpoint")
  func providers() throws {
    let kinde = try credentials("domain: Acme.Kinde.com")
    #expect(kinde.name == "a")
    #expect(kinde.provider == .kinde(domain: "acme.kinde.com"))
    #expect(kinde.tokenEndpoint.description == "https://acme.kinde.com/oauth2/token")
    #expect(kinde.clientID == "client-1")
    #expect(kinde.authentication == .clientSecretPost)
    #expect(kinde.timeout == .seconds(10))
    #expect(kinde.audience == nil)

    let custom = try credentials("domain: acme.kinde.com, token_endpoint: 'https://login.acme.com/oauth2/token'")
    #expect(custom.provider == .kinde(domain: "acme.kinde.com"))
    #expect(custom.tokenEndpoint.description == "https://login.acme.com/oauth2/token")

    let generic = try credentials(
      "token_endpoint: 'http://127.0.0.1:9400/t?x=1', authentication: client_secret_basic, timeout: 2s")
    #expect(generic.provider == .generic)
    #expect(generic.tokenEndpoint.origin == Origin(scheme: .http, host: "127.0.0.1", port: 9400))
    #expect(generic.tokenEndpoint.target == "/t?x=1")
    #expect(generic.authentication == .clientSecretBasic)
    #expect(generic.timeout == .seconds(2))
    #expect(try credentials("token_endpoint: 'https://a'").tokenEndpoint.target == "/")
    #expect(try credentials("token_endpoint: 'https://a?x=1'").tokenEndpoint.target == "/?x=1")
    #expect(try credentials("provider: generic, token_endpoint: 'http://[::1]/t'").provider == .generic)
  }

  @Test(
    "reads the secret at once, and remembers where it came from",
    arguments: [
      ("{ env: SECRET }", "s3cr3t-value", "environment variable SECRET"),
      ("${SECRET}", "s3cr3t-value", "environment variable SECRET"),
      (#""${SECRET:-x}""#, "s3cr3t-value", "environment variable SECRET"),
      (#""${EMPTY:-pa$$word}""#, "", ""),
      (#""${EMPTY:-password}""#, "password", "written in proxy.conf"),
      ("pa$word", "pa$word", "written in proxy.conf"), ("pa$$word", "pa$word", "written in proxy.conf"),
      ("pre${ID}", "preclient-1", "written in proxy.conf"), (#""x\n""#, "x", "written in proxy.conf"),
    ])
  func secrets(written: String, secret: String, source: String) throws {
    let text = """
      credentials:
        a:
          domain: acme.kinde.com
          client_id: id
          client_secret: \(written)
      routes: [{ name: a, match: a, audience: x }]
      """
    guard !secret.isEmpty else {
      #expect(problems(text) == [#"5:20: credentials.a.client_secret: a default must not contain a "$""#])
      return
    }
    let credentials = try configuration(text).credentials[0]
    #expect(credentials.clientSecret == Secret(secret))
    #expect(credentials.clientSecretSource?.description == source)
  }

  @Test("shows no secret, however a configuration is printed")
  func redacted() throws {
    let loaded = try configuration(faultless.replacing("${SECRET}", with: "s3cr3t-value"))
    #expect(loaded.credentials[0].clientSecret == Secret("s3cr3t-value"))
    var dumped = ""
    dump(loaded, to: &dumped)
    for text in ["\(loaded)", String(reflecting: loaded), dumped] { #expect(!text.contains("s3cr3t")) }
  }

  @Test("loads ten thousand routes")
  func many() throws {
    let routes = (0..<10_000).map { "- { name: r\($0), match: h\($0).internal, credentials: none }\n" }
    let loaded = try configuration("routes:\n" + routes.joined())
    #expect(loaded.routes.count == 10_000)
    #expect(loaded.routes[9_999].matches == [Match(host: "h9999.internal")])
  }
}
