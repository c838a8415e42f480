/// A length of time, ready to be added to an ``Instant``: taking a `Duration` apart costs a division of 128 bits.
public struct Interval: Comparable, Hashable, Sendable {
  /// The length.
  public let nanoseconds: UInt64

  /// The length of `duration`: zero for a negative one, the longest there is for what does not fit.
  public init(_ duration: Duration) {
    nanoseconds = duration.nanoseconds
  }

  /// Which of the two is shorter.
  public static func < (left: Interval, right: Interval) -> Bool {
    left.nanoseconds < right.nanoseconds
  }
}
