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
