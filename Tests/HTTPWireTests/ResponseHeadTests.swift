import Deliveries
import HTTPWire
import Testing

@Suite("Response heads") struct ResponseHeadTests {
  @Test("a usual response is taken apart")
  func usual() throws {
    let message = "HTTP/1.1 404 Not \u{e9} Found\r\nDate: x\r\nContent-Length: 7\r\n\r\n"
    let head = try response(message + "1234567")
    #expect(head.status == 404)
    #expect(head.reason == "Not \u{e9} Found")
    #expect(head.version == .http11)
    #expect(head.fields == ["Date=x", "Content-Length=7"])
    #expect(head.length == message.unicodeScalars.count)
    #expect(head.flags == ["keeps", "date"])
  }

  @Test("a reason may be empty, and its space missing", arguments: ["HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 200\r\n\r\n"])
  func withoutReason(message: String) throws {
    let head = try response(message)
    #expect(head.status == 200)
    #expect(head.reason.isEmpty)
  }

  @Test(
    "how the body ends for GET, HEAD and CONNECT",
    arguments: [
      ("200", "Content-Length: 5\r\n", [BodyFraming.length(5), .none, .none]),
      ("200", "Transfer-Encoding: chunked\r\n", [.chunked, .none, .none]),
      ("200", "", [.untilClose, .none, .none]), ("200", "Content-Length: 0\r\n", [.length(0), .none, .none]),
      ("404", "Content-Length: 5\r\n", [.length(5), .none, .length(5)]),
      ("500", "", [.untilClose, .none, .untilClose]),
      ("204", "", [.none, .none, .none]), ("204", "Content-Length: 5\r\n", [.none, .none, .none]),
      ("304", "Content-Length: 5\r\n", [.none, .none, .none]), ("304", "", [.none, .none, .none]),
      ("304", "Transfer-Encoding: chunked\r\n", [.none, .none, .none]),
      ("100", "", [.none, .none, .none]), ("101", "Content-Length: 0\r\n", [.none, .none, .none]),
      ("205", "Content-Length: 0\r\n", [.length(0), .none, .none]),
    ] as [(String, String, [BodyFraming])])
  func framing(status: String, fields: String, framings: [BodyFraming]) throws {
    #expect(try response("HTTP/1.1 \(status) X\r\n\(fields)\r\n").framings == framings)
  }

  @Test(
    "what the head says about the connection",
    arguments: [
      ("1.1 200", "", ["keeps"]), ("1.1 200", "Connection: close\r\n", []), ("1.0 200", "", []),
      ("1.0 200", "Connection: Keep-Alive\r\n", ["keeps"]), ("1.0 200", "Connection: keep-alive, close\r\n", []),
      ("1.1 204", "", ["keeps"]), ("1.1 204", "Content-Length: 0\r\n", ["keeps"]),
      ("1.1 204", "Content-Length: 1\r\n", []), ("1.1 204", "Transfer-Encoding: chunked\r\n", []),
      ("1.1 304", "Content-Length: 1\r\n", ["keeps"]), ("1.1 100", "", ["keeps", "interim"]),
      ("1.1 101", "Upgrade: websocket\r\nConnection: upgrade\r\n", ["keeps", "interim", "upgrade"]),
      ("1.1 101", "Upgrade: websocket\r\n", ["keeps", "interim"]),
      ("1.0 101", "Upgrade: websocket\r\nConnection: upgrade\r\n", ["interim"]),
      ("1.1 200", "Content-Type: Text/Event-Stream\r\n", ["keeps", "events"]),
      ("1.1 200", "Content-Type: text/event-stream ; charset=utf-8\r\n", ["keeps", "events"]),
      ("1.1 200", "Content-Type: text/event-stream;charset=utf-8\r\n", ["keeps", "events"]),
      ("1.1 200", "Content-Type: text/event-streams\r\n", ["keeps"]),
      ("1.1 200", "Content-Type: application/json\r\n", ["keeps"]),
      ("1.1 200", "Content-Type: text/event-strea\r\n", ["keeps"]),
      ("1.1 200", "Connection: x-a\r\n", ["keeps", "options"]), ("1.1 200", "DATE: x\r\n", ["keeps", "date"]),
      ("1.1 200", "Date: x\r\nConnection: date\r\n", ["keeps", "options"]),
    ] as [(String, String, Set<String>)])
  func connection(line: String, fields: String, flags: Set<String>) throws {
    #expect(try response("HTTP/\(line) X\r\n\(fields)\r\n").flags == flags)
  }

  @Test("the length that a HEAD response announces is kept")
  func announcedLength() throws {
    #expect(try response("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n").contentLength == 77)
  }

  @Test(
    "status lines that are refused",
    arguments: [
      ("http/1.1 200 OK\r\n\r\n", WireError.malformedStatusLine), ("ICY 200 OK\r\n\r\n", .malformedStatusLine),
      ("HTTP/1.1  200 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1\t200 OK\r\n\r\n", .malformedStatusLine),
      (" HTTP/1.1 200 OK\r\n\r\n", .malformedStatusLine), ("\r\nHTTP/1.1 200 OK\r\n\r\n", .malformedStatusLine),
      ("HTTP/1.1 20 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStatusLine),
      ("HTTP/1.1 2x0 OK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 +20 OK\r\n\r\n", .malformedStatusLine),
      ("HTTP/1.1 200\tOK\r\n\r\n", .malformedStatusLine), ("HTTP/1.1 200OK\r\n\r\n", .malformedStatusLine),
      ("HTTP/1.1 \r\n\r\n", .malformedStatusLine), ("HTTP/1.1\r\n\r\n", .malformedStatusLine),
      ("HTTP/1.10 200 OK\r\n\r\n", .malformedStatusLine), ("<html>", .malformedStatusLine),
      ("\u{16}\u{03}\u{01}", .malformedStatusLine), ("HTTP/1.1 099 OK\r\n\r\n", .invalidStatus),
      ("HTTP/1.1 000 OK\r\n\r\n", .invalidStatus), ("HTTP/1.1 600 OK\r\n\r\n", .invalidStatus),
      ("HTTP/1.1 999 OK\r\n\r\n", .invalidStatus), ("HTTP/2.0 200 OK\r\n\r\n", .unsupportedVersion),
      ("HTTP/0.9 200 OK\r\n\r\n", .unsupportedVersion), ("HTTP/1.1 200 OK\n\r\n", .bareLineFeed),
      ("HTTP/1.1 200\n\r\n", .bareLineFeed), ("HTTP/1.1 200 O\rK\r\n\r\n", .bareCarriageReturn),
      ("HTTP/1.1 200 O\u{00}K\r\n\r\n", .controlByte), ("HTTP/1.1 200 O\u{7f}K\r\n\r\n", .controlByte),
    ] as [(String, WireError)])
  func statusLine(message: String, error: WireError) {
    #expect(parseResponse(message) == .refused(error))
  }

  @Test(
    "fields that are refused",
    arguments: [
      ("200", "Content-Length: 5\r\nContent-Length: 5\r\n", WireError.repeatedContentLength),
      ("200", "Content-Length: 5\r\nContent-Length: 6\r\n", .repeatedContentLength),
      ("200", "Content-Length: 5, 5\r\n", .malformedContentLength),
      ("200", "Content-Length: -1\r\n", .malformedContentLength),
      ("200", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", .lengthAndTransferEncoding),
      ("304", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", .lengthAndTransferEncoding),
      ("200", "Transfer-Encoding: gzip, chunked\r\n", .unsupportedTransferCoding),
      ("200", "Transfer-Encoding: identity\r\n", .transferEncodingNotChunked),
      ("200", "Transfer_Encoding: chunked\r\n", .disguisedFraming),
      ("100", "Content-Length: 5\r\n", .framedInterim), ("103", "Transfer-Encoding: chunked\r\n", .framedInterim),
      ("200", " X: y\r\n", .foldedField), ("200", "X: y\r\n z\r\n", .foldedField),
      ("200", "X y: z\r\n", .whitespaceInFieldName), ("200", "X \r\n", .whitespaceInFieldName),
      ("200", "X \r\n : y\r\n", .whitespaceInFieldName), ("200", "X \u{00}: y\r\n", .whitespaceInFieldName),
      ("200", "X\u{0b}: y\r\n", .invalidFieldName), ("200", " : y\r\n", .foldedField),
      ("200", "Content_Length : 5\r\n", .disguisedFraming),
      ("200", "X: y\n", .bareLineFeed), ("200", "X\r\n", .missingColon), ("200", "X: \u{00}\r\n", .controlByte),
      ("200", "Connection: a b\r\n", .malformedConnection),
    ] as [(String, String, WireError)])
  func fields(status: String, fields: String, error: WireError) {
    #expect(parseResponse("HTTP/1.1 \(status) X\r\n\(fields)\r\n") == .refused(error))
  }

  @Test(
    "whitespace before a colon is no part of the name", arguments: ["X :y", "X\t: y", "X \t  :\t y\t", "X :  y"])
  func blanksBeforeColon(line: String) throws {
    let head = try response("HTTP/1.1 200 OK\r\nA: 1\r\n\(line)\r\nDate : 2\r\n\r\n")
    #expect(head.fields == ["A=1", "X=y", "Date=2"])
    #expect(head.flags == ["keeps", "date"])
  }

  @Test(
    "whitespace before the colon of a field that frames the message, or is about the connection, is refused",
    arguments: [
      "Content-Length", "content-lengtH", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection",
      "Upgrade", "TE", "Trailer",
    ], [" ", "\t"])
  func blanksBeforeColonOfFraming(name: String, blank: String) {
    #expect(parseResponse("HTTP/1.1 200 OK\r\n\(name)\(blank): 5\r\n\r\n") == .refused(.whitespaceInFieldName))
  }

  @Test("a chunked response of HTTP/1.0 is refused")
  func chunkedHTTP10() {
    #expect(
      parseResponse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") == .refused(.transferEncodingInHTTP10))
  }

  @Test("what is incomplete is neither complete nor refused")
  func incomplete() {
    let message = bytes("HTTP/1.1 200 OK\r\nX:  b \r\nContent-Length: 5\r\n\r\n")
    for length in 0..<message.count {
      #expect(parseResponse(Array(message[..<length]), in: [length]) == .incomplete)
    }
  }
}
