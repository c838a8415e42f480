import HTTPService
import HTTPWire
import Testing

@Suite("A service")
struct ServiceTests {
  @Test("serves requests on one connection in order, even if they arrive together")
  func pipelining() throws {
    let service = try RunningService(handler: echo)
    let client = try TestClient(port: service.port)
    client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second?x HTTP/1.1\r\nHost: a\r\n\r\n")
    let first = try client.read(upTo: "GET /first \n")
    let second = try client.read(upTo: "GET /second \n")
    for answer in [first, second] {
      #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(answer.contains("\r\nDate: "))
      #expect(!answer.contains("Connection: close"))
    }
    #expect(first.contains("\r\nContent-Length: 12\r\n"))
  }

  @Test("responds to HEAD with the head of GET")
  func head() throws {
    let service = try RunningService(handler: echo)
    let client = try TestClient(port: service.port)
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    let answer = try client.readToEnd()
    #expect(answer.contains("\r\nContent-Length: 8\r\n"))
    #expect(answer.hasSuffix("\r\n\r\n"))
  }

  @Test(
    "hands over bodies however they are framed",
    arguments: [
      "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n",
    ])
  func bodies(framing: String) throws {
    let service = try RunningService(handler: echo)
    let client = try TestClient(port: service.port)
    client.send("POST /x HTTP/1.1\r\nHost: a\r\n\(framing)GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.read(upTo: "POST /x hello\n").hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(try client.read(upTo: "GET /next \n").hasPrefix("HTTP/1.1 200 OK\r\n"))
  }

  @Test("sends 100 to a client that waits before it sends its body")
  func expectation() throws {
    let service = try RunningService(handler: echo)
    let client = try TestClient(port: service.port)
    client.send("PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    #expect(try client.read(upTo: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
    client.send("abc")
    #expect(try client.read(upTo: "PUT /x abc\n").hasPrefix("HTTP/1.1 200 OK\r\n"))
  }

  @Test("sends responses that are larger than any socket's buffer")
  func largeAnswer() throws {
    let service = try RunningService { _ in ServiceResponse(status: 200, body: [UInt8](repeating: 97, count: 8 << 20)) }
    let client = try TestClient(port: service.port)
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    let answer = try client.readToEnd()
    let body = try #require(answer.ranges(of: "\r\n\r\n").first?.upperBound)
    #expect(answer[body...].utf8.count == 8 << 20)
  }

  @Test(
    "closes the connection after the answer where the client wants it or cannot say",
    arguments: ["HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.0\r\n\r\n"])
  func closing(rest: String) throws {
    let service = try RunningService(handler: echo)
    let client = try TestClient(port: service.port)
    client.send("GET / \(rest)")
    #expect(try client.readToEnd().contains("\r\nConnection: close\r\n"))
  }

  @Test(
    "refuses what it cannot accept, says why, and closes",
    arguments: [
      ("GET /\r\n\r\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\nHost: a\n\n", 400),
      ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505), ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
      ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
      ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 2_000))\r\n\r\n", 431),
      ("GET /\(String(repeating: "x", count: 600)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n", 413),
      ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
      ("POST / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417),
    ])
  func refusals(request: String, status: Int) throws {
    let limits = ServiceLimits(head: HeadLimits(bytes: 1_024, requestLine: 512, fields: 10), body: 10)
    let service = try RunningService(limits: limits, handler: echo)
    let client = try TestClient(port: service.port)
    client.send(request)
    let answer = try client.readToEnd()
    #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
    #expect(answer.contains("\r\nConnection: close\r\n"))
    #expect(answer.hasSuffix(".\n"))
  }
}
