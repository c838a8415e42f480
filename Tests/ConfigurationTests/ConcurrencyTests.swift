import Configuration
import Testing

@Suite("How many requests may be in progress at once") struct ConcurrencyTests {
  private func route(_ setting: String) throws -> Route {
    try configuration("routes: [{ name: a, match: a, credentials: none\(setting) }]").routes[0]
  }

  @Test("is not limited, or by a number, or with a queue of its own")
  func values() throws {
    #expect(try route("").concurrency == nil)
    #expect(try route(", concurrency: 10").concurrency == Concurrency(requests: 10))
    let concurrency = try #require(try route(", concurrency: { requests: 2, queue: 0, wait: 500ms }").concurrency)
    #expect(concurrency.requests == 2 && concurrency.queue == 0 && concurrency.wait == .milliseconds(500))
    #expect(try route(", concurrency: { requests: 2 }").concurrency?.queue == 100)
    #expect(concurrency.clientShare == nil)
    let shared = try route(", concurrency: { requests: 2, client_share: 50% }").concurrency
    #expect(shared?.clientShare == ClientShare(percent: 50))
    #expect(try route(", concurrency: { requests: 2, client_share: off }").concurrency?.clientShare == nil)
  }

  @Test("has a problem that lists the valid values")
  func wrong() {
    let number = "a number from 1 to 100000"
    func problem(_ value: String) -> [String] {
      problems("routes: [{ name: a, match: a, credentials: none, concurrency: \(value) }]")
    }
    #expect(problem("0") == [#"1:63: routes[0].concurrency must be \#(number), not "0""#])
    #expect(
      problem("[1]") == [
        "1:63: routes[0].concurrency must be \(number), or a mapping with requests, queue, wait and client_share, not a list"
      ])
    #expect(problem("{ queue: 5 }") == ["1:63: routes[0].concurrency.requests is missing; it must be \(number)"])
    #expect(
      problem("{ requests: 5, queu: 5 }") == [
        #"1:78: routes[0].concurrency: unknown setting "queu"; did you mean "queue"?"#
      ])
  }
}
