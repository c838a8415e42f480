import Configuration
import Testing

@Suite("The protocols to which a route's connections may switch") struct UpgradeTests {
  private func rules(_ setting: String) throws -> UpgradeRules {
    try configuration("routes: [{ name: a, match: a, credentials: none\(setting) }]").routes[0].requests.upgrade
  }

  private func problem(_ value: String) -> [String] {
    problems("routes: [{ name: a, match: a, credentials: none, upgrade: \(value) }]")
  }

  @Test("is any, none, one or a list of them")
  func values() throws {
    #expect(try rules("") == .any)
    #expect(try rules(", upgrade: any") == .any)
    #expect(try rules(", upgrade: off") == .off)
    #expect(try rules(", upgrade: WebSocket") == .listed(["websocket"]))
    #expect(try rules(", upgrade: [websocket, SPDY/3.1]") == .listed(["websocket", "spdy/3.1"]))
  }

  @Test("without a version means every version, in any case of letters")
  func allows() {
    let listed = UpgradeRules.listed(["websocket", "spdy/3.1"])
    for name in ["websocket", "WebSocket/13", "SPDY/3.1"] { #expect(listed.allows(name), "\(name)") }
    for name in ["web", "websockets", "spdy", "spdy/3", "spdy/3.1.1"] { #expect(!listed.allows(name), "\(name)") }
    #expect(UpgradeRules.any.allows("x") && !UpgradeRules.off.allows("x"))
  }

  @Test("has a problem that lists the valid values")
  func wrong() {
    let expected = "any, off, or a protocol such as websocket"
    #expect(problem("a b") == [#"1:59: routes[0].upgrade must be \#(expected), not "a b""#])
    #expect(problem("a/1/2").count == 1 && problem("a/").count == 1 && problem("/1").count == 1)
    #expect(problem("[]") == ["1:59: routes[0].upgrade must be \(expected), or a list of those, not an empty list"])
    #expect(
      problem("[websocket, off]") == [
        #"1:71: routes[0].upgrade[1] must be \#(expected), not "off"; off cannot be in a list"#
      ])
    #expect(
      problem("[websocket, WebSocket]") == [
        #"1:71: routes[0].upgrade[1] is "websocket", which is in the list already"#
      ])
    #expect(
      problem("h2c") == [
        #"1:59: routes[0].upgrade must be \#(expected), not "h2c"; the proxy speaks HTTP/1.1 with each side for itself"#
      ])
    #expect(
      problem("TLS/1.2") == [
        #"1:59: routes[0].upgrade must be \#(expected), not "TLS/1.2"; whether there is TLS is up to the listener and to forward_to"#
      ])
  }

  @Test("says nothing of a tunnel")
  func tunnel() {
    #expect(
      problems("routes: [{ name: a, match: a, tunnel: blind, upgrade: any }]") == [
        "1:55: routes[0].upgrade is for requests, and the proxy does not read what a blind tunnel carries"
      ])
  }

  @Test("has a limit of its own for how long nothing may move")
  func timeout() throws {
    let text =
      "timeouts: { tunnel: 5m }\nroutes:\n  - { name: a, match: a, credentials: none }\n"
      + "  - { name: b, match: b, credentials: none, timeouts: { tunnel: 1h } }\n"
    #expect(try configuration(text).routes.map(\.timeouts.tunnel) == [.seconds(300), .seconds(3600)])
  }
}
