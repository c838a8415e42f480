import Reactor
import Testing

@Suite struct InstantTests {
  @Test("a moment so much later is later by exactly that much")
  func addition() {
    let start = Instant(nanoseconds: 1_000)
    #expect(start + .milliseconds(2) == Instant(nanoseconds: 2_001_000))
    #expect((start + Interval(.seconds(3))) - start == 3_000_000_000)
  }

  @Test("what is out of range is never, and never stays never")
  func overflow() {
    #expect(Instant(nanoseconds: .max - 5) + .nanoseconds(10) == .never)
    #expect(Instant.never + .seconds(1) == .never)
    #expect(Instant(nanoseconds: 1) + Duration(secondsComponent: .max, attosecondsComponent: 0) == .never)
  }

  @Test("from a later moment to an earlier one no time passes")
  func backwards() {
    #expect(Instant(nanoseconds: 5) - Instant(nanoseconds: 9) == 0)
  }

  @Test("negative lengths are zero, fractions of a nanosecond are dropped, years do not overflow")
  func durations() {
    #expect(Duration.seconds(-1).nanoseconds == 0)
    #expect(Duration(secondsComponent: 1, attosecondsComponent: 999_999_999).nanoseconds == 1_000_000_000)
    #expect(Duration.seconds(86_400 * 365 * 100).nanoseconds == 3_153_600_000_000_000_000)
    #expect(Interval(.seconds(-1)) < Interval(.nanoseconds(1)))
  }

  @Test("the clock does not go backwards")
  func clock() {
    let first = Instant.now
    #expect(Instant.now >= first)
    #expect(first < .never)
  }
}
