import Encodings
import Foundation
import Testing

@Suite("Dates")
struct HTTPDateTests {
  @Test(
    "dates are written as HTTP has them",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
      (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
  func dates(seconds: UInt64, text: String) {
    #expect(HTTPDate.text(secondsSince1970: seconds) == Array(text.utf8))
    #expect(HTTPDate.secondsSince1970(of: Array(text.utf8)) == seconds)
  }

  @Test("every day for four centuries is read as it is written")
  func everyDay() {
    let wrong = (0..<146_097).map { UInt64($0) * 86_400 + UInt64($0 % 86_400) }.filter {
      HTTPDate.secondsSince1970(of: HTTPDate.text(secondsSince1970: $0)) != $0
    }
    #expect(wrong == [])
  }

  @Test(
    "what is not such a date is none",
    arguments: [
      "", "soon", "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov  6 08:49:37 94",

      "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT ",
      "Sun, 06 Nov 1994 24:49:37 GMT", "Thu, 30 Feb 2023 00:00:00 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
      "Sun, 06 Nov 1994 08:49:37", "Sun 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT",
      "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Non 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Nov 1994 08:49:37 CET", "Sun, +6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37",
      "Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT and more of it",
      "nday, 1-1-1 GMT",
      "Sun, 00 Jan 1970 00:00:00 GMT", "Sun, 06:Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 +8:49:37 GMT",
    ])
  func noDate(text: String) {
    #expect(HTTPDate.secondsSince1970(of: Array(text.utf8)) == nil)
  }

  @Test("the two obsolete forms are read, and a leap second is the first of the next minute")
  func obsolete() {
    func seconds(_ text: String, now: UInt64 = 784_111_777) -> UInt64? {
      HTTPDate.secondsSince1970(of: Array(text.utf8), now: now)
    }
    #expect(seconds("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
    #expect(seconds("Sun Nov  6 08:49:37 1994") == 784_111_777)
    #expect(seconds("Sun Nov 06 08:49:37 1994") == 784_111_777)
    #expect(seconds("Mon, 06 Nov 1994 08:49:37 GMT") == 784_111_777, "with another weekday")
    #expect(seconds("Sat, 31 Dec 2016 23:59:60 GMT") == 1_483_228_800)
    // A year of two digits is at most 50 years ahead (RFC 9110 section 5.6.7).
    #expect(seconds("Tuesday, 01-Dec-26 00:00:00 GMT", now: 1_796_000_000) == 1_796_083_200)
    #expect(seconds("Thursday, 01-Jan-76 00:00:00 GMT", now: 1_796_000_000) == 3_345_062_400)
    #expect(seconds("Saturday, 01-Jan-77 00:00:00 GMT", now: 1_796_000_000) == 220_924_800)
  }

  @Test("dates agree with Foundation through leap years and centuries")
  func foundation() {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "GMT")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    for seconds in stride(from: UInt64(0), to: 8_000_000_000, by: 8_640_001) {
      let text = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      #expect(HTTPDate.secondsSince1970(of: text.utf8) == seconds, "\(text)")
    }
  }
}
