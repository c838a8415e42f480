import Testing

@testable import Tokens

@Suite("What tokens add up to, and what they may")
struct TokenBudgetTests {
  private func workshop(_ budget: TokenBudget?, lifetime: Int = 3600) -> Workshop {
    let example = TokenGrant.example()
    let workshop = Workshop(
      grant: TokenGrant(
        key: example.key, clientSecret: example.clientSecret, spending: TokenSpending(budget: budget),
        credentialsName: "kinde", provider: .kinde))
    for number in 0..<100 { workshop.endpoint.replies(.token("\(number)", expiresIn: lifetime)) }
    return workshop
  }

  @Test("tokens are counted in the running hour, day and month", arguments: [(1, 1), (16, 16), (23, 7), (24, 8)])
  func periods(hours: Int, inDay: Int) async throws {
    // The manual clock begins on 2027-01-15 at 08:00 UTC.
    let workshop = workshop(nil)
    let spending = workshop.source.grant.spending
    for _ in 0..<hours {
      _ = await workshop.obtain()
      workshop.clock.advance(by: .seconds(3600))
    }
    let now = workshop.clock.wallSeconds - 1
    #expect(spending.issued(in: .hour, atWallSeconds: now) == 1)
    #expect(spending.issued(in: .day, atWallSeconds: now) == inDay)
    #expect(spending.issued(in: .month, atWallSeconds: now) == hours)
    #expect(spending.sinceStart == hours)
  }

  @Test(
    "a month is a calendar month",
    arguments: [
      (1_800_000_000, 1_801_440_000), (1_801_440_000, 1_803_859_200), (1_835_481_599, 1_835_481_600),
      (1_835_481_600, 1_838_160_000),
    ] as [(Int64, Int64)])
  func months(now: Int64, next: Int64) {
    #expect(TokenPeriod.month.secondsLeft(atWallSeconds: now) == next - now)
    #expect(TokenPeriod.month.number(atWallSeconds: next) == TokenPeriod.month.number(atWallSeconds: now) + 1)
    #expect(TokenPeriod.month.number(atWallSeconds: next - 1) == TokenPeriod.month.number(atWallSeconds: now))
  }

  @Test("a warning is logged once at 80 % of a budget, and once at its end")
  func alarms() async throws {
    let workshop = workshop(TokenBudget(tokens: 10, period: .month, stops: false))
    for _ in 0..<14 {
      #expect(await workshop.obtain()?.success != nil)
      workshop.clock.advance(by: .seconds(3600))
    }
    let alarms = workshop.events.all.map { $0.alarm?.used }
    #expect(alarms == [nil, nil, nil, nil, nil, nil, nil, 8, nil, 10, nil, nil, nil, nil])
    #expect(workshop.events.all.compactMap { $0.alarm?.isSpent } == [false, true])
  }

  @Test("a budget that stops lets the token live on, then says so, and goes on in the next period")
  func stops() async throws {
    let workshop = workshop(TokenBudget(tokens: 2, period: .day, stops: true), lifetime: 7200)
    _ = await workshop.obtain()
    workshop.clock.advance(by: .seconds(7200))
    _ = await workshop.obtain()
    workshop.clock.advance(by: .seconds(7000))
    #expect(workshop.source.current() != nil)
    await workshop.runFetches()
    #expect(workshop.source.current() != nil)
    #expect(workshop.endpoint.requests.count == 2)

    workshop.clock.advance(by: .seconds(600))
    let failure = try #require(await workshop.obtain()?.failure)
    guard case .budgetSpent = failure.cause else { return #expect(Bool(false), "\(failure.cause)") }
    #expect(failure.detail.contains("2 tokens"))
    #expect(failure.secondsToNextAttempt == 300)
    #expect(workshop.endpoint.requests.count == 2)

    // 08:00, and what has passed, to midnight.
    workshop.clock.advance(by: .seconds(16 * 3600 - 14_800))
    #expect(await workshop.obtain()?.success != nil)
  }

  @Test("an unusable token counts too")
  func uselessTokens() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.json(#"{"access_token": "a b", "token_type": "Bearer"}"#))
    workshop.endpoint.replies(.json("<html>"))
    _ = await workshop.obtain()
    workshop.clock.advance(by: .seconds(60))
    _ = await workshop.obtain()
    #expect(workshop.source.grant.spending.sinceStart == 1)
  }
}
