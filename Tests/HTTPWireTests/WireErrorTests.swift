import HTTPWire
import Testing

@Suite("Wire errors") struct WireErrorTests {
  @Test("each has one sentence of its own")
  func messages() {
    let messages = WireError.allCases.map(\.message)
    #expect(Set(messages).count == messages.count)
    #expect(messages.allSatisfy { $0.hasSuffix(".") && $0.count > 20 })
  }

  @Test("each has a status that tells a client what to do")
  func statuses() {
    let others = WireError.allCases.filter { $0.status != 400 }
    #expect(
      others.map(\.status).sorted() == [413, 414, 417, 431, 431, 431, 501, 501, 505])
    #expect(WireError.unsupportedVersion.status == 505)
    #expect(WireError.requestLineTooLong.status == 414)
    #expect(WireError.headTooLarge.status == 431)
    #expect(WireError.unsupportedTransferCoding.status == 501)
    #expect(WireError.lengthAndTransferEncoding.status == 400)
  }
}
