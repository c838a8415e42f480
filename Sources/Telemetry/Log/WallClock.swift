import Glibc

/// The time of day, for log lines.
public enum WallClock {
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  public static func now() -> UInt64 {
    var time = timespec()
    // Cannot fail: the clock always exists, and the address is valid.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
