import Addresses
import Configuration
import Testing

@testable import ProxyCore

@Suite("The rules of a route")
struct AccessRulesTests {
  private func rules(_ change: (inout RouteRules) -> Void = { _ in }) -> AccessRules {
    var rules = RouteRules()
    change(&rules)
    return AccessRules(rules)
  }

  @Test("forbid nothing where there are none")
  func none() {
    let method = Array("BREW".utf8)
    let path = Array("/../x".utf8)
    #expect(rules().admits(nil) && rules().admits(IPAddress("10.0.0.1")))
    #expect(rules().allows(method: method.span) && rules().allows(path: path.span))
  }

  @Test("admit the addresses of the list, and nobody whose address is unknown")
  func clients() throws {
    let address = try #require(IPAddress("10.0.0.0"))
    let network = try #require(IPNetwork(address, prefixLength: 8))
    let rules = rules { $0.allow = [network] }
    #expect(rules.admits(IPAddress("10.9.9.9")) && rules.admits(IPAddress("::ffff:10.9.9.9")))
    #expect(!rules.admits(IPAddress("11.0.0.1")) && !rules.admits(IPAddress("::1")) && !rules.admits(nil))
  }

  @Test(
    "compare methods byte by byte",
    arguments: [("GET", true), ("POST", true), ("get", false), ("GETS", false), ("GE", false), ("HEAD", false)])
  func methods(method: String, isAllowed: Bool) {
    let rules = rules { $0.methods = ["GET", "POST"] }
    let bytes = Array(method.utf8)
    #expect(rules.allows(method: bytes.span) == isAllowed)
    #expect(rules.allowedMethods == "GET, POST")
  }

  @Test("know the fields that replace a method or a path, however they are written")
  func overrideFields() {
    func part(_ name: String) -> OverrideField? {
      let bytes = Array(name.utf8)
      return OverrideField(bytes.span)
    }
    for name in ["X-HTTP-Method-Override", "x-http-method", "X-METHOD-OVERRIDE", "X_Http-Method_override"] {
      #expect(part(name) == .method)
    }
    for name in ["X-Original-URL", "x_rewrite_url"] { #expect(part(name) == .path) }
    for name in ["X-HTTP-Method-Overrid", "X-HTTP-Method-Overrides", "HTTP-Method-Override", "X", "", "Y-HTTP-Method"] {
      #expect(part(name) == nil)
    }
  }

  @Test(
    "hold for what such a field says",
    arguments: [
      ("GET", true), ("get", true), ("Post", true), ("DELETE", false), ("", false), ("GET, POST", false),
      ("GETS", false),
      ("GE\u{14}", false),
    ])
  func overrides(value: String, isAllowed: Bool) {
    let bytes = Array(value.utf8)
    let methods = rules { $0.methods = ["GET", "POST"] }
    #expect(methods.allows(.method, value: bytes.span) == isAllowed && methods.allows(.path, value: bytes.span))
    #expect(methods.canBeOverridden && methods.limitsMethods)
    let paths = rules { $0.paths = ["/v1/"] }
    #expect(paths.allows(.method, value: bytes.span) && !paths.allows(.path, value: bytes.span))
    #expect(paths.canBeOverridden && !paths.limitsMethods && !rules().canBeOverridden)
  }

  @Test(
    "allow paths below a prefix that end at a segment's boundary and are not left by dot segments",
    arguments: [
      ("/v1/", true), ("/v1/orders", true), ("/v1/a/../b", true), ("/v1", false), ("/v10", false), ("/V1/", false),
      ("/health", true), ("/health/live", true), ("/healthy", false), ("/health%2Flive", false), ("/", false),
      ("/v1/../admin", false), ("/v1/%2e%2e/admin", false), ("/v1/a/..%2f../admin", false), ("/v1/..;/admin", false),
      ("/v1//../admin", false), ("/v1/..\\admin", false), ("/x/../v1/", false), ("//v1/", false), ("/%761/", false),
      ("*", false),
    ])
  func paths(path: String, isAllowed: Bool) {
    let rules = rules { $0.paths = ["/v1/", "/health"] }
    let bytes = Array(path.utf8)
    #expect(rules.allows(path: bytes.span) == isAllowed)
  }
}
