internal import Encodings
import Glibc
import Locks

/// Where tokens get the time from; tests set it by hand.
public struct TokenClock: Sendable {
  private let readInstant: @Sendable () -> TokenInstant
  private let readWallSeconds: @Sendable () -> Int64

  /// A clock made of a monotonic reading and a wall-clock reading in seconds since 1970.
  public init(now: @escaping @Sendable () -> TokenInstant, wallSeconds: @escaping @Sendable () -> Int64) {
    readInstant = now
    readWallSeconds = wallSeconds
  }

  /// The monotonic time, including suspension: deadlines are measured with it.
  public var now: TokenInstant { readInstant() }
  /// Seconds since 1970 by this machine's clock: `exp` of a JWT is compared with it.
  public var wallSeconds: Int64 { readWallSeconds() }
  /// Both.
  public var moment: TokenMoment { TokenMoment(instant: now, wallSeconds: wallSeconds) }

  /// The clocks of the system: CLOCK_BOOTTIME and CLOCK_REALTIME.
  public static let system = TokenClock(
    now: { TokenInstant(nanoseconds: read(CLOCK_BOOTTIME).nanoseconds) },
    wallSeconds: { read(CLOCK_REALTIME).seconds })

  private static func read(_ clock: clockid_t) -> (seconds: Int64, nanoseconds: Int64) {
    var time = timespec()
    // Both clocks exist on every Linux that this runs on, so the call cannot fail.
    unsafe clock_gettime(clock, &time)
    return (Int64(time.tv_sec), Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}

/// What the token endpoint's clock says, according to the `Date` fields of its replies: the endpoint checks assertions by it.
public final class ServerClock: Sendable {
  /// The difference, in seconds, up to which the two clocks count as equal: `Date` has whole seconds, and was written
  /// before the reply was sent.
  static let tolerance: Int64 = 5

  private let last = Monitor<(seconds: Int64, read: TokenInstant)?>(nil)

  /// A clock that has not been read yet.
  public init() {}

  /// Reads the clock: the field `date` was in a reply that arrived at `moment`.
  func note(_ date: String?, at moment: TokenMoment) {
    guard let date, let seconds = HTTPDate.secondsSince1970(of: date.utf8, now: UInt64(max(0, moment.wallSeconds))),
      let seconds = Int64(exactly: seconds)
    else { return }
    last.withLock { $0 = (seconds, moment.instant) }
  }

  /// How many seconds the server's clock is ahead of this machine's at `moment`; 0 if the two agree, or the server's is
  /// unknown.
  ///
  /// It is counted on the monotonic clock from the last reading, so that a correction of the wall clock shows.
  func lead(at moment: TokenMoment) -> Int64 {
    guard let (seconds, read) = last.withLock({ $0 }) else { return 0 }
    let lead = seconds + read.duration(to: moment.instant).components.seconds - moment.wallSeconds
    return abs(lead) > Self.tolerance ? lead : 0
  }
}

/// A point on the monotonic clock that deadlines use; it goes on while the machine is suspended.
///
/// Only differences have a meaning. Sums saturate, so that no lifetime from a server can overflow them.
public struct TokenInstant: Hashable, Sendable {
  /// Nanoseconds since a moment that stays the same until the next boot.
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
  /// The nanoseconds of this duration, limited to 64 bits.
  var saturatingNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return overflow || carry ? (seconds > 0 ? .max : .min) : sum
  }

  /// The seconds of this duration, rounded up.
  var secondsRoundedUp: Int {
    let (seconds, attoseconds) = components
    return Int(seconds) + (attoseconds > 0 ? 1 : 0)
  }
}

/// When something happened, on both clocks.
public struct TokenMoment: Hashable, Sendable {
  /// On the clock that goes on while the machine is suspended: deadlines are measured with it.
  public let instant: TokenInstant
  /// Seconds since 1970 by this machine's clock: the check on the other one.
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

/// Reads numbers of seconds as servers write them.
enum Seconds {
  /// The value of a JSON number, or of a string with one; nil for anything else. May be infinite, as for 1e400.
  static func number(_ text: Span<UInt8>) -> Double? {
    var characters = ""
    for position in text.indices {
      // Stricter than Double's parser: no "inf", "nan" or hexadecimal.
      guard "0123456789+-.eE".utf8.contains(text[position]) else { return nil }
      characters.unicodeScalars.append(Unicode.Scalar(text[position]))
    }
    return Double(characters)
  }

  /// The digits of Retry-After or RateLimit-Reset as a time to wait; nil for anything else.
  static func wait(_ field: String) -> Duration? {
    guard !field.isEmpty, field.utf8.allSatisfy({ UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }) else {
      return nil
    }
    return .seconds(Int64(field) ?? .max)
  }
}
