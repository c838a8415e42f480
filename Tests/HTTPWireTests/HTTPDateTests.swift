import HTTPWire
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
      "", "soon", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Mon, 06 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT ",
      "Sun, 06 Nov 1994 24:49:37 GMT", "Thu, 30 Feb 2023 00:00:00 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
      "Sun, 00 Jan 1970 00:00:00 GMT", "Sun, 06:Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 +8:49:37 GMT",
    ])
  func noDate(text: String) {
    #expect(HTTPDate.secondsSince1970(of: Array(text.utf8)) == nil)
  }
}
