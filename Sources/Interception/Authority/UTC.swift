internal import Glibc

/// Times as people read them.
public enum UTC {
  /// The day of `seconds` since 1970: `2026-11-27`.
  public static func date(_ seconds: Int64) -> String {
    var time = time_t(seconds)
    var parts = unsafe tm()
    unsafe gmtime_r(&time, &parts)
    let digits = unsafe [parts.tm_mon + 1, parts.tm_mday].map { $0 < 10 ? "0\($0)" : "\($0)" }
    return unsafe "\(parts.tm_year + 1900)-\(digits[0])-\(digits[1])"
  }

  /// The time in seconds since 1970.
  @Sendable public static func now() -> Int64 { Int64(time(nil)) }
}
