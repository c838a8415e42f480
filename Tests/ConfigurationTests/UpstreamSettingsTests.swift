import Configuration
import Outbound
import Testing

@Suite("The section upstream") struct UpstreamSettingsTests {
  private func route(_ settings: String = "") -> String {
    "routes: [{ name: a, match: a, credentials: none\(settings) }]\n"
  }

  @Test("has defaults")
  func defaults() throws {
    let policy = try configuration(route()).routes[0].connections
    #expect(policy == ConnectionPolicy())
    #expect(policy.isReused && policy.idle == .seconds(30) && policy.maxAge == .seconds(600))
    #expect(policy.maxRequests == nil && policy.connectAttempts == 3 && policy.dnsRefresh == .seconds(30))
  }

  @Test("of a route goes over that of the top level, setting by setting")
  func inherited() throws {
    let loaded = try configuration(
      "upstream: { idle: 4s, max_age: off, max_requests: 7, connect_attempts: 1, dns_refresh: 1s }\n"
        + route(", upstream: { idle: 5s, max_age: 1h }"))
    #expect(loaded.connections.idle == .seconds(4) && loaded.connections.maxAge == nil)
    let policy = loaded.routes[0].connections
    #expect(policy.idle == .seconds(5) && policy.maxAge == .seconds(3600))
    #expect(policy.maxRequests == 7 && policy.connectAttempts == 1 && policy.dnsRefresh == .seconds(1))
    let single = try configuration("upstream: { idle: 4s }\n" + route(", upstream: { reuse: off }"))
    #expect(!single.routes[0].connections.isReused)
  }

  @Test("timeouts.upstream_idle is the older name of idle; both at once are a mistake")
  func olderName() throws {
    let older = "timeouts: { upstream_idle: 7s }\n"
    #expect(try configuration(older + route()).routes[0].connections.idle == .seconds(7))
    #expect(try configuration(older + route(", upstream: { idle: 8s }")).routes[0].connections.idle == .seconds(8))
    #expect(try configuration(older + "upstream: { reuse: on }\n" + route()).connections.idle == .seconds(7))
    #expect(
      problems(older + "upstream: { idle: 8s }\n" + route()) == [
        "1:28: timeouts.upstream_idle is the older name of upstream.idle, which is there too; leave this one out"
      ])
  }

  @Test("what is for kept connections has no meaning where none is kept")
  func reuse() {
    #expect(
      problems(route(", upstream: { reuse: off, idle: 1s, max_age: 1s, max_requests: 1 }")) == [
        "1:80: routes[0].upstream.idle is for connections that are kept, and reuse is off",
        "1:93: routes[0].upstream.max_age is for connections that are kept, and reuse is off",
        "1:111: routes[0].upstream.max_requests is for connections that are kept, and reuse is off",
      ])
    #expect(problems("upstream: { reuse: off }\n" + route(", upstream: { idle: 1s }")).count == 1)
  }

  @Test("of a blind tunnel says how to connect, and no more")
  func tunnel() throws {
    func text(_ setting: String) -> String {
      "routes: [{ name: a, match: a, tunnel: blind, upstream: { \(setting) } }]"
    }
    let policy = try configuration(text("connect_attempts: 2, dns_refresh: 1m")).routes[0].connections
    #expect(policy.connectAttempts == 2 && policy.dnsRefresh == .seconds(60))
    for setting in ["reuse: off", "idle: 1s", "max_age: off", "max_requests: 1"] {
      #expect(problems(text(setting)).count == 1, "\(setting)")
    }
  }

  @Test(
    "has bounds",
    arguments: [
      ("idle: off", #"must be a duration such as 500ms or 10s, not "off""#),
      ("max_age: never", #"must be off, or a duration such as 500ms or 10s, not "never""#),
      ("max_requests: 0", #"must be off, or a number from 1 to 1000000, not "0""#),
      ("connect_attempts: 11", #"must be a number from 1 to 10, not "11""#),
      ("dns_refresh: 999ms", #"must be a duration from 1s to 24h, such as 30s, not "999ms""#),
      ("reuse: no", #"must be on or off, not "no""#),
    ])
  func bounds(setting: String, complaint: String) {
    let found = problems("upstream: { \(setting) }\n" + route())
    #expect(found.count == 1 && found[0].hasSuffix(complaint), "\(found)")
  }

  @Test("via is on unless the route says otherwise")
  func via() throws {
    #expect(try configuration(route()).routes[0].requests.hasVia)
    #expect(try configuration(route(", via: off")).routes[0].requests.hasVia == false)
    #expect(problems("routes: [{ name: a, match: a, tunnel: blind, via: off }]").count == 1)
  }
}
