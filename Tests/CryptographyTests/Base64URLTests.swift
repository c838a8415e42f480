import Cryptography
import Foundation
import Testing

@Suite("base64url")
struct Base64URLTests {
  @Test("base64url is what Foundation makes of it, at every length")
  func base64() {
    for count in 0..<66 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 251) }
      let expected = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        .replacing("=", with: "")
      #expect(Base64URL.encode(bytes) == expected)
      #expect(Base64URL.decode(expected) == bytes)
    }
  }

  @Test("base64url has one text for each value", arguments: ["A", "AB", "AAB", "AA=", "A+", "A/", "A A", "ÄÄ"])
  func malformedBase64(text: String) {
    #expect(Base64URL.decode(text) == nil)
  }
}
