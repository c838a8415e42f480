import SeededRandom
import Testing

@testable import Tokens

@Suite("After an outage, and with tokens that expire at once") struct TokenRecoveryTests {
  private static let unavailable = TokenHTTPResponse.json("", status: 503)
  private static let refused = TokenHTTPResponse.refusal("invalid_client", status: 401)

  private struct Figures {
    /// How many fetches there were in any ten seconds of the outage, at most.
    var mostFetches = 0
    /// From when the server was well again to the first token.
    var recovery = Duration.zero
  }

  /// Requests that need a token come every 50 ms, and the server responds with `response` for `seconds`.
  private func outage(of seconds: Int, _ response: TokenHTTPResponse, seed: UInt64) async -> Figures {
    let chance = SeededChance(seed)
    let workshop = Workshop(random: chance.next())
    var figures = Figures()
    var attempts: [TokenInstant] = []
    let end = workshop.clock.now.advanced(by: .seconds(seconds))
    while true {
      let isOver = workshop.clock.now >= end
      let reply = isOver ? TokenHTTPResponse.token() : response
      workshop.endpoint.otherwise { .success(reply) }
      let before = workshop.endpoint.requests.count
      if await workshop.obtain()?.success != nil { break }
      if workshop.endpoint.requests.count > before { attempts.append(workshop.clock.now) }
      await workshop.pass(.milliseconds(50))
    }
    for (index, attempt) in attempts.enumerated() {
      let inTen = attempts[index...].prefix { attempt.duration(to: $0) <= .seconds(10) }.count
      figures.mostFetches = max(figures.mostFetches, inTen)
    }
    figures.recovery = end.duration(to: workshop.clock.now)
    return figures
  }

  @Test("the first request succeeds at most 5 s after the server has recovered", arguments: [3, 30, 120, 900])
  func outage(seconds: Int) async {
    for seed in 0..<100 as Range<UInt64> {
      let figures = await outage(of: seconds, Self.unavailable, seed: seed)
      #expect(figures.recovery <= .milliseconds(5050), "seed \(seed)")
      #expect(figures.mostFetches <= 21, "seed \(seed)")
    }
  }

  @Test("the first request succeeds at most 30 s after a person has fixed what the server refused")
  func refusal() async {
    for seed in 0..<100 as Range<UInt64> {
      let figures = await outage(of: 600, Self.refused, seed: seed)
      #expect(figures.recovery <= .milliseconds(30_050), "seed \(seed)")
      #expect(figures.mostFetches <= 21, "seed \(seed)")
    }
  }

  @Test("tokens that expire at once are fetched once a second, and every waiting request gets one")
  func overAtOnce() async {
    let workshop = Workshop()
    let results = Collected<Result<AccessToken, TokenFailure>>()
    for number in 0..<100 {
      workshop.endpoint.otherwise { .success(.token("token-\(number)", expiresIn: 0)) }
      switch workshop.source.request({ results.append($0) }) {
      case .available(let token): results.append(.success(token))
      case .failed(let failure): results.append(.failure(failure))
      case .pending: break
      }
      await workshop.runFetches()
      await workshop.pass(.milliseconds(100))
    }
    await workshop.pass(.seconds(1))
    #expect(results.all.count == 100 && results.all.allSatisfy { $0.success != nil })
    #expect((10...12).contains(workshop.endpoint.requests.count))
  }

  @Test("a token that comes back unchanged is not used for longer than the first response said")
  func unchanged() async throws {
    let workshop = Workshop()
    workshop.endpoint.otherwise { .success(.token("the-same", expiresIn: 600)) }
    let first = try #require(await workshop.obtain()?.success)
    await workshop.pass(.seconds(595))
    let second = try #require(await workshop.obtain()?.success)
    #expect(second.lifetime <= .seconds(5))
    #expect(first.isSame(as: second))
    await workshop.pass(.seconds(5))
    #expect(workshop.source.current() == nil)
    // Another one has the life that it is said to have.
    workshop.endpoint.otherwise { .success(.token("another", expiresIn: 600)) }
    await workshop.pass(.seconds(1))
    #expect(try #require(await workshop.obtain()?.success).lifetime == .seconds(600))
  }
}

/// Numbers in 0...1 that are the same in every run.
private final class SeededChance: Sendable {
  private let state: Collected<SplitMix>

  init(_ seed: UInt64) {
    state = Collected()
    state.append(SplitMix(state: seed))
  }

  func next() -> Double {
    var chance = state.removeAll()[0]
    defer { state.append(chance) }
    return Double(chance.next() >> 11) / Double(1 << 53)
  }
}
