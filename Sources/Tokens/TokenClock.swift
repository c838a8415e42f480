import Glibc

/// Where tokens get the time from, so that tests can turn it by hand.
public struct TokenClock: Sendable {
  private let readInstant: @Sendable () -> TokenInstant
  private let readWallSeconds: @Sendable () -> Int64

  /// A clock made of a monotonic reading and a wall-clock reading in seconds since 1970.
  public init(now: @escaping @Sendable () -> TokenInstant, wallSeconds: @escaping @Sendable () -> Int64) {
    readInstant = now
    readWallSeconds = wallSeconds
  }

  /// The monotonic time, the time of suspension included: what deadlines are measured by.
  public var now: TokenInstant { readInstant() }
  /// Seconds since 1970 as this machine believes them: what `exp` of a JWT is compared with.
  public var wallSeconds: Int64 { readWallSeconds() }
  /// Both.
  public var moment: TokenMoment { TokenMoment(instant: now, wallSeconds: wallSeconds) }

  /// The clocks of the system: CLOCK_BOOTTIME and CLOCK_REALTIME.
  public static let system = TokenClock(
    now: { TokenInstant(nanoseconds: read(CLOCK_BOOTTIME).nanoseconds) },
    wallSeconds: { read(CLOCK_REALTIME).seconds })

  private static func read(_ clock: clockid_t) -> (seconds: Int64, nanoseconds: Int64) {
    var time = timespec()
    // Both clocks exist on every Linux that this runs on, so the call has no way to fail.
    unsafe clock_gettime(clock, &time)
    return (Int64(time.tv_sec), Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}
