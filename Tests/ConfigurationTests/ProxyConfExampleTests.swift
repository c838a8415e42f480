import Configuration
import Foundation
import Outbound
import Secrets
import Testing

@Suite("proxy.conf.example")
struct ProxyConfExampleTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let environment: Environment = [
    "KINDE_CLIENT_ID": "8a1b", "LEGACY_CLIENT_SECRET": "hunter2", "GATEWAY_KEY": "g4teway",
  ]

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// Calls `body` with the example, in which the files it names are in a directory of the test's own.
  func withExample<R>(_ body: (String) throws -> R) throws -> R {
    try withExampleFiles(Self.text("proxy.conf.example"), body)
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

  @Test("names every setting there is, and so does docs/configuration.md", arguments: TopSettings.group.all)
  func complete(group: SettingGroup) throws {
    let example = uncommented(try Self.text("proxy.conf.example"))
    let reference = try Self.text("docs/configuration.md")
    for setting in group.settings {
      let name = setting.name
      let written = try Regex("(^|[ {])\(name):( |$)").anchorsMatchLineEndings()
      let isInExample = example.firstMatch(of: written) != nil
      #expect(isInExample, "proxy.conf.example lacks \(name) of \(group.name)")
      let isInReference = reference.contains("`\(group.prefix)\(name)`") || reference.firstMatch(of: written) != nil
      #expect(isInReference, "docs/configuration.md lacks \(name) of \(group.name)")
    }
  }

  @Test("loads every example of docs/configuration.md, those by task without a warning")
  func examples() throws {
    let reference = try Self.text("docs/configuration.md")
    let end = try #require(reference.range(of: "\n## The file\n")).lowerBound
    let blocks = reference.matches(of: #/(?s)```yaml\n(.*?)```/#)
    let smallest = Self.sections(try #require(blocks.first).1)
    #expect(blocks.count > 20)
    for block in blocks {
      // What an example leaves out is that of the smallest file.
      let sections = smallest.merging(Self.sections(block.1)) { _, example in example }
      let text = sections.sorted { $0.key < $1.key }.map(\.value).joined()
      try withExampleFiles(text) { text in
        let configuration = try load(text)
        guard block.range.upperBound < end else { return }
        #expect(configuration.warnings.map(\.description) == [], "\(block.1)")
      }
    }
  }

  /// The sections at the top level of `yaml` by name.
  private static func sections(_ yaml: Substring) -> [Substring: String] {
    var sections: [Substring: String] = [:]
    var name: Substring = ""
    for line in yaml.split(separator: "\n") {
      if let start = line.prefixMatch(of: #/[a-z_]+(?=:)/#)?.output { name = start }
      sections[name, default: ""] += "\(line)\n"
    }
    return sections
  }
}
