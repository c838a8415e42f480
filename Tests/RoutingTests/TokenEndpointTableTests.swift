import Configuration
import Testing

@testable import Routing

@Suite("Where the proxy answers token requests") struct TokenEndpointTableTests {
  private let table: TokenEndpointTable = {
    var table = TokenEndpointTable()
    table.add(.path("/orders/oauth2/token"), route: 0)
    table.add(.path("/orders"), route: 1)
    table.add(.host(Match(host: "acme.kinde.com", path: "/oauth2/token")), route: 2)
    table.add(.host(Match(host: "acme.kinde.com", port: 8080, path: "/oauth2/token")), route: 3)
    table.add(.host(Match(host: "acme.kinde.com", path: "/oauth2")), route: 4)
    return table
  }()

  private func own(_ path: String) -> Int? { table.route(at: Array(path.utf8).span) }
  private func other(_ host: String, _ port: UInt16, _ path: String) -> Int? {
    table.route(host: Array(host.utf8).span, port: port, path: Array(path.utf8).span)
  }

  @Test("is found by the whole path")
  func paths() {
    #expect(own("/orders/oauth2/token") == 0)
    #expect(own("/orders") == 1)
    for path in ["/orders/", "/orders/oauth2", "/orders/oauth2/token/", "/orders/oauth2/token/x", "/Orders", "/", ""] {
      #expect(own(path) == nil)
    }
  }

  @Test("is found by host, port and the whole path")
  func hosts() {
    #expect(other("acme.kinde.com", 80, "/oauth2/token") == 2)
    #expect(other("ACME.kinde.com.", 443, "/oauth2/token") == 2)
    #expect(other("acme.kinde.com", 8080, "/oauth2/token") == 3)
    #expect(other("acme.kinde.com", 80, "/oauth2") == 4)
    #expect(other("acme.kinde.com", 8080, "/oauth2") == nil)
    #expect(other("acme.kinde.com", 8443, "/oauth2/token") == nil)
    #expect(other("kinde.com", 80, "/oauth2/token") == nil)
    #expect(other("acme.kinde.com", 80, "/oauth2/token/") == nil)
    #expect(other("acme.kinde.com", 80, "/oauth2/tokens") == nil)
  }

  @Test("may be absent")
  func empty() {
    #expect(TokenEndpointTable().isEmpty && !table.isEmpty)
    #expect(TokenEndpointTable().route(at: Array("/".utf8).span) == nil)
  }
}
