import Configuration
import Cryptography
import Secrets
import Testing

@Suite("interception")
struct InterceptionTests {
  private func text(_ route: String, _ interception: String? = "{}") -> String {
    "credentials: { kinde: { domain: acme.kinde.com, client_id: id, client_secret: \"${SECRET}\" } }\n"
      + "routes:\n  - { name: a, \(route) }\n" + (interception.map { "interception: \($0)\n" } ?? "")
  }

  private let route = "match: a.example, audience: x, tunnel: intercept"

  @Test("a route of requests can be intercepted, with all that such a route can have")
  func interceptedRoute() throws {
    let loaded = try configuration(text(route + ", mount: /a, methods: GET, timeouts: { body: 1s }"))
    let route = loaded.routes[0]
    #expect(route.tunnel == .intercept && route.credentials == .same(0) && route.mount == "/a")
    #expect(route.upstream?.description == "https://a.example" && route.rules.methods == ["GET"])
    #expect(loaded.warnings.isEmpty)
    #expect(try configuration(text("match: '*.a.example', audience: x, tunnel: intercept")).warnings.isEmpty)
  }

  @Test("the authority has files beside proxy.conf, and its certificates a week, unless it says otherwise")
  func defaults() throws {
    let settings = try #require(configuration(text(route)).interception)
    #expect(settings.certificateFile == "ca/ca.pem" && settings.keyFile == "ca/ca.key")
    #expect(settings.leafLifetime == .days(7))
    let place = SettingPlace(file: "proxy.conf", line: 4, column: 15, path: "interception.ca_certificate")
    #expect(settings.certificatePlace == place)
    #expect(try configuration(faultless).interception == nil)
  }

  @Test("files are named from the directory of proxy.conf, and known by their place in it")
  func files() throws {
    let interception = "{ ca_certificate: x.pem, ca_key: /y.key, leaf_lifetime: 12h, minimum: 1.3 }"
    let loaded = try ConfigurationLoader.parse(
      Array(text(route, interception).utf8), fileName: "/etc/m2m/proxy.conf", environment: Environment(environment))
    let settings = try #require(loaded.interception)
    #expect(settings.certificateFile == "/etc/m2m/x.pem" && settings.keyFile == "/y.key")
    #expect("\(settings.leafLifetime)" == "12h")
    #expect(settings.minimum == .tls13)
    #expect(
      "\(settings.keyPlace.problem("is missing"))" == "/etc/m2m/proxy.conf:4:48: interception.ca_key is missing")
  }

  @Test("each mistake has a problem")
  func mistakes() throws {
    func complaint(_ settings: String) -> String { problems(text(route, settings)).joined(separator: "\n") }
    #expect(
      complaint("{ leaf_lifetime: 398d }")
        == #"4:32: interception.leaf_lifetime must be a lifetime from 1h to 397d, such as 12h or 7d, not "398d""#)
    for lifetime in ["0h", "7", "1w", "d", "-1d", "9999999999999999999d"] {
      #expect(complaint("{ leaf_lifetime: \(lifetime) }").contains("must be a lifetime"))
    }
    #expect(complaint("{ ca_key: ca/ca.pem }").contains("interception has one file for certificate and key"))
    #expect(complaint("{ ca_cert: x }").contains(#"unknown setting "ca_cert"; did you mean "ca_certificate"?"#))
    #expect(complaint("").contains("interception must be a mapping of settings, not nothing"))
  }

  @Test("a route that says intercept needs it, and a match")
  func needs() {
    #expect(
      problems(text(route, nil)) == [
        "3:55: routes[0].tunnel is intercept, which needs a certificate authority: write \"interception: {}\" "
          + "at the top level, and run \"m2m-proxy ca init --config proxy.conf\""
      ])
    #expect(
      problems(text("mount: /a, forward_to: 'https://a', audience: x, tunnel: intercept"))
        == ["3:73: routes[0].tunnel is intercept, but there is no match: CONNECT names a host, and a mount has none"])
  }

  @Test("is not needed where no route says intercept")
  func unused() throws {
    #expect(
      try warnings(text("match: a.example, audience: x")) == [
        "4:15: interception is not used: no route says tunnel: intercept"
      ])
  }

  @Test("a host and port is intercepted or tunnelled blindly, not both")
  func conflict() {
    let routes = """
      credentials: { kinde: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" } }
      interception: {}
      routes:
        - { name: a, match: a.example, audience: x, tunnel: intercept }
        - { name: b, match: 'a.example:443', tunnel: blind }

      """
    #expect(problems(routes).count == 1 && problems(routes)[0].contains("is for the same host and port"))
  }
}
