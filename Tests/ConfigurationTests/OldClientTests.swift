import Configuration
import Testing

@Suite("Settings for old clients") struct OldClientTests {
  @Test("interim is forward unless the route says otherwise")
  func interim() throws {
    func text(_ setting: String) -> String { "routes: [{ name: a, match: a, credentials: none\(setting) }]" }
    #expect(try configuration(text("")).routes[0].requests.interim == .forward)
    #expect(try configuration(text(", interim: forward")).routes[0].requests.interim == .forward)
    #expect(try configuration(text(", interim: drop")).routes[0].requests.interim == .drop)
    #expect(
      problems(text(", interim: off")) == [#"1:59: routes[0].interim must be forward or drop, not "off""#])
    #expect(
      problems("routes: [{ name: a, match: a, tunnel: blind, interim: drop }]") == [
        "1:55: routes[0].interim is for requests, and the proxy does not read what a blind tunnel carries"
      ])
  }

  @Test("half_close is abort unless the listener says otherwise")
  func halfClose() throws {
    let routes = "routes: [{ name: a, match: a, credentials: none }]\n"
    #expect(try configuration(routes).listen[0].halfClose == .abort)
    #expect(try configuration(routes + "listen: 127.0.0.1:1").listen[0].halfClose == .abort)
    let listeners = "listen: [{ address: 127.0.0.1:1, half_close: serve }, { address: 127.0.0.1:2, half_close: abort }]"
    let loaded = try configuration(routes + listeners)
    #expect(loaded.listen.map(\.halfClose) == [.serve, .abort])
    #expect(loaded.listen[0].at(.systemd(name: nil)).halfClose == .serve)
    #expect(
      problems(routes + "listen: { address: 127.0.0.1:1, half_close: on }") == [
        #"2:45: listen.half_close must be abort or serve, not "on""#
      ])
  }

  @Test("tcp_keepalive is a minute unless it is set, and what TCP can count")
  func keepalive() throws {
    func text(_ setting: String) -> String {
      "routes: [{ name: a, match: a, credentials: none }]\ntimeouts: { \(setting) }"
    }
    #expect(try configuration(text("idle: 75s")).timeouts.tcpKeepalive == .seconds(60))
    #expect(try configuration(text("tcp_keepalive: off")).timeouts.tcpKeepalive == nil)
    #expect(try configuration(text("tcp_keepalive: 1s")).timeouts.tcpKeepalive == .seconds(1))
    #expect(try configuration(text("tcp_keepalive: 9h")).timeouts.tcpKeepalive == .seconds(9 * 3600))
    for wrong in ["500ms", "10h", "60", "on"] {
      #expect(problems(text("tcp_keepalive: \(wrong)")).count == 1, "\(wrong)")
    }
  }
}
