import Locks
import Tokens

/// A clock that stands still until a test turns it.
final class ManualClock: Sendable {
  private let time = Monitor((passed: Duration.zero, step: Int64(0)))

  var clock: TokenClock {
    TokenClock(now: { self.now }, wallSeconds: { self.wallSeconds })
  }

  var now: TokenInstant { TokenInstant(nanoseconds: 1_000_000_000_000).advanced(by: time.withLock { $0.passed }) }
  var wallSeconds: Int64 { time.withLock { 1_800_000_000 + $0.passed.components.seconds + $0.step } }
  var moment: TokenMoment { clock.moment }

  /// Lets `duration` pass on both clocks; the wall clock counts whole seconds.
  func advance(by duration: Duration) {
    time.withLock { $0.passed += duration }
  }

  /// Sets the wall clock forward, or back.
  func stepWallClock(by seconds: Int64) {
    time.withLock { $0.step += seconds }
  }
}
