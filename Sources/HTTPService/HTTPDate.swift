internal import Glibc

/// Dates as HTTP writes them (RFC 9110 5.6.7).
enum HTTPDate {
  /// The moment `seconds` after the beginning of 1970 in UTC, as `Sun, 06 Nov 1994 08:49:37 GMT`.
  static func text(_ seconds: Int) -> String {
    var moment = time_t(seconds)
    var parts = tm()
    unsafe gmtime_r(&moment, &parts)
    let day = days[Int(parts.tm_wday)]
    let month = months[Int(parts.tm_mon)]
    return "\(day), \(twoDigits(parts.tm_mday)) \(month) \(1900 + parts.tm_year) "
      + "\(twoDigits(parts.tm_hour)):\(twoDigits(parts.tm_min)):\(twoDigits(parts.tm_sec)) GMT"
  }

  /// The moment of the call.
  static var now: String { unsafe text(time(nil)) }

  private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  private static func twoDigits(_ number: Int32) -> String {
    number < 10 ? "0\(number)" : "\(number)"
  }
}
