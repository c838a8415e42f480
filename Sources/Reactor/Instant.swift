internal import CLinux

/// A moment of the monotonic clock. It ignores changes of the system time, and stops while the machine sleeps.
public struct Instant: Comparable, Hashable, Sendable {
  /// Nanoseconds since some fixed moment before the process started.
  public let nanoseconds: UInt64

  /// The moment `nanoseconds` after the clock's beginning.
  public init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  /// Later than every other moment: a deadline that never comes.
  public static let never = Instant(nanoseconds: .max)

  /// The current moment.
  public static var now: Instant { Instant(nanoseconds: clinux_monotonic_nanoseconds()) }

  /// The moment `interval` later; ``never`` on overflow.
  public static func + (instant: Instant, interval: Interval) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(interval.nanoseconds)
    return overflow ? .never : Instant(nanoseconds: sum)
  }

  /// The moment `duration` later; ``never`` on overflow.
  public static func + (instant: Instant, duration: Duration) -> Instant {
    instant + Interval(duration)
  }

  /// Nanoseconds from `earlier` to `later`; zero if `later` is not later.
  public static func - (later: Instant, earlier: Instant) -> UInt64 {
    later > earlier ? later.nanoseconds - earlier.nanoseconds : 0
  }

  /// The first moment, from this one on, that is a multiple of `interval` after the clock's beginning.
  public func roundedUp(to interval: Interval) -> Instant {
    let rest = nanoseconds % interval.nanoseconds
    return rest == 0 ? self : Instant(nanoseconds: nanoseconds - rest) + interval
  }

  /// Whether `left` is earlier.
  public static func < (left: Instant, right: Instant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}

extension Duration {
  /// The length in nanoseconds: zero for negative lengths, the largest number on overflow.
  public var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : whole &+ UInt64(attoseconds / 1_000_000_000)
  }
}

/// A length of time in the form that ``Instant`` needs: converting a `Duration` costs a division of 128 bits.
public struct Interval: Comparable, Hashable, Sendable {
  /// The length.
  public let nanoseconds: UInt64

  /// The length of `duration`: zero for a negative one, the longest possible on overflow.
  public init(_ duration: Duration) {
    nanoseconds = duration.nanoseconds
  }

  /// The length in nanoseconds.
  public init(nanoseconds: UInt64) {
    self.nanoseconds = nanoseconds
  }

  /// Whether `left` is shorter.
  public static func < (left: Interval, right: Interval) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}
