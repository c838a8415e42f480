import HTTPWire
import Testing

@Suite("How long a response asks the client to wait") struct RetryDelayTests {
  private func delay(_ fields: String, now: UInt64 = 784_111_777) throws -> UInt64? {
    let bytes = Array("HTTP/1.1 429 x\r\n\(fields)\r\n".utf8)
    var parser = ResponseHeadParser(limits: HeadLimits())
    var head = ResponseHead()
    #expect(try parser.parse(bytes.span, into: &head))
    return head.retryDelay(bytes.span, now: now)
  }

  @Test("is in Retry-After or RateLimit-Reset, and the larger of the two")
  func seconds() throws {
    #expect(try delay("Retry-After: 7\r\n") == 7)
    #expect(try delay("rateLIMIT-reset: 30\r\n") == 30)
    #expect(try delay("RateLimit-Reset: 3\r\nRetry-After: 7\r\n") == 7)
    #expect(try delay("RateLimit-Reset: 30\r\nRetry-After: 7\r\n") == 30)
    #expect(try delay("Retry-After: 0\r\n") == 0)
    #expect(try delay("") == nil)
  }

  @Test("is read from a date, by the clock of the response or else by ours")
  func dates() throws {
    let date = "Sun, 06 Nov 1994 08:49:47 GMT"
    #expect(try delay("Retry-After: \(date)\r\n") == 10)
    #expect(try delay("Retry-After: \(date)\r\nDate: Sun, 06 Nov 1994 08:49:46 GMT\r\n") == 1)
    #expect(try delay("Retry-After: \(date)\r\nDate: today\r\n") == 10)
    #expect(try delay("Retry-After: \(date)\r\n", now: 2_000_000_000) == 0)
  }

  @Test(
    "is not guessed", arguments: ["-1", "+1", "1.5", "1s", "soon", "", "1, 2", "0x1", "9999999999", "Sun, 06 Nov 1994"])
  func nonsense(value: String) throws {
    #expect(try delay("Retry-After: \(value)\r\n") == nil)
    #expect(try delay("RateLimit-Reset: \(value)\r\n") == nil)
    #expect(try delay("RateLimit-Reset: 5\r\nRetry-After: \(value)\r\n") == 5)
  }
}

@Suite("What Keep-Alive says") struct KeepAliveTests {
  private func keepAlive(_ fields: String) throws -> [UInt64?] {
    let bytes = Array("HTTP/1.1 200 OK\r\n\(fields)\r\n".utf8)
    var parser = ResponseHeadParser(limits: HeadLimits())
    var head = ResponseHead()
    #expect(try parser.parse(bytes.span, into: &head))
    #expect(head.concernsConnection == !fields.isEmpty)
    let found = head.keepAlive(bytes.span)
    return [found.timeout, found.requests.map { UInt64($0) }]
  }

  @Test("is the time and the number of requests, of several the smallest")
  func values() throws {
    #expect(try keepAlive("Keep-Alive: timeout=5, max=100\r\n") == [5, 100])
    #expect(try keepAlive("keep-alive: MAX=7,Timeout=0\r\n") == [0, 7])
    #expect(try keepAlive("Keep-Alive: timeout=5\r\nKeep-Alive: max=0, timeout=4, max=3\r\n") == [4, 0])
    #expect(try keepAlive("") == [nil, nil])
  }

  @Test(
    "is not guessed",
    arguments: [
      "", "5", "timeout", "timeout=", "timeout=5s", "timeout=-1", "timeout= 5", "timeout=1.5", "max=x", "maximum=5",
      "timeouts=5", "timeout=9999999999", "timeout=5; max=5",
    ])
  func nonsense(value: String) throws {
    #expect(try keepAlive("Keep-Alive: \(value)\r\n") == [nil, nil])
  }
}
