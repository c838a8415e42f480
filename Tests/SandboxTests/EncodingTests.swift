import Testing

@testable import Sandbox

@Suite("Encodings")
struct EncodingTests {
  @Test("form values are decoded, and an empty one counts as left out")
  func form() throws {
    let form = try Form("a=1+2%2B3&b=&c&=x&%64=%C3%BC&e=f=g".utf8)
    #expect(form["a"] == "1 2+3")
    #expect(form["b"] == nil)
    #expect(form["c"] == nil)
    #expect(form["d"] == "ü")
    #expect(form["e"] == "f=g")
  }

  @Test("a parameter that is there twice is refused, also under another spelling")
  func repeated() {
    #expect(throws: Form.Fault.repeated("a")) { try Form("a=1&%61=2".utf8) }
  }

  @Test("a signature is valid for its own message only")
  func signature() throws {
    let key = try testKey.get()
    let signature = try key.sign(Array("message".utf8))
    #expect(key.verifies(signature, of: Array("message".utf8)))
    #expect(!key.verifies(signature, of: Array("massage".utf8)))
    #expect(!key.verifies(Array(signature.dropLast()), of: Array("message".utf8)))
    #expect(!key.verifies([], of: []))
  }
}
