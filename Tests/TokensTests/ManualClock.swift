import Locks
import Tokens

/// A clock that stands still until a test turns it.
final class ManualClock: Sendable {
  private let time = Monitor((now: Duration.seconds(1_000), wall: Int64(1_800_000_000)))

  var clock: TokenClock {
    TokenClock(now: { self.now }, wallSeconds: { self.wallSeconds })
  }

  var now: TokenInstant { TokenInstant(nanoseconds: 0).advanced(by: time.withLock { $0.now }) }
  var wallSeconds: Int64 { time.withLock { $0.wall } }

  /// Lets `duration` pass on both clocks; the wall clock counts whole seconds.
  func advance(by duration: Duration) {
    time.withLock {
      $0.now += duration
      $0.wall += duration.components.seconds
    }
  }
}
