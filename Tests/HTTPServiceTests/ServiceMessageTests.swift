import Bytes
import Testing

@testable import HTTPService

@Suite("Messages of a service")
struct ServiceMessageTests {
  @Test(
    "dates are written as HTTP has them",
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
      (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
  func dates(seconds: Int, text: String) {
    #expect(HTTPDate.text(seconds) == text)
  }

  @Test("a value with a line end in it begins no other field")
  func splitting() {
    let response = ServiceResponse(status: 200, fields: [ServiceField("X", "a\r\nSet-Cookie: b\u{0}")])
    #expect(text(response).contains("\r\nX: a  Set-Cookie: b \r\n"))
  }

  @Test("204 has neither a body nor its length")
  func noContent() {
    let text = text(ServiceResponse(status: 204, body: [1]))
    #expect(!text.contains("Content-Length"))
    #expect(text.hasSuffix("\r\n\r\n"))
  }

  @Test("field values are found in any case, all of them")
  func values() {
    let request = ServiceRequest(method: "GET", path: "/", fields: [ServiceField("A", "1"), ServiceField("a", "2")])
    #expect(request.values(of: "A") == ["1", "2"])
    #expect(request.values(of: "b").isEmpty)
  }

  private func text(_ response: ServiceResponse) -> String {
    let buffer = response.bytes(isHead: false, closing: false)
    return unsafe buffer.withUnsafeReadableBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
