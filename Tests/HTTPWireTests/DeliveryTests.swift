import Deliveries
import HTTPWire
import Testing

/// Whatever pieces a message arrives in, what becomes of it is the same.
@Suite("Messages in pieces") struct DeliveryTests {
  static let requests: [String] = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\n\r\nPOST http://user.example:80/a?b=c HTTP/1.1\r\nHost:  a:80 \r\nContent-Length: 5\r\nX:\r\n\r\nhello",
    "GET / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.2\r\nhOST: [::1]:8080\r\nConnection: close, x, te\r\n\r\n",
    "PUT /A HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nTE: trailers\r\n\r\n5\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \u{ff}\t\u{e9} \r\n\r\n", "\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "\r\n\rGET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.10\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n",
    "GET /\r\n", "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\rX",
    "GET / HTTP/1.1\r\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{00}b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: 127.1\r\n\r\n", "\u{16}\u{03}\u{01}\u{00}",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\rZ",
    "GET /" + String(repeating: "a", count: 200) + " HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /" + String(repeating: "\u{e9}", count: 200) + " HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "b", count: 200) + "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "b", count: 120) + "\u{00}"
      + String(repeating: "b", count: 99),
    "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\n\r\n",
    String(repeating: "A", count: 200),
  ]

  static let responses: [String] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello", "HTTP/1.0 404\r\n\r\n",
    "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK",
    "HTTP/1.1 200 \u{e9}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", "HTTP/1.1 2000 OK\r\n",
    "HTTP/1.1 099 OK\r\n",
    "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 O\rK\r\n\r\n", "HTTP/1.1 200 O\u{00}K\r\n\r\n",
    "HTTP/1.1 200\rX",
    "HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n\rZ",
    "<html>hello</html>",
    "HTTP/1.1 200 OK\r\nX \t : y\r\n\r\n", "HTTP/1.1 200 OK\r\nX  y: z\r\n\r\n", "HTTP/1.1 200 OK\r\nX \r\n",
    "HTTP/1.1 200 OK\r\nX\t\u{00}: y\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX" + String(repeating: " ", count: 200) + ": y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 200 " + String(repeating: "x", count: 200) + "\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 200) + "\r\n\r\n",
  ]

  static let bodies: [String] = [
    "5\r\nhello\r\n0\r\n\r\nnext", "1;a=\"b;\\\"\" ; c\r\nx\r\n0;d\r\nX-A: b\r\nHost: c\r\n\r\nnext", "5\r\nhello\n",
    "5 \r\nhello",
    "0\r\nX: y\r\n z\r\n\r\n", "0\r\n\rX", "a\r\n01234", "FFFFFFFFFFFFFFFFF\r\n",
    "1;" + String(repeating: "a", count: 300) + "\r\n",
  ]

  /// Small enough to be reached by some of the messages.
  static let small = HeadLimits(bytes: 160, requestLine: 100, fields: 6)

  @Test("requests", arguments: requests)
  func request(message: String) {
    let message = bytes(message)
    for limits in [HeadLimits(), Self.small] {
      let whole = parseRequest(message, in: [message.count], limits: limits)
      for delivery in deliveries(of: message.count) {
        #expect(parseRequest(message, in: delivery, limits: limits) == whole)
      }
    }
  }

  @Test("responses", arguments: responses)
  func response(message: String) {
    let message = bytes(message)
    for limits in [HeadLimits(), Self.small] {
      let whole = parseResponse(message, in: [message.count], limits: limits)
      for delivery in deliveries(of: message.count) {
        #expect(parseResponse(message, in: delivery, limits: limits) == whole)
      }
    }
  }

  @Test("chunked bodies", arguments: bodies)
  func body(message: String) {
    let message = bytes(message)
    let whole = decode(message, as: .chunked, at: [message.count])
    for delivery in deliveries(of: message.count) {
      #expect(decode(message, as: .chunked, at: delivery) == whole)
    }
  }

  @Test("bodies of a length")
  func plainBody() {
    let message = bytes("hello, and the next")
    let whole = decode(message, as: .length(5), at: [message.count])
    for delivery in deliveries(of: message.count) {
      #expect(decode(message, as: .length(5), at: delivery) == whole)
    }
  }
}
