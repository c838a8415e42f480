import Deliveries
import Testing

@testable import HTTPWire

@Suite("Limits of heads") struct HeadLimitTests {
  @Test("a request line of just the limit passes, one byte more does not", arguments: 0..<3)
  func requestLine(emptyLines: Int) {
    let limits = HeadLimits(bytes: 1000, requestLine: 40, fields: 10)
    let before = String(repeating: "\r\n", count: emptyLines)
    let line = "GET /" + String(repeating: "a", count: 26) + " HTTP/1.1"
    #expect(line.utf8.count == 40)
    let rest = "\r\nHost: a\r\n\r\n"
    guard case .complete = parseRequest(before + line + rest, limits: limits) else {
      Issue.record("a line of the limit was not accepted")
      return
    }
    let longer = line.replacing(" HTTP", with: "a HTTP")
    #expect(parseRequest(before + longer + rest, limits: limits) == .refused(.requestLineTooLong))
  }

  @Test("a method that never ends has its own error")
  func method() {
    let limits = HeadLimits(bytes: 1000, requestLine: 40, fields: 10)
    #expect(parseRequest(String(repeating: "A", count: 60), limits: limits) == .refused(.methodTooLong))
  }

  @Test("a head of just the limit passes, one byte more does not, complete or not")
  func wholeHead() {
    let limits = HeadLimits(bytes: 100, requestLine: 40, fields: 10)
    let begin = "GET / HTTP/1.1\r\nHost: a\r\nX: "
    let value = String(repeating: "x", count: 100 - begin.utf8.count - 4)
    guard case .complete = parseRequest(begin + value + "\r\n\r\n", limits: limits) else {
      Issue.record("a head of the limit was not accepted")
      return
    }
    #expect(parseRequest(begin + value + "x\r\n\r\n", limits: limits) == .refused(.headTooLarge))
    #expect(parseRequest(begin + value + "xxxxxxxx", limits: limits) == .refused(.headTooLarge))
    #expect(parseRequest(begin + value + "xxx", limits: limits) == .incomplete)
  }

  @Test("as many fields as the limit pass, one more does not")
  func fields() {
    let limits = HeadLimits(bytes: 1000, requestLine: 40, fields: 3)
    let head = "GET / HTTP/1.1\r\nHost: a\r\n"
    guard case .complete = parseRequest(head + "A: 1\r\nA: 1\r\n\r\n", limits: limits) else {
      Issue.record("the fields of the limit were not accepted")
      return
    }
    #expect(parseRequest(head + "A: 1\r\nA: 1\r\nA: 1\r\n\r\n", limits: limits) == .refused(.tooManyFields))
  }

  @Test("a status line of just the limit passes, one byte more does not")
  func statusLine() {
    let limits = HeadLimits(bytes: 1000, requestLine: 20, fields: 3)
    guard case .complete = parseResponse("HTTP/1.1 200 1234567\r\n\r\n", limits: limits) else {
      Issue.record("a line of the limit was not accepted")
      return
    }
    #expect(parseResponse("HTTP/1.1 200 12345678\r\n\r\n", limits: limits) == .refused(.statusLineTooLong))
    #expect(
      parseResponse("HTTP/1.1 200 " + String(repeating: "x", count: 30), limits: limits) == .refused(.statusLineTooLong)
    )
  }

  @Test("the head of a response is limited as that of a request is")
  func response() {
    let limits = HeadLimits(bytes: 60, requestLine: 30, fields: 2)
    #expect(
      parseResponse("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits: limits) == .refused(.tooManyFields))
    let long = "HTTP/1.1 200 OK\r\nA: " + String(repeating: "x", count: 60)
    #expect(parseResponse(long, limits: limits) == .refused(.headTooLarge))
  }

  @Test(
    "a line that arrives in pieces is read again only when a byte has come that ends a part of it",
    arguments: [
      ("abc", HeadProgress.Region.token, ["def-g"], [":", " ", "\r", "(", "\u{e9}"]),
      ("/ab", .target, ["cd?e:("], [" ", "\r", "\u{e9}", "\u{7f}"]),
      ("abc", .text, ["d: \t(\u{e9}"], ["\r", "\n", "\u{00}", "\u{7f}"]),
      ("abc\r", .text, [], ["\n", "x"]), ("HTTP", .short, [], ["/"]),
    ] as [(String, HeadProgress.Region, [String], [String])])
  func pieces(begin: String, region: HeadProgress.Region, more: [String], ending: [String]) {
    let line = bytes(begin)
    var progress = HeadProgress()
    progress.suspend(line.span, at: line.count, in: region)
    func mayContinue(_ progress: inout HeadProgress, _ message: [UInt8], to end: Int) -> Bool {
      progress.mayContinue(message.span, to: end)
    }
    for piece in more {
      let message = line + bytes(piece)
      var resumed = progress
      for end in line.count + 1...message.count {
        let isNew = mayContinue(&resumed, message, to: end)
        #expect(!isNew)
      }
    }
    for piece in ending {
      let message = line + bytes(piece)
      var resumed = progress
      let isNew = mayContinue(&resumed, message, to: message.count)
      #expect(isNew)
    }
  }
}
