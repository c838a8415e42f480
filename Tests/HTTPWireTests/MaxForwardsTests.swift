import Deliveries
import HTTPWire
import Testing

@Suite("Max-Forwards") struct MaxForwardsTests {
  private func maxForwards(_ method: String, _ lines: String) throws -> UInt64? {
    let message = bytes("\(method) / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
    var parser = RequestHeadParser(limits: HeadLimits())
    var head = RequestHead()
    #expect(try parser.parse(message.span, into: &head))
    return try head.maxForwards(message.span)
  }

  @Test(
    "it is a number, for OPTIONS and TRACE",
    arguments: [("0", 0), ("1", 1), ("007", 7), ("18446744073709551615", UInt64.max), ("18446744073709551616", .max)]
      as [(String, UInt64)])
  func number(value: String, number: UInt64) throws {
    #expect(try maxForwards("OPTIONS", "Max-Forwards: \(value)\r\n") == number)
    #expect(try maxForwards("TRACE", "max-forwards:\(value)\r\n") == number)
    #expect(try maxForwards("GET", "Max-Forwards: \(value)\r\n") == nil)
    #expect(try maxForwards("OPTIONS", "") == nil)
  }

  @Test(
    "anything else is malformed",
    arguments: ["Max-Forwards:", "Max-Forwards: -1", "Max-Forwards: 1, 2", "Max-Forwards: 1\r\nMax-Forwards: 1"])
  func malformed(lines: String) {
    #expect(throws: WireError.malformedMaxForwards) { try maxForwards("OPTIONS", lines + "\r\n") }
    #expect(throws: Never.self) { try maxForwards("GET", lines + "\r\n") }
  }
}
