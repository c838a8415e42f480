import Configuration
import Foundation
import Testing

@Suite("proxy.conf.example")
struct ProxyConfExampleTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let environment = ["KINDE_CLIENT_ID": "8a1b", "LEGACY_CLIENT_SECRET": "hunter2"]

  private static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// Calls `body` with the example, in which the files it names are in a directory of the test's own.
  func withExample<R>(_ body: (String) throws -> R) throws -> R {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("example-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    for (name, content) in [
      ("kinde_client_secret", "s3cret\n"), ("kinde_client_secret_previous", "s3cret-before\n"),
      ("private-ca.pem", "-----BEGIN CERTIFICATE-----\n"), ("private-ca.crl.pem", ExampleClient.revocationList),
      ("client.key", ExampleClient.key), ("client.pem", ExampleClient.certificate), ("proxy_password", "s3cret\n"),
      ("token_store_key", "a-key-of-more-than-32-characters-in-all"),
    ] {
      let path = directory.appendingPathComponent(name).path
      try #require(
        FileManager.default.createFile(
          atPath: path, contents: Data(content.utf8), attributes: [.posixPermissions: 0o400]))
    }
    let example = try Self.text("proxy.conf.example")
      .replacingOccurrences(of: "/run/secrets/", with: directory.path + "/")
      .replacingOccurrences(of: "/etc/ssl/", with: directory.path + "/")
      .replacingOccurrences(of: "/var/lib/", with: directory.path + "/")
    return try body(example)
  }

  private func load(_ text: String) throws -> ProxyConfiguration {
    try ConfigurationLoader.parse(Array(text.utf8), fileName: "proxy.conf", environment: Self.environment)
  }

  /// The example with every setting in it that is commented out.
  private func uncommented(_ text: String) -> String {
    text.replacing(#/(?m)^( *)# ( *(?:- )?[a-z_]+:( |$))/#) { "\($0.1)\($0.2)" }
  }

  @Test("loads without a problem or a warning")
  func loads() throws {
    let configuration = try withExample(load)
    #expect(configuration.warnings.map(\.description) == [])
    #expect(configuration.credentials.map(\.name) == ["kinde", "legacy-idp", "keyed-idp"])
    #expect(
      configuration.routes.map(\.name) == [
        "kinde-management", "orders", "shops", "reports", "ledger", "invoices", "status", "packages",
      ])
    #expect(configuration.callers.map(\.name) == ["billing", "erp"])
    #expect(configuration.routes[5].credentials == .byCaller([0: 0, 1: 1], others: nil))
    #expect(configuration.routes[0].audience == "https://acme.kinde.com/api")
  }

  @Test("shows the defaults that the proxy really has")
  func defaults() throws {
    let configuration = try withExample(load)
    let defaults = ProxyConfiguration()
    #expect(configuration.listen == defaults.listen)
    #expect(configuration.admin == defaults.admin)
    #expect(configuration.loops == defaults.loops)
    #expect(configuration.log == defaults.log)
    #expect(configuration.tls == defaults.tls)
    #expect(configuration.timeouts == defaults.timeouts)
    #expect(configuration.limits == defaults.limits)
    #expect(configuration.tokenStore == nil && defaults.tokenStore == nil)
  }

  @Test("loads with everything that is commented out in it, too")
  func comments() throws {
    let configuration = try withExample { try load(uncommented($0)) }
    #expect(configuration.warnings.map(\.description) == [])
    #expect(configuration.loops == 2)
    #expect(configuration.limits.memory == .bytes(256 << 20))
    #expect(configuration.tls.caFile?.hasSuffix("/private-ca.pem") == true)
    #expect(configuration.tokenStore?.directory.hasSuffix("/m2m-proxy") == true)
    #expect(configuration.tokenStore?.key != nil)
    let interception = try #require(configuration.interception)
    #expect(interception.certificateFile == InterceptionSettings.defaultCertificateFile)
    #expect(interception.keyFile == InterceptionSettings.defaultKeyFile)
    #expect(interception.leafLifetime == InterceptionSettings.defaultLeafLifetime)
    #expect(configuration.routes[1].tunnel == .intercept)
    #expect(configuration.credentials[0].audience == "https://api.acme.com")
    #expect(configuration.routes[2].allowsPrivate)
    #expect(configuration.credentials[0].tokenEndpoint.description == "https://login.acme.com/oauth2/token")
  }

  @Test("names every setting there is, and so does docs/configuration.md")
  func complete() throws {
    // The message about an unknown setting lists the settings that a section knows.
    let probe = """
      zzzzzzzz: 1
      log: { zzzzzzzz: 1 }
      tls: { zzzzzzzz: 1 }
      timeouts: { zzzzzzzz: 1 }
      limits: { zzzzzzzz: 1 }
      token_store: { zzzzzzzz: 1 }
      interception: { zzzzzzzz: 1 }
      credentials:
        kinde:
          { zzzzzzzz: 1, client_secret: { zzzzzzzz: 1 }, client_certificate: { zzzzzzzz: 1 }, budget: { zzzzzzzz: 1 } }
        keyed: { authentication: private_key_jwt, private_key: { zzzzzzzz: 1 } }
      parent_proxy: { zzzzzzzz: 1 }
      listen: { zzzzzzzz: 1, tls: { zzzzzzzz: 1 } }
      callers: { a: { zzzzzzzz: 1 } }
      routes:
        - { zzzzzzzz: 1, timeouts: { zzzzzzzz: 1 }, concurrency: { zzzzzzzz: 1 }, throttled: { zzzzzzzz: 1 } }
        - { name: a, match: a, credentials: kinde, token: { zzzzzzzz: 1 } }
      """
    let example = uncommented(try Self.text("proxy.conf.example"))
    let reference = try Self.text("docs/configuration.md")
    var sections = 0
    for problem in problems(probe) {
      guard let list = problem.firstMatch(of: #/; known: (.*)$/#)?.1 else { continue }
      sections += 1
      for name in list.split(separator: ", ") {
        #expect(example.contains("\(name):"), "proxy.conf.example lacks \(name)")
        #expect(
          reference.contains("\(name)`") || reference.contains("## \(name)\n") || reference.contains("{ \(name):"),
          "docs/configuration.md lacks \(name)")
      }
    }
    #expect(sections == 21)
  }

  @Test("shows the smallest file in docs/configuration.md as one that loads")
  func smallest() throws {
    let reference = try Self.text("docs/configuration.md")
    let yaml = try #require(reference.firstMatch(of: #/(?s)```yaml\n(.*?)```/#)?.1)
    try withExample { example in
      let secret = try #require(example.firstMatch(of: #/{ file: (\S+)/#)?.1)
      let configuration = try load(String(yaml).replacing("/run/secrets/kinde_client_secret", with: secret))
      #expect(configuration.warnings.map(\.description) == [])
    }
  }
}
