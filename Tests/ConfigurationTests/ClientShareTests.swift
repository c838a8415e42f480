import Configuration
import Testing

@Suite("The part of something that one client may have") struct ClientShareTests {
  @Test(
    "is a whole number of places, and leaves one to others where there are eight or more",
    arguments: [
      // percent, of how many, how many
      (90, 256, 230), (90, 128, 115), (90, 16, 14), (90, 10, 9), (90, 9, 8), (90, 8, 7),
      (90, 7, 7), (90, 2, 2), (90, 1, 1),
      (99, 65_535, 64_879), (99, 100, 99), (99, 50, 49), (99, 8, 7), (99, 7, 7),
      (50, 256, 128), (50, 9, 4), (50, 7, 4), (50, 2, 1), (50, 1, 1),
      (1, 256, 2), (1, 99, 1), (1, 8, 1), (1, 1, 1),
    ])
  func parts(percent: Int, count: Int, expected: Int) {
    #expect(ClientShare(percent: percent).part(of: count) == expected)
  }

  @Test(
    "leaves a place to others in each loop's part, however small, where there are eight or more in all",
    arguments: 1...99)
  func loops(percent: Int) {
    let share = ClientShare(percent: percent)
    for loops in 2...64 {
      for each in 2...8 where loops * each >= 8 {
        #expect((1..<each).contains(share.part(of: each, total: loops * each)))
      }
    }
    #expect(share.part(of: 1, total: 64) == 1)
  }

  private func route(_ setting: String, limits: String = "{}") throws -> Route {
    try configuration("limits: \(limits)\nroutes: [{ name: a, match: a, credentials: none\(setting) }]").routes[0]
  }

  @Test("is 90 % of the connections, or what limits says, or the route")
  func values() throws {
    #expect(try route("").clientShare == ClientShare(percent: 90))
    #expect(try route("", limits: "{ client_share: 40% }").clientShare == ClientShare(percent: 40))
    #expect(try route("", limits: "{ client_share: off }").clientShare == nil)
    #expect(try route(", client_share: 10%", limits: "{ client_share: off }").clientShare == ClientShare(percent: 10))
    #expect(try route(", client_share: off").clientShare == nil)
    func tunnel(_ setting: String) throws -> Route {
      try configuration("routes: [{ name: a, match: a, tunnel: blind\(setting) }]").routes[0]
    }
    #expect(try tunnel(", client_share: 1%").clientShare == ClientShare(percent: 1))
    #expect(try tunnel("").clientShare == ClientShare(percent: 90))
  }

  @Test("has a problem that lists the valid values")
  func wrong() {
    func problem(_ value: String) -> [String] {
      problems("limits: { client_share: \(value) }\nroutes: [{ name: a, match: a, credentials: none }]")
    }
    let expected = "1:25: limits.client_share must be off, or a share from 1% to 99%, not"
    #expect(problem("100%") == [#"\#(expected) "100%""#])
    #expect(problem("0%") == [#"\#(expected) "0%""#])
    #expect(problem("9.5%") == [#"\#(expected) "9.5%""#])
    #expect(problem("all") == [#"\#(expected) "all""#])
    #expect(problem("90") == [#"\#(expected) "90"; add the unit: %"#])
  }
}
