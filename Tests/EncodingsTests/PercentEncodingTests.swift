import Encodings
import Testing

@Suite("Percent-encoding")
struct PercentEncodingTests {
  @Test("every byte comes back, and a form has it in characters that all servers read alike")
  func roundTrip() {
    for byte in UInt8.min...UInt8.max {
      var encoded: [UInt8] = []
      PercentEncoding.encodeForForm(byte) { encoded.append($0) }
      #expect(PercentEncoding.decode(encoded) == [byte])
      #expect(PercentEncoding.decode(encoded, plusIsSpace: true) == [byte])
      #expect(encoded.count <= PercentEncoding.longest(1))
      #expect(encoded.allSatisfy { $0.isLetter || $0.isDigit || "*-._%".utf8.contains($0) })
    }
  }

  @Test("a percent sign without two digits is malformed", arguments: ["%", "%4", "%4g", "a%", "%+1", "%%41"])
  func malformed(text: String) {
    #expect(PercentEncoding.decode(text.utf8) == nil)
    let kept = text == "%%41" ? "%A" : text
    #expect(PercentEncoding.decode(text.utf8, malformed: .kept) == Array(kept.utf8))
  }

  @Test("a plus sign is a space in forms alone")
  func plus() {
    #expect(PercentEncoding.decode("a+b%2B".utf8) == Array("a+b+".utf8))
    #expect(PercentEncoding.decode("a+b%2B".utf8, plusIsSpace: true) == Array("a b+".utf8))
  }

  @Test("classes of ASCII are what Swift's characters say")
  func classes() {
    for byte in UInt8.min...UInt8.max {
      let character = Character(Unicode.Scalar(byte))
      let isASCII = byte < 0x80
      #expect(byte.isDigit == (isASCII && character.isNumber))
      #expect(byte.isLetter == (isASCII && character.isLetter))
      #expect(byte.hexValue.map { Int($0) } == (isASCII ? character.hexDigitValue : nil))
      #expect(byte.isHexDigit == (byte.hexValue != nil))
      #expect(byte.asciiLowercased == (isASCII ? character.lowercased().utf8.first! : byte))
    }
    #expect((0..<16).map { UInt8($0).hexDigit() } == Array("0123456789abcdef".utf8))
    #expect((0..<16).map { UInt8($0).hexDigit(uppercase: true) } == Array("0123456789ABCDEF".utf8))
  }
}
