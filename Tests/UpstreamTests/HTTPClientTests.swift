import LoopbackTesting
import Outbound
import Testing
import Upstream

@Suite struct HTTPClientTests {
  private func post(
    _ port: UInt16, limit: Int = 1_000, timeout: Duration = .seconds(10), fields: [String] = []
  ) throws -> Result<ClientResponse, UpstreamError> {
    let running = try RunningLoop()
    return try running.run {
      let client = HTTPClient(dialer: try Dialer(loop: running.loop, trust: TrustStores([TrustSettings()])))
      return await client.post(
        ClientRequest(
          url: "http://127.0.0.1:\(port)/token", fieldLines: fields, body: Array("a=b".utf8), timeout: timeout,
          responseLimit: limit))
    }
  }

  private func origin(sending answer: String) throws -> UInt16 {
    try RawListener.serving { socket in
      _ = try socket.read(upTo: "\r\n\r\na=b")
      socket.send(answer)
    }
  }

  @Test("the request is a POST with the fields and the content it was given, and waits for no 100")
  func request() throws {
    let received = Answer<String>()
    let port = try RawListener.serving { socket in
      received.give(try socket.read(upTo: "\r\n\r\na=b"))
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    }
    _ = try post(port, fields: ["Content-Type: text/x", "Authorization: Basic eA=="]).get()
    let text = try received.take()
    #expect(text.hasPrefix("POST /token HTTP/1.1\r\n"))
    for line in ["Content-Type: text/x", "Authorization: Basic eA==", "Content-Length: 3"] {
      #expect(text.contains("\r\n\(line)\r\n"))
    }
    #expect(!text.contains("Expect"))
  }

  @Test("status, fields and body are those of the final response, not of an interim one")
  func response() throws {
    let response = try post(
      origin(
        sending: "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 400 Bad\r\nContent-Type:  text/plain \r\n"
          + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    ).get()
    #expect(response.status == 400)
    #expect(response.value(of: "content-type") == "text/plain")
    #expect(response.value(of: "x-early") == nil)
    #expect(String(decoding: response.body, as: UTF8.self) == "hello")
    #expect(!response.isCut)
  }

  @Test("content beyond the limit is cut off, content up to it is not")
  func limit() throws {
    let port = try origin(sending: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789")
    let cut = try post(port, limit: 9).get()
    #expect(cut.isCut)
    #expect(cut.status == 200)
    #expect(String(decoding: cut.body, as: UTF8.self) == "012345678")
    let whole = try post(port, limit: 10).get()
    #expect(!whole.isCut)
    #expect(whole.body.count == 10)
  }

  @Test("redirects are not followed: no other server gets the content")
  func redirect() throws {
    let elsewhere = try RawListener()
    let response = try post(
      origin(
        sending: "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:\(elsewhere.port)/\r\n"
          + "Content-Length: 0\r\n\r\n")
    ).get()
    #expect(response.status == 307)
    // The only connection that arrives there is the one made now.
    let own = try RawSocket(port: elsewhere.port)
    own.send("mine")
    own.finishSending()
    #expect(try elsewhere.accept().readToEnd().text == "mine")
  }

  @Test(
    "an answer that ends too early, or is none, is an error",
    arguments: ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012", "", "nonsense\r\n\r\n"])
  func broken(answer: String) throws {
    let result = try post(origin(sending: answer))
    guard case .failure = result else { return #expect(Bool(false), "\(result)") }
  }

  @Test(
    "what is not HTTP is named, however little of it there is and whether or not the connection ends",
    arguments: [
      ("\u{0}\u{0}\u{6}\u{4}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{3}\u{0}\u{0}\u{0}\u{64}", .http2),
      ("\u{0}\u{0}\u{8}\u{7}\u{0}\u{0}\u{0}\u{0}\u{0}12345678", .http2),
      ("\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{46}", .tls), ("220 smtp.example ESMTP\r\n", .unknown), ("x", .unknown),
    ] as [(String, ForeignProtocol)])
  func foreign(answer: String, expected: ForeignProtocol) throws {
    guard case .failure(.notHTTP(expected)) = try post(origin(sending: answer)) else {
      return #expect(Bool(false), "it was taken for something else")
    }
  }

  @Test("a body that cannot be decoded leaves status and fields, and nothing else")
  func undecodable() throws {
    for coding in ["gzip", "br", "zstd", "compress"] {
      let response = try post(
        origin(sending: "HTTP/1.1 401 No\r\nContent-Encoding: \(coding)\r\nContent-Length: 9\r\n\r\nsome text")
      ).get()
      #expect(response.status == 401 && response.body.isEmpty && response.decodingProblem != nil)
      #expect(response.value(of: "content-encoding") == coding)
    }
  }

  @Test("endless fields are an error")
  func endlessFields() throws {
    let line = "X: " + String(repeating: "x", count: 1_000) + "\r\n"
    let result = try post(origin(sending: "HTTP/1.1 200 OK\r\n" + String(repeating: line, count: 70) + "\r\n"))
    guard case .failure(.other("the head of the response is too long")) = result else {
      return #expect(Bool(false), "\(result)")
    }
  }

  @Test("a connection that has ended as soon as it was made gets no request, and another one does")
  func lostAtOnce() throws {
    let parent = try EndingParent { socket in
      _ = try socket.read(upTo: "\r\n\r\na=b")
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
    let running = try RunningLoop()
    let response = try running.run { () -> Result<ClientResponse, UpstreamError> in
      let client = HTTPClient(dialer: try Dialer(loop: running.loop, trust: TrustStores([TrustSettings()])))
      return await client.post(
        ClientRequest(
          url: "http://192.0.2.1/token", fieldLines: [], body: Array("a=b".utf8), timeout: .seconds(10),
          responseLimit: 100, options: parent.options))
    }
    #expect(try response.get().status == 200)
    #expect(parent.tunnels == 2)
  }

  @Test("no answer in time is a time-out")
  func timeout() throws {
    let silent = try RawListener()
    guard case .failure(.connectTimeout) = try post(silent.port, timeout: .milliseconds(20)) else {
      return #expect(Bool(false), "there was no response")
    }
  }
}
