import Testing
import Tokens

@Suite("Renewal: no request waits for it, and no token is fetched that is not used")
struct TokenRenewalTests {
  /// A workshop whose source has a token of `lifetime` seconds.
  private func workshop(lifetime: Int, random: Double = 0) async throws -> Workshop {
    let workshop = Workshop(random: random)
    workshop.endpoint.replies(.token("one", expiresIn: lifetime))
    _ = try #require(await workshop.obtain()?.success)
    return workshop
  }

  @Test(
    "a token in use is renewed in the background, a fifth of its lifetime before its end, but 30 s to 300 s",
    arguments: [(86_400, 86_100), (3600, 3300), (1000, 800), (200, 160), (120, 90), (60, 30)])
  func softLimit(lifetime: Int, expected: Int) async throws {
    let workshop = try await workshop(lifetime: lifetime)
    workshop.endpoint.replies(.token("two", expiresIn: lifetime))
    await workshop.pass(.seconds(expected - 1))
    let one = try #require(workshop.source.current())
    #expect(workshop.endpoint.requests.count == 1)
    await workshop.pass(.seconds(1))
    #expect(workshop.endpoint.requests.count == 2)
    #expect(workshop.source.current() !== one)
    #expect(workshop.events.all.map(\.reason) == [.first, .renewal])
  }

  @Test("tokens of a few seconds are renewed at half their lifetime, not with every request", arguments: [1, 2, 5, 20])
  func shortLifetimes(lifetime: Int) async throws {
    let workshop = try await workshop(lifetime: lifetime)
    for number in 0..<100 { workshop.endpoint.replies(.token("\(number)", expiresIn: lifetime)) }
    let end = workshop.clock.now.advanced(by: .seconds(lifetime * 10))
    while workshop.clock.now < end {
      #expect(workshop.source.current() != nil)
      await workshop.pass(.milliseconds(lifetime * 10))
    }
    #expect((19...21).contains(workshop.endpoint.requests.count))
  }

  @Test("jitter makes a renewal earlier, never later", arguments: [(0.0, 3300), (0.5, 3262), (1.0, 3225)])
  func jitter(random: Double, seconds: Int) async throws {
    let workshop = try await workshop(lifetime: 3600, random: random)
    await workshop.pass(.seconds(seconds - 1))
    _ = workshop.source.current()
    #expect(workshop.endpoint.requests.count == 1)
    workshop.endpoint.replies(.token("two"))
    await workshop.pass(.seconds(2))
    #expect(workshop.endpoint.requests.count == 2)
  }

  @Test("during a renewal all requests go on with the current token, and only one fetch is under way")
  func renewalDelaysNoRequest() async throws {
    let workshop = try await workshop(lifetime: 3600)
    let one = try #require(workshop.source.current())
    workshop.clock.advance(by: .seconds(3310))
    for _ in 0..<100 {
      #expect(workshop.source.current() === one)
      guard case .available(let token) = workshop.source.request({ _ in Issue.record("no request waits") }) else {
        Issue.record("no request has to wait")
        continue
      }
      #expect(token === one)
    }
    #expect(workshop.launched.all.count == 1)
    workshop.endpoint.replies(.token("two"))
    await workshop.runFetches()
    #expect(workshop.source.current()?.text == "two")
  }

  @Test("a token that was not used for a quarter of its lifetime is not renewed until a request needs it")
  func unused() async throws {
    let workshop = try await workshop(lifetime: 3600)
    await workshop.pass(.seconds(2399))
    _ = workshop.source.current()
    await workshop.pass(.seconds(1000))
    #expect(workshop.endpoint.requests.count == 1)
    workshop.endpoint.replies(.token("two"))
    let one = try #require(workshop.source.current())
    await workshop.runFetches()
    #expect(workshop.endpoint.requests.count == 2)
    #expect(workshop.source.current() !== one)
  }

  @Test("a token in use is never missed: a request every few minutes for a day, and none has to wait")
  func inUse() async throws {
    let workshop = try await workshop(lifetime: 3600, random: 0.5)
    for number in 0..<40 { workshop.endpoint.replies(.token("\(number)")) }
    for _ in 0..<144 {
      await workshop.pass(.seconds(600))
      #expect(workshop.source.current() != nil)
    }
    // A day of tokens that are renewed after 3262 s.
    #expect(workshop.endpoint.requests.count == 27)
  }

  @Test("while a renewal fails the token is used to its end, and never beyond")
  func outage() async throws {
    let workshop = try await workshop(lifetime: 3600, random: 1)
    await workshop.pass(.seconds(3200))
    _ = workshop.source.current()
    for _ in 0..<390 {
      #expect(workshop.source.current() != nil)
      await workshop.pass(.seconds(1))
    }
    #expect(workshop.source.current() == nil)
    #expect(workshop.events.all.dropFirst().allSatisfy { $0.reason == .renewal })
  }

  @Test(
    "an outage that is over just before the token is goes unnoticed", arguments: [1, 10, 60, 200, 280, 288])
  func shortOutage(seconds: Int) async throws {
    let workshop = try await workshop(lifetime: 3600, random: 1)
    // The renewal is due 375 s before the end, the last use 10 s before it.
    await workshop.pass(.seconds(3220))
    _ = workshop.source.current()
    await workshop.pass(.seconds(80 + seconds))
    for _ in 0..<10 { workshop.endpoint.replies(.token("two")) }
    while workshop.source.current()?.text != "two" {
      try #require(workshop.source.current() != nil, "the outage was noticed")
      await workshop.pass(.milliseconds(100))
    }
  }

  @Test("a laptop that was suspended does not send the token that expired meanwhile")
  func suspended() async throws {
    let workshop = try await workshop(lifetime: 3600)
    // No timer runs while the machine sleeps.
    workshop.clock.advance(by: .seconds(3600))
    #expect(workshop.source.current() == nil)
    workshop.endpoint.replies(.token("two"))
    #expect(await workshop.obtain()?.success?.text == "two")
  }

  @Test("a wall clock that was set forward beyond the token's end ends it; the new one is judged by the new time")
  func wallClockForward() async throws {
    let workshop = try await workshop(lifetime: 3600)
    workshop.clock.stepWallClock(by: 3000)
    #expect(workshop.source.current() != nil)
    workshop.clock.stepWallClock(by: 700)
    #expect(workshop.source.current() == nil)
    workshop.endpoint.replies(.token("two"))
    #expect(await workshop.obtain()?.success != nil)
    #expect(workshop.source.current() != nil)
    #expect(workshop.endpoint.requests.count == 2)
  }

  @Test("a wall clock that was set back does not make a token live longer")
  func wallClockBack() async throws {
    let workshop = try await workshop(lifetime: 3600)
    workshop.clock.stepWallClock(by: -7200)
    #expect(workshop.source.current() != nil)
    workshop.clock.advance(by: .seconds(3590))
    #expect(workshop.source.current() == nil)
  }

  @Test(
    "however often a renewal failed, waiting begins anew with seconds when the token is over", arguments: [60, 3600])
  func backoffAfterExpiry(lifetime: Int) async throws {
    let workshop = try await workshop(lifetime: lifetime, random: 1)
    workshop.endpoint.otherwise { .success(.json("", status: 400)) }
    while workshop.source.current() != nil { await workshop.pass(.milliseconds(100)) }
    let over = workshop.clock.now
    var attempts: [Int] = []
    var count = workshop.endpoint.requests.count
    while over.duration(to: workshop.clock.now) < .seconds(32) {
      _ = await workshop.obtain()
      if workshop.endpoint.requests.count > count {
        count = workshop.endpoint.requests.count
        attempts.append(Int(over.duration(to: workshop.clock.now).components.seconds))
      }
      await workshop.pass(.milliseconds(100))
    }
    #expect(attempts.count >= 4 && attempts.prefix(3).allSatisfy { $0 <= 8 }, "\(attempts)")
  }
}
