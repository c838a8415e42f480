/// A point on the monotonic clock that deadlines are kept on; it goes on while the machine is suspended.
///
/// Only differences mean anything. Sums saturate, so that no lifetime a server names can overflow them.
public struct TokenInstant: Hashable, Sendable {
  /// Nanoseconds since a moment that is fixed until the next boot.
  public let nanoseconds: Int64

  /// The instant `nanoseconds` after the clock's zero.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
}

extension TokenInstant: InstantProtocol {
  /// The instant `duration` later, or the furthest one there is.
  public func advanced(by duration: Duration) -> TokenInstant {
    let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.saturatingNanoseconds)
    guard overflow else { return TokenInstant(nanoseconds: sum) }
    return TokenInstant(nanoseconds: duration > .zero ? .max : .min)
  }

  /// The time from this instant to `other`, negative when `other` lies before it.
  public func duration(to other: TokenInstant) -> Duration {
    .nanoseconds(other.nanoseconds) - .nanoseconds(nanoseconds)
  }

  /// Whether `lhs` lies before `rhs`.
  public static func < (lhs: TokenInstant, rhs: TokenInstant) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}

extension Duration {
  /// The whole nanoseconds of this duration, at most what 64 bits hold.
  var saturatingNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflow || carry ? (seconds > 0 ? .max : .min) : sum
  }

  /// The whole seconds that this duration fills or begins.
  var secondsRoundedUp: Int {
    let (seconds, attoseconds) = components
    return Int(seconds) + (attoseconds > 0 ? 1 : 0)
  }
}
