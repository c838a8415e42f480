import Locks
import Testing

@testable import Secrets

@Suite("Secret")
struct SecretTests {
  let secret = Secret("hunter2-hunter2")

  @Test("shows nothing of itself, however it is printed")
  func redacted() {
    struct Holder {
      let name = "holder"
      let secret: Secret
      let sources: [SecretSource]
    }
    let holder = Holder(secret: secret, sources: [.inline(secret)])
    var dumped = ""
    dump(holder, to: &dumped)
    let texts = [
      "\(secret)", String(describing: secret), String(reflecting: secret), "\(holder)", String(reflecting: holder),
      "\(Optional(secret) as Any)", "\([secret])", dumped, "\(Mirror(reflecting: secret).children.count)",
    ]
    for text in texts { #expect(!text.contains("hunter2")) }
    #expect("\(secret)" == "<redacted>")
    #expect(String(reflecting: secret) == "<redacted>")
    #expect(Mirror(reflecting: secret).children.isEmpty)
  }

  @Test("can be made in place")
  func filled() throws {
    let secret = Secret(count: 3) { bytes in for index in bytes.indices { bytes[index] += UInt8(index) } }
    #expect(secret == Secret("\u{0}\u{1}\u{2}"))
    struct Failure: Error {}
    #expect(throws: Failure.self) { try Secret(count: 3) { _ throws(Failure) in throw Failure() } }
  }

  @Test("is wiped before its memory is given back")
  func wiped() {
    let seen = Monitor<[UInt8]?>(nil)
    var secret: Secret? = unsafe Secret(copying: "hunter2".utf8Span.span) { memory in
      let bytes = unsafe [UInt8](memory)
      seen.withLock { $0 = bytes }
      unsafe memory.deallocate()
    }
    #expect(secret?.count == 7)
    #expect(seen.withLock { $0 } == nil)
    secret = nil
    #expect(seen.withLock { $0 } == [0, 0, 0, 0, 0, 0, 0])
  }

  @Test("lends its bytes, and is a copy of what it was made from")
  func lends() {
    var original: [UInt8] = [1, 2, 3]
    let secret = Secret(original.span)
    original[0] = 9
    #expect(bytes(of: secret) == [1, 2, 3])
    #expect(Secret("").isEmpty)
    #expect(bytes(of: Secret("")) == [])
  }

  @Test("rethrows the errors of its borrower")
  func passesOnErrors() {
    struct Refused: Error {}
    #expect(throws: Refused.self) {
      try secret.withBytes { (_: Span<UInt8>) throws(Refused) -> Int in throw Refused() }
    }
  }

  @Test(
    "drops line ends at the end only",
    arguments: [
      ("x\n", "x"), ("x\r\n", "x"), ("x\n\n\r", "x"), ("x", "x"), ("x \n", "x "), ("\nx", "\nx"), ("\n\r", ""),
      ("", ""),
    ])
  func trims(written: String, expected: String) {
    #expect(Secret(trimmingLineEnds: written.utf8Span.span) == Secret(expected))
  }

  @Test("equals a secret of the same bytes, and no other")
  func equality() {
    #expect(secret == Secret("hunter2-hunter2"))
    #expect(secret != Secret("hunter2-hunter3"))
    #expect(secret != Secret("Hunter2-hunter2"))
    #expect(secret != Secret("hunter2-hunter"))
    #expect(Secret("") == Secret(""))
  }
}

func bytes(of secret: Secret) -> [UInt8] {
  secret.withBytes { span in span.indices.map { span[$0] } }
}
