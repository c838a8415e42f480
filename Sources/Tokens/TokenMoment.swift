/// When something happened, on both clocks.
public struct TokenMoment: Hashable, Sendable {
  /// On the clock that goes on while the machine is suspended: what deadlines are measured by.
  public let instant: TokenInstant
  /// Seconds since 1970 as this machine believes them: the check on the other one.
  public let wallSeconds: Int64

  /// A moment by both clocks.
  public init(instant: TokenInstant, wallSeconds: Int64) {
    self.instant = instant
    self.wallSeconds = wallSeconds
  }

  /// The moment `duration` later; the wall clock's part is rounded up.
  public func advanced(by duration: Duration) -> TokenMoment {
    let (sum, overflow) = wallSeconds.addingReportingOverflow(Int64(duration.secondsRoundedUp))
    return TokenMoment(instant: instant.advanced(by: duration), wallSeconds: overflow ? .max : sum)
  }
}
