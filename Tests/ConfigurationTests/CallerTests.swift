import Configuration
import Cryptography
import Testing

@Suite("Callers in proxy.conf")
struct CallerTests {
  private static let hash = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w"

  private func file(_ callers: String, route: String = "", listen: String = "8080") -> String {
    """
    listen: \(listen)
    callers:
    \(callers)
    credentials:
      one: { token_endpoint: "https://a.example/t", client_id: a, client_secret: "${SECRET}" }
      two: { token_endpoint: "https://a.example/t", client_id: b, client_secret: "${SECRET}" }
      three: { token_endpoint: "https://a.example/t", client_id: c, client_secret: "${SECRET}", audience: other }
    routes:
      - { name: orders, match: a, audience: x, \(route.isEmpty ? "credentials: one" : route) }
    """
  }

  private var known: String {
    """
      billing: { password: "\(Self.hash)" }
      erp: { certificate: "CN=erp,O=Example" }
      cron: { uid: 1001 }
    """
  }

  @Test("are known by password, certificate or user, or all of them")
  func reading() throws {
    let callers = try configuration(
      file(
        """
          billing:
            password: \(Self.hash)
          erp: { certificate: "CN=erp, O=Example", uid: 0 }
          dns: { certificate: "dns:ERP.internal." }
          uri: { certificate: "uri:spiffe://example/erp" }
          email: { certificate: "email:erp@example.com" }
          root-but-not: { uid: 4294967294 }
        """)
    ).callers
    #expect(callers.map(\.name) == ["billing", "erp", "dns", "uri", "email", "root-but-not"])
    #expect(callers[0].password == PasswordHash(Self.hash))
    #expect(callers[1].certificate == .subject(try #require(DistinguishedName("CN=erp,O=Example"))))
    #expect(callers[1].uid == 0)
    #expect(
      callers[2...4].map(\.certificate) == [
        .dns("erp.internal"), .uri("spiffe://example/erp"), .email("erp@example.com"),
      ])
    #expect(callers[5].uid == 4_294_967_294)
  }

  @Test("may be users by name, of those who exist")
  func userNames() throws {
    #expect(try configuration(file("  a: { uid: root }")).callers.map(\.uid) == [0])
    #expect(
      problems(file("  a: { uid: nobody-of-this-name }")).map { $0.contains("this machine has no user of that name") }
        == [true])
  }

  @Test("are named by routes and listeners")
  func naming() throws {
    let loaded = try configuration(
      file(
        known, route: "credentials: one, callers: [erp, billing]",
        listen: "[{ address: 8080, callers: required }, { address: 8081, callers: cron }, 8082]"))
    #expect(loaded.routes[0].rules.callers == [1, 0])
    #expect(loaded.listen.map(\.callers) == [.known, .oneOf([2]), nil])
    let tunnel = "routes: [{ name: t, match: t, tunnel: blind, callers: a }]\ncallers: { a: { uid: 1 } }\n"
    #expect(try configuration(tunnel).routes[0].rules.callers == [0])
  }

  @Test("may have credentials of their own")
  func credentials() throws {
    func choice(_ settings: String) throws -> CredentialsChoice {
      try configuration(file(known, route: settings)).routes[0].credentials
    }
    #expect(
      try choice("credentials: { billing: one, erp: two, default: one }") == .byCaller([0: 0, 1: 1], others: 0))
    #expect(try choice("credentials: { billing: one }, callers: billing") == .byCaller([0: 0], others: nil))
    #expect(try choice("credentials: { billing: one, default: two }, callers: [billing, cron]").all == [0, 1])
    #expect(try choice("credentials: two") == .same(1))
  }

  @Test(
    "that are wrong are problems, none of which shows what may be a password",
    arguments: [
      ("  a: {}", "3:6: callers.a has nothing that identifies it; it needs password, certificate or uid"),
      ("  a: x", "callers.a must be a caller, which is a mapping of settings, not text"),
      (
        "  a: { password: s3cr3t }",
        "callers.a.password must be a hash of the password, as \"m2m-proxy hash-password\" makes it, not anything else"
      ),
      ("  a: { password: '${SECRET}' }", "callers.a.password must be a hash of the password"),
      ("  a: { password: '$scrypt$ln=30,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046w' }", "must be a hash"),
      ("  a: { password: { file: /nonexistent } }", "file /nonexistent cannot be read"),
      ("  a: { pasword: x, uid: 1 }", "did you mean \"password\"?"),
      ("  'a:b': { uid: 1 }", "callers: \"a:b\" has a colon, which no user name can have (RFC 7617)"),
      ("  default: { uid: 1 }", "\"default\" means something else where callers are named"),
      ("  required: { uid: 1 }", "\"required\" means something else"),
      ("  'a b': { uid: 1 }", "\"a b\" must be a name of 1 to 64 letters"),
      ("  a: { uid: 1 }\n  b: { uid: 1 }", "4:13: callers.b.uid is that of callers.a.uid already"),
      (
        "  a: { certificate: 'CN=x,O=y' }\n  b: { certificate: 'cn = x, o = y' }",
        "callers.b.certificate is that of callers.a.certificate already, and identifies one caller only"
      ),
      ("  a: { certificate: erp }", "openssl x509 -noout -subject -nameopt RFC2253"),
      ("  a: { certificate: 'dns:10.0.0.1' }", "a name, not an address"),
      ("  a: { certificate: 'uri:erp' }", "a URI has a scheme"), ("  a: { certificate: 'email:erp' }", "has an @"),
      ("  a: { uid: -1 }", "callers.a.uid must be a user id such as 1001, or the name of a user"),
      ("  a: { uid: 4294967295 }", "must be a user id"), ("  a: { uid: '' }", "must be a user id"),
    ])
  func problemsOfCallers(callers: String, expected: String) {
    let found = problems(file(callers))
    #expect(found.count == 1)
    #expect(found.allSatisfy { $0.contains(expected) && !$0.contains("s3cr3t") && !$0.contains("ln=30") }, "\(found)")
  }

  @Test(
    "are problems where routes and listeners name them wrongly",
    arguments: [
      (
        "credentials: one, callers: bill",
        "routes[0].callers names \"bill\", which is not defined; defined: billing, erp, cron"
      ),
      ("credentials: one, callers: []", "not an empty list"),
      ("credentials: one, callers: [erp, erp]", "routes[0].callers[1] is \"erp\", which is in the list already"),
      ("credentials: {}", "routes[0].credentials names no caller"),
      ("credentials: { default: one }", "names no caller; one for all is written as credentials: NAME"),
      ("credentials: { bill: one }", "has \"bill\", which is not a caller; known: billing, erp, cron, default"),
      ("credentials: { billing: four }", "names \"four\", which is not defined; defined: one, two, three"),
      ("credentials: { billing: none }", "routes[0].credentials.billing must name credentials"),
      (
        "credentials: { billing: one }, callers: [billing, erp]",
        "routes[0].credentials has nothing for erp, which \"callers\" lets in; or add default"
      ),
      (
        "credentials: { billing: one, erp: two }, callers: billing",
        "routes[0].credentials.erp is for a caller that \"callers\" of the route does not let in"
      ),
    ])
  func problemsOfRoutes(settings: String, expected: String) {
    let found = problems(file(known, route: settings))
    #expect(found.count == 1 && found.allSatisfy { $0.contains(expected) }, "\(found)")
  }

  @Test("that a listener requires have to be there")
  func problemsOfListeners() {
    #expect(
      problems(faultless + "listen: { address: 1, callers: required }").map { $0.contains("no callers are defined") }
        == [true])
    #expect(
      problems(faultless + "listen: { address: 1, callers: a }").map { $0.contains("is not defined; defined: nothing") }
        == [true])
  }

  @Test("share the audience of their route, which says so where their credentials differ")
  func audiences() throws {
    let text = file(known, route: "credentials: { billing: one, erp: three }")
    #expect(try configuration(text).routes[0].audience == "x")
    let without = text.replacing("audience: x, ", with: "")
    #expect(
      problems(without).map {
        $0.contains("routes[0].audience is missing; the credentials of its callers have different ones")
      } == [true])
  }

  @Test("that no rule names, or that no client can be, cause a warning")
  func warned() throws {
    func found(_ callers: String, _ route: String, _ listen: String = "8080") throws -> [String] {
      try warnings(file(callers, route: route, listen: listen)).filter {
        !$0.contains("credentials.") && !$0.contains("can never be identified")
      }
    }
    #expect(
      try found(known, "credentials: { billing: one, default: two }, callers: [billing, erp]") == [
        "5:3: callers.cron is not used by any route or listener"
      ])
    #expect(try found(known, "credentials: one", "{ address: 1, callers: required }").isEmpty)
    #expect(
      try found("  a: { password: \"\(Self.hash.replacing("14", with: "10"))\" }", "credentials: one, callers: a") == [
        "3:18: callers.a.password is weak (ln=10): guessing its password is cheap; \"m2m-proxy hash-password\" makes stronger ones"
      ])
  }

  @Test("cause a warning if no listener can identify them")
  func unknowable() throws {
    func found(_ listen: String) throws -> [String] {
      try warnings(file(known, route: "credentials: one, callers: [billing, erp, cron]", listen: listen))
        .filter { !$0.contains("credentials.") }
    }
    #expect(
      try found("8080") == [
        "4:3: callers.erp can never be identified: no listener requests client certificates (tls with client_ca)",
        "5:3: callers.cron can never be identified: no listener is a Unix socket",
      ])
    #expect(try found("[8080, 'unix:/run/x']").map { $0.contains("callers.erp") } == [true])
    #expect(
      try found("{ address: '0.0.0.0:8080', callers: required }").first
        == "1:20: listen.address is 0.0.0.0:8080 without tls: passwords of callers travel there unencrypted")
  }

  @Test("with passwords only cannot be identified on a mount")
  func mounts() throws {
    func found(_ settings: String) throws -> [Bool] {
      let text = file(known, route: settings).replacing("match: a,", with: "mount: /a, forward_to: 'https://a',")
      return try warnings(text).filter {
        !$0.contains("credentials.") && !$0.contains("is not used by any") && !$0.contains("can never be")
      }
      .map { $0.contains("names callers with passwords only, which base-URL clients cannot send to a proxy") }
    }
    #expect(try found("credentials: one, callers: billing") == [true])
    #expect(try found("credentials: { billing: one }") == [true])
    #expect(try found("credentials: { billing: one, default: two }").isEmpty)
    #expect(try found("credentials: one, callers: [billing, erp]") == [])
  }
}
