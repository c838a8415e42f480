import Bytes
import Testing

@testable import HTTPService

@Suite("Messages of a service")
struct ServiceMessageTests {
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

  @Test("a response shares its content, and its buffer holds a piece of it")
  func longContent() {
    let body = [UInt8](repeating: UInt8(ascii: "x"), count: 1_000_000)
    let (head, content) = ServiceResponse(status: 200, body: body).message(isHead: false, closing: false)
    #expect(head.capacity < 40_000)
    #expect(content == body)
    #expect(ServiceResponse(status: 200, body: body).message(isHead: true, closing: false).content.isEmpty)
  }

  private func text(_ response: ServiceResponse) -> String {
    let (head, content) = response.message(isHead: false, closing: false)
    return unsafe head.withUnsafeReadableBytes { unsafe String(decoding: $0, as: UTF8.self) }
      + String(decoding: content, as: UTF8.self)
  }
}
