import Glibc

/// Writes times of day as RFC 3339 in UTC with milliseconds: `2026-11-23T12:00:00.123Z`.
///
/// The part up to the second is computed once a second.
struct Timestamp: ~Copyable {
  private var second = UInt64.max
  private var text = LineBuffer(capacity: 20)

  /// Appends the time `nanoseconds` after 1970-01-01T00:00:00Z; its year has four digits for 584 years.
  mutating func append(_ nanoseconds: UInt64, to line: inout LineBuffer) {
    let (second, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    if second != self.second { format(second) }
    line.append(text.bytes)
    line.append(threeDigits: rest / 1_000_000)
    line.append(UInt8(ascii: "Z"))
  }

  private mutating func format(_ second: UInt64) {
    let (days, time) = second.quotientAndRemainder(dividingBy: 86_400)
    let date = Self.date(daysSince1970: days)
    text.removeAll()
    Self.append(date.year, digits: 4, to: &text)
    text.append(UInt8(ascii: "-"))
    Self.append(date.month, digits: 2, to: &text)
    text.append(UInt8(ascii: "-"))
    Self.append(date.day, digits: 2, to: &text)
    text.append(UInt8(ascii: "T"))
    Self.append(time / 3600, digits: 2, to: &text)
    text.append(UInt8(ascii: ":"))
    Self.append(time / 60 % 60, digits: 2, to: &text)
    text.append(UInt8(ascii: ":"))
    Self.append(time % 60, digits: 2, to: &text)
    text.append(UInt8(ascii: "."))
    self.second = second
  }

  // The Gregorian calendar repeats every 400 years, which are 146,097 days. Years are counted from March here, so that
  // the leap day is a year's last.
  private static func date(daysSince1970 days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
    let sinceMarchOfYear0 = days + 719_468
    let (era, dayOfEra) = sinceMarchOfYear0.quotientAndRemainder(dividingBy: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }

  private static func append(_ number: UInt64, digits: Int, to line: inout LineBuffer) {
    var divisor: UInt64 = 1
    for _ in 1..<digits { divisor *= 10 }
    for _ in 0..<digits {
      line.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
      divisor /= 10
    }
  }
}

/// The time of day, for log lines.
public enum WallClock {
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  public static func now() -> UInt64 {
    var time = timespec()
    // Cannot fail: the clock always exists, and the address is valid.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// `time`, in nanoseconds since 1970-01-01T00:00:00Z, as in log lines.
  public static func text(_ time: UInt64) -> String {
    var timestamp = Timestamp()
    var line = LineBuffer(capacity: 32)
    timestamp.append(time, to: &line)
    let bytes = line.bytes
    return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
  }
}
