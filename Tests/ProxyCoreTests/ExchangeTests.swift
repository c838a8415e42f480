import Configuration
import Locks
import LoopbackTesting
import Testing

@testable import ProxyCore

/// The request path over real sockets, against origins that behave in ways that need a script.
@Suite struct ExchangeTests {
  private static let get = "GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n"
  private static let getAndClose = "GET /x HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n"

  /// An origin that reads a head, sends `answer`, and closes.
  private func origin(sending answer: String, reset: Bool = false) throws -> UInt16 {
    try RawListener.serving { socket in
      _ = try socket.read(upTo: "\r\n\r\n")
      socket.send(answer)
      if reset { socket.abort() }
    }
  }

  // MARK: What looks complete must be complete

  @Test(
    "an answer that is cut off is a reset for an HTTP/1.0 client, and never ends well for another",
    arguments: ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel"])
  func cutOff(rest: String) throws {
    let proxy = try ServedProxy(origin: origin(sending: "HTTP/1.1 200 OK\r\n" + rest))
    let old = try proxy.answer(to: "GET /x HTTP/1.0\r\n\r\n")
    #expect(old.end == .reset)
    let new = try proxy.answer(to: Self.getAndClose)
    #expect(!new.text.contains("\r\n0\r\n"))
  }

  @Test("a response delimited by the end of the connection is incomplete after a reset")
  func resetAnswer() throws {
    let proxy = try ServedProxy(origin: origin(sending: "HTTP/1.1 200 OK\r\n\r\nhello", reset: true))
    let answer = try proxy.answer(to: Self.getAndClose)
    // The reset may overtake the head; then the answer says so.
    #expect(answer.text.hasPrefix("HTTP/1.1 502 ") || !answer.text.contains("\r\n0\r\n"))
  }

  @Test(
    "what cannot be passed on is a 502 that says so",
    arguments: [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 17), "HTTP/1.1 200 OK\r\nContent-Le",
      "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 40_000) + "\r\n\r\n", "",
    ])
  func unusable(answer: String) throws {
    let proxy = try ServedProxy(origin: origin(sending: answer))
    let text = try proxy.answer(to: Self.getAndClose).text
    let final = text.replacing(#/HTTP/1\.1 103 Early Hints\r\nVia: 1\.1 m2m-proxy-[0-9a-f]{8}\r\n\r\n/#, with: "")
    #expect(final.hasPrefix("HTTP/1.1 502 Bad Gateway\r\n"), "\(final)")
    #expect(final.hasSuffix("}\n"))
  }

  // MARK: Framing

  @Test("responses without a body have none, whatever their fields say, and the connection goes on")
  func withoutContent() throws {
    let port = try RawListener.serving { socket in
      while true {
        let head = try socket.read(upTo: "\r\n\r\n")
        switch head.prefix(6) {
        case "HEAD /": socket.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        case "GET /3": socket.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")
        case "GET /2": socket.send("HTTP/1.1 204 No Content\r\n\r\n")
        default: socket.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend")
        }
      }
    }
    let proxy = try ServedProxy(origin: port)
    let client = try RawSocket(port: proxy.port)
    for (line, status, length) in [
      ("HEAD /", "200 OK", "5"), ("GET /3", "304 Not Modified", "5"), ("GET /2", "204 No Content", nil),
    ] {
      client.send("\(line) HTTP/1.1\r\nHost: a\r\n\r\n")
      let head = try client.read(upTo: "\r\n\r\n")
      #expect(head.hasPrefix("HTTP/1.1 \(status)\r\n"))
      #expect(head.contains("Content-Length") == (length != nil))
    }
    client.send(Self.get)
    #expect(try client.read(upTo: "\r\n\r\n").contains("Content-Length: 3\r\n"))
    #expect(try client.read(3) == Array("end".utf8))
  }

  @Test("pipelined requests are served one after the other, including errors")
  func pipelining() throws {
    let port = try RawListener.serving { socket in
      while true {
        let head = try socket.read(upTo: "\r\n\r\n")
        let path = head.split(separator: " ")[1]
        socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(path.utf8.count)\r\n\r\n\(path)")
      }
    }
    let proxy = try ServedProxy(origin: port)
    let answer = try proxy.answer(
      to: "GET /one HTTP/1.1\r\nHost: a\r\n\r\nTRACE /two HTTP/1.1\r\nHost: a\r\n\r\n"
        + "POST /three HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        + "GET http://elsewhere.test/ HTTP/1.1\r\nHost: a\r\n\r\nGET /five HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    let statuses = answer.text.matches(of: #/HTTP/1\.1 (\d\d\d) /#).map { String($0.output.1) }
    #expect(statuses == ["200", "405", "200", "403", "200"])
    #expect(answer.text.contains("/one") && answer.text.contains("/three"))
    #expect(answer.text.hasSuffix("/five"))
    #expect(answer.end == .closed)
  }

  @Test("OPTIONS for the server itself reaches it as an asterisk, in both forms")
  func asterisk() throws {
    let lines = Answer<String>()
    let port = try RawListener.serving { socket in
      lines.give(try socket.read(upTo: "\r\n\r\n"))
      socket.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    }
    let proxy = try ServedProxy(origin: port)
    for target in ["*", "http://api.test"] {
      _ = try proxy.answer(to: "OPTIONS \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(try lines.take().hasPrefix("OPTIONS * HTTP/1.1\r\n"))
    }
  }

  // MARK: Repeating

  @Test("a request is retried only if it cannot have had an effect: GET yes, POST no")
  func repetition() throws {
    let seen = Monitor<[String]>([])
    let port = try RawListener.serving { socket in
      var isFirst = true
      while true {
        let head = try socket.read(upTo: "\r\n\r\n")
        let isSecondOfConnection = !isFirst
        let line = String(head.prefix { $0 != " " })
        seen.withLock { $0.append(line) }
        // The second request on every connection is read, and never answered.
        guard !isSecondOfConnection else { return }
        isFirst = false
        socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      }
    }
    let proxy = try ServedProxy(origin: port)
    func status(_ method: String, _ fields: String = "", _ content: String = "") throws -> String {
      let request = "\(method) / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)\r\n\(content)"
      return String(try proxy.answer(to: request).text.dropFirst(9).prefix(3))
    }
    #expect(try status("GET") == "200")
    #expect(try status("GET") == "200")
    #expect(seen.withLock { $0 } == ["GET", "GET", "GET"])
    #expect(try status("POST", "Content-Length: 3\r\n", "abc") == "502")
    #expect(seen.withLock { $0.filter { $0 == "POST" }.count } == 1)
  }

  @Test("an idle connection on which something arrives is not used again, and its bytes reach no client")
  func unasked() throws {
    let connections = Monitor(0)
    let sent = Answer<Bool>()
    let port = try RawListener.serving { socket in
      let number = connections.withLock { count in
        count += 1
        return count
      }
      _ = try socket.read(upTo: "\r\n\r\n")
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(number)")
      guard number == 1 else { return }
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
      sent.give(true)
      _ = try socket.readToEnd()
    }
    let proxy = try ServedProxy(origin: port)
    let first = try proxy.answer(to: Self.getAndClose)
    _ = try sent.take()
    let second = try proxy.answer(to: Self.getAndClose)
    #expect(first.text.hasSuffix("\r\n\r\n1"))
    #expect(second.text.hasSuffix("\r\n\r\n2"))
  }

  // MARK: Content both ways

  @Test("an early refusal reaches a client that is still sending, and the connection ends after it")
  func earlyAnswer() throws {
    let port = try RawListener.serving { socket in
      _ = try socket.read(upTo: "\r\n\r\n")
      socket.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
      _ = try socket.readToEnd()
    }
    let proxy = try ServedProxy(origin: port)
    let client = try RawSocket(port: proxy.port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
    let head = try client.read(upTo: "\r\n\r\n")
    #expect(head.hasPrefix("HTTP/1.1 413 "))
    #expect(head.contains("Connection: close\r\n"))
    client.finishSending()
    #expect(try client.readToEnd().text == "no")
  }

  @Test("a client that stalls after the upstream's 100 causes the timeout")
  func stalledAfterContinue() throws {
    let port = try RawListener.serving { socket in
      _ = try socket.read(upTo: "\r\n\r\n")
      socket.send("HTTP/1.1 100 Continue\r\n\r\n")
      _ = try socket.readToEnd()
    }
    let proxy = try ServedProxy(origin: port) { $0.timeouts.body = .seconds(1) }
    let client = try RawSocket(port: proxy.port)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
    #expect(try client.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
    #expect(try client.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 408 "))
  }

  @Test("a body that was requested by a 100 arrives, and gets a response")
  func longUpload() throws {
    let content = Answer<Int>()
    let origin = try RawListener.serving { socket in
      _ = try socket.read(upTo: "\r\n\r\n")
      socket.send("HTTP/1.1 100 Continue\r\n\r\n")
      content.give(try socket.read(200_000).count)
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }
    let proxy = try ServedProxy(origin: origin)
    let client = try RawSocket(port: proxy.port)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n")
    #expect(try client.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
    client.send(Array(repeating: UInt8(ascii: "x"), count: 200_000))
    #expect(try content.take() == 200_000)
    #expect(try client.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 200 "))
  }

  // MARK: The end

  @Test("draining lets a request finish, closes idle connections, and ends")
  func draining() throws {
    let mayAnswer = Answer<Bool>()
    let hasRequest = Answer<Bool>()
    let port = try RawListener.serving { socket in
      _ = try socket.read(upTo: "\r\n\r\n")
      hasRequest.give(true)
      _ = try mayAnswer.take()
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      _ = try socket.readToEnd()
    }
    let proxy = try ServedProxy(origin: port)
    let idle = try RawSocket(port: proxy.port)
    idle.send("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try idle.read(upTo: "}\n")
    let busy = try RawSocket(port: proxy.port)
    busy.send(Self.get)
    _ = try hasRequest.take()

    let drained = Answer<Bool>()
    proxy.drain { drained.give(true) }
    #expect(try idle.readToEnd().end == .closed)
    mayAnswer.give(true)
    let answer = try busy.readToEnd()
    #expect(answer.text.hasSuffix("\r\n\r\nok"))
    #expect(answer.text.contains("Connection: close\r\n"))
    busy.close()
    #expect(try drained.take())
    #expect(throws: RawSocket.Silence.self) { try RawSocket(port: proxy.port) }
  }

  @Test("a request that does not finish in time gets an error, and ends")
  func cuttingOff() throws {
    let hasRequest = Answer<Bool>()
    let port = try RawListener.serving { socket in
      _ = try socket.read(upTo: "\r\n\r\n")
      hasRequest.give(true)
      _ = try socket.readToEnd()
    }
    let proxy = try ServedProxy(origin: port)
    let client = try RawSocket(port: proxy.port)
    client.send(Self.get)
    _ = try hasRequest.take()
    let drained = Answer<Bool>()
    proxy.drain { drained.give(true) }
    proxy.closeAll()
    #expect(try client.readToEnd().text.hasPrefix("HTTP/1.1 503 "))
    #expect(try drained.take())
  }

  @Test("the connections over the limit wait until there is room")
  func connectionLimit() throws {
    let proxy = try ServedProxy(origin: origin(sending: "")) { $0.limits.connections = 1 }
    let first = try RawSocket(port: proxy.port)
    first.send("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try first.read(upTo: "}\n")
    let second = try RawSocket(port: proxy.port)
    second.send("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")
    first.close()
    #expect(try second.read(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 405 "))
  }
}
