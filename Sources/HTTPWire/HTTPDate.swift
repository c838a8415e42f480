/// Dates in the form that HTTP prefers (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
public enum HTTPDate {
  private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// The date that lies `seconds` after the beginning of 1970 (UTC).
  public static func text(secondsSince1970 seconds: UInt64) -> [UInt8] {
    let dayNumber = Int(seconds / 86_400)
    let second = Int(seconds % 86_400)
    let (year, month, day) = date(dayNumber)
    let time = "\(padded(second / 3600)):\(padded(second / 60 % 60)):\(padded(second % 60))"
    return Array("\(days[dayNumber % 7]), \(padded(day)) \(months[month - 1]) \(year) \(time) GMT".utf8)
  }

  // Days are counted from 1 March of the year 0: then the leap day is the last one of its year, and every fifth
  // month has the same number of days.
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

  /// The moment of a date in exactly that form, in seconds since the beginning of 1970; nil for anything else, the two
  /// obsolete forms included.
  public static func secondsSince1970(of text: [UInt8]) -> UInt64? {
    let words = String(decoding: text, as: UTF8.self).split { $0 == " " || $0 == ":" }
    guard text.count == 29, words.count == 8, let day = UInt64(words[1]), let year = UInt64(words[3]), year >= 1970,
      let month = months.firstIndex(of: String(words[2])), let hour = UInt64(words[4]), let minute = UInt64(words[5]),
      let second = UInt64(words[6]), (1...31).contains(day), hour < 24, minute < 60, second < 60
    else { return nil }
    // Years that begin in March, as above.
    let marchYear = month >= 2 ? year : year - 1
    let marchMonth = (UInt64(month) + 10) % 12
    let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
    let days = 365 * marchYear + leapDays + (153 * marchMonth + 2) / 5 + day - 1
    guard days >= 719_468 else { return nil }
    let seconds = (days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second
    // A day that the month does not have, a wrong weekday, other separators: then it is not what would be written.
    return self.text(secondsSince1970: seconds) == text ? seconds : nil
  }

  private static func padded(_ number: Int) -> String {
    number < 10 ? "0\(number)" : "\(number)"
  }
}
