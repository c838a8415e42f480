/// Dates in HTTP fields (RFC 9110 section 5.6.7).
public enum HTTPDate {
  private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// Formats the date that is `seconds` after the beginning of 1970 (UTC) in the form for new messages:
  /// `Sun, 06 Nov 1994 08:49:37 GMT`.
  public static func text(secondsSince1970 seconds: UInt64) -> [UInt8] {
    let dayNumber = Int(seconds / 86_400)
    let second = Int(seconds % 86_400)
    let (year, month, day) = date(dayNumber)
    let time = "\(padded(second / 3600)):\(padded(second / 60 % 60)):\(padded(second % 60))"
    return Array("\(days[dayNumber % 7]), \(padded(day)) \(months[month - 1]) \(year) \(time) GMT".utf8)
  }

  /// Parses a date in that form or one of the two obsolete ones, which a recipient must accept, to seconds since the beginning
  /// of 1970; nil for anything else. A wrong weekday is ignored.
  ///
  /// - Parameter now: a two-digit year is taken to be at most 50 years later than this.
  public static func secondsSince1970(of text: some Sequence<UInt8>, now: UInt64 = 0) -> UInt64? {
    let bytes = Array(text.prefix(64))
    guard bytes.count < 64 else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    if text.hasSuffix(" GMT") {
      return text.contains("-") ? rfc850(text.dropLast(4), now) : fixed(text.dropLast(4))
    }
    return asctime(text)
  }

  /// `Sun, 06 Nov 1994 08:49:37`
  private static func fixed(_ text: Substring) -> UInt64? {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 5, words[0].count == 4, words[0].hasSuffix(","), words[1].count == 2, words[3].count == 4
    else {
      return nil
    }
    return seconds(words[3], words[2], words[1], words[4])
  }

  /// `Sunday, 06-Nov-94 08:49:37`
  private static func rfc850(_ text: Substring, _ now: UInt64) -> UInt64? {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[0].hasSuffix("day,") else { return nil }
    let parts = words[1].split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[2].count == 2, let twoDigits = number(parts[2]) else { return nil }
    let thisYear = UInt64(date(Int(now / 86_400)).year)
    var year = thisYear / 100 * 100 + twoDigits
    if year > thisYear + 50 { year -= 100 }
    return seconds("\(year)", parts[1], parts[0], words[2])
  }

  /// `Sun Nov  6 08:49:37 1994`
  private static func asctime(_ text: String) -> UInt64? {
    let words = text.split(separator: " ", omittingEmptySubsequences: true)
    guard words.count == 5, text.utf8.count == 24 else { return nil }
    return seconds(words[4], words[1], words[2], words[3])
  }

  private static func seconds(
    _ year: some StringProtocol, _ month: Substring, _ day: Substring, _ time: Substring
  ) -> UInt64? {
    let times = time.split(separator: ":", omittingEmptySubsequences: false)
    guard let year = number(year), (1970...9999).contains(year), let month = months.firstIndex(of: String(month)),
      let day = number(day), (1...31).contains(day), times.count == 3, times.allSatisfy({ $0.count == 2 }),
      let hour = number(times[0]), hour < 24, let minute = number(times[1]), minute < 60,
      // A leap second counts as the first second of the next minute.
      let second = number(times[2]), second <= 60
    else { return nil }
    let dayNumber = days(year: year, month: UInt64(month), day: day)
    // A day that the month does not have would count as another date.
    guard date(Int(dayNumber)).day == Int(day) else { return nil }
    return dayNumber * 86_400 + hour * 3600 + minute * 60 + second
  }

  /// Days since the beginning of 1970. Years are counted from March, so that the leap day is the last day of its year, and
  /// every fifth month has the same number of days.
  private static func days(year: UInt64, month: UInt64, day: UInt64) -> UInt64 {
    let marchYear = month >= 2 ? year : year - 1
    let marchMonth = (month + 10) % 12
    let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
    return 365 * marchYear + leapDays + (153 * marchMonth + 2) / 5 + day - 1 - 719_468
  }

  /// The inverse of ``days(year:month:day:)``; months count from 1.
  private static func date(_ daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
    let days = daysSince1970 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }

  private static func number(_ digits: some StringProtocol) -> UInt64? {
    digits.utf8.allSatisfy(\.isDigit) ? UInt64(digits) : nil
  }

  private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
