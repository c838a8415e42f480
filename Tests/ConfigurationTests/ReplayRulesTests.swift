import Configuration
import Testing

@Suite("When a request is sent again") struct ReplayRulesTests {
  private func rules(_ limits: String, _ own: String) throws -> ReplayRules {
    try configuration(
      """
      limits: { \(limits) }
      credentials: { kinde: { domain: acme.kinde.com, client_id: id, client_secret: "${SECRET}" } }
      routes: [{ name: a, match: a, audience: x\(own) }]
      """
    ).routes[0].replay
  }

  @Test("is after a 401, with 64 KB kept, unless the route says otherwise")
  func values() throws {
    #expect(try rules("", "") == ReplayRules())
    #expect(ReplayRules().unauthorized && ReplayRules().buffer == 65_536)
    #expect(try rules("replay_buffer: 1KB", "").buffer == 1024)
    #expect(try rules("replay_buffer: 1KB", ", replay_buffer: 0").buffer == 0)
    #expect(try !rules("", ", replay_unauthorized: off").unauthorized)
  }

  @Test("is not after throttling, unless the route says so")
  func throttled() throws {
    #expect(try rules("", "").throttled == nil)
    #expect(try rules("", ", throttled: { attempts: 2 }").throttled?.wait == .seconds(10))
    let throttled = try #require(try rules("", ", throttled: { wait: 500ms, attempts: 3 }").throttled)
    #expect(throttled.wait == .milliseconds(500) && throttled.attempts == 3)
    let found = problems("routes: [{ name: a, match: a, credentials: none, throttled: { attempts: 0, wait: soon } }]")
    #expect(found.count == 2 && found.contains { $0.contains("attempts must be a number from 1 to 10") })
  }

  @Test("has a problem that lists the valid values")
  func wrong() {
    let route = "routes: [{ name: a, match: a, credentials: none, "
    let size = "a size from 0 to 64KB, such as 512, 8KB or 1MB"
    #expect(
      problems(route + "replay_buffer: 65KB }]") == ["1:65: routes[0].replay_buffer must be \(size), not \"65KB\""])
    #expect(
      problems(route + "replay_unauthorized: on }]") == [
        "1:71: routes[0].replay_unauthorized is for a token, but with credentials: none there is no token"
      ])
    #expect(problems("limits: { replay_buffer: 1MB }\n" + route + "}]").first?.contains(size) == true)
  }
}
