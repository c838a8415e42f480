import Encodings
import Foundation
import Testing

@Suite("Base64")
struct Base64Tests {
  @Test("base64url is what Foundation makes of it, at every length")
  func base64() {
    for count in 0..<66 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 251) }
      let expected = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        .replacing("=", with: "")
      #expect(Base64.url.encode(bytes) == expected)
      #expect(Base64.url.decode(expected) == bytes)
    }
  }

  @Test("base64url has one text for each value", arguments: ["A", "AB", "AAB", "AA=", "A+", "A/", "A A", "ÄÄ"])
  func malformedBase64(text: String) {
    #expect(Base64.url.decode(text) == nil)
  }

  @Test("base64 with padding agrees with Foundation at every length", arguments: 0...64)
  func padded(length: Int) {
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 89) }
    var encoded: [UInt8] = []
    Base64.standard.encode(bytes.span, isPadded: true) { encoded.append($0) }
    #expect(String(decoding: encoded, as: UTF8.self) == Data(bytes).base64EncodedString())
    #expect(encoded.count == Base64.encodedCount(length))
  }

  @Test("what is no URL-safe base64 is not decoded", arguments: ["a", "ab=c", "a+bc", "a/bc", "ab c", "abcde"])
  func notBase64(text: String) {
    #expect(Base64.url.decode(text) == nil)
  }

  private func decoded(_ text: String) -> [UInt8]? {
    let characters = Array(text.utf8)
    return Base64.unpaddedCount(characters.span).flatMap {
      Base64.standard.decode(characters.span.extracting(first: $0))
    }
  }

  @Test(
    "is read with its padding or without",
    arguments: [
      ("", ""), ("Zg==", "f"), ("Zg", "f"), ("Zm8=", "fo"), ("Zm8", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"),
      ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin:open sesame"), ("dGVzdDoxMjPCow==", "test:123£"),
    ])
  func decoding(text: String, expected: String) {
    #expect(decoded(text) == Array(expected.utf8))
  }

  @Test(
    "is refused where it is anything else",
    arguments: ["Z", "Zg=", "Zh==", "Zm8==", "Zm9v=", "Zm9v====", "Z-8=", "Zm 9v", "====", "=", "Zg==Zg=="])
  func refusal(text: String) {
    #expect(decoded(text) == nil)
  }

  @Test("is written without padding")
  func encoding() {
    #expect(Base64.standard.encode([0xfb, 0xff]) == "+/8")
    #expect(Base64.url.encode([0xfb, 0xff]) == "-_8")
  }
}
