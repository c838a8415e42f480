import Testing

@testable import Tokens

@Suite("Instants")
struct TokenInstantTests {
  @Test("instants saturate instead of overflowing")
  func saturation() {
    let late = TokenInstant(nanoseconds: .max - 5)
    #expect(late.advanced(by: .nanoseconds(5)).nanoseconds == .max)
    #expect(late.advanced(by: .nanoseconds(6)).nanoseconds == .max)
    #expect(late.advanced(by: .seconds(Int64.max)).nanoseconds == .max)
    #expect(TokenInstant(nanoseconds: -5).advanced(by: .seconds(Int64.min)).nanoseconds == .min)
    #expect(TokenInstant(nanoseconds: .min).duration(to: TokenInstant(nanoseconds: .max)) > .seconds(Int64(9e9)))
  }

  @Test("the system's clock goes forward, and its wall clock is in this century")
  func systemClock() {
    let before = TokenClock.system.now
    #expect(before.nanoseconds > 0)
    #expect(TokenClock.system.now >= before)
    #expect((1_700_000_000...4_102_444_800).contains(TokenClock.system.wallSeconds))
  }
}
