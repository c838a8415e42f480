import HTTPService
import Locks
import Testing

@Suite("A service and its connections")
struct ServiceTimingTests {
  @Test("ends a silent connection")
  func idle() throws {
    let service = try RunningService(limits: ServiceLimits(idleTimeout: .milliseconds(1)), handler: echo)
    #expect(try TestClient(port: service.port).readToEnd() == "")
  }

  @Test("says that a head took too long")
  func slowHead() throws {
    let service = try RunningService(limits: ServiceLimits(headTimeout: .milliseconds(1)), handler: echo)
    let client = try TestClient(port: service.port)
    client.send("GET / HT")
    #expect(try client.readToEnd().hasPrefix("HTTP/1.1 408 "))
  }

  @Test("says that a body took too long")
  func slowBody() throws {
    let service = try RunningService(limits: ServiceLimits(bodyTimeout: .milliseconds(1)), handler: echo)
    let client = try TestClient(port: service.port)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
    #expect(try client.readToEnd().hasPrefix("HTTP/1.1 408 "))
  }

  @Test("limits a request's content as a whole, however short its pauses")
  func tricklingBody() throws {
    let service = try RunningService(limits: ServiceLimits(transferTimeout: .milliseconds(1)), handler: echo)
    let client = try TestClient(port: service.port)
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
    #expect(try client.readToEnd().hasPrefix("HTTP/1.1 408 "))
  }

  @Test("ends a response that is not taken in time, so that it does not look complete")
  func unreadResponse() throws {
    let limits = ServiceLimits(transferTimeout: .milliseconds(1))
    let service = try RunningService(limits: limits) { _ in
      ServiceResponse(status: 200, body: [UInt8](repeating: 97, count: 64 << 20))
    }
    let client = try TestClient(port: service.port)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    try client.waitForReset()
  }

  @Test("makes the next connection wait while all are in use, and serves it after the next response")
  func connectionLimit() async throws {
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
    let (gate, opener) = AsyncStream.makeStream(of: Void.self)
    let order = Monitor<[String]>([])
    let service = try RunningService(limits: ServiceLimits(connections: 1)) { request in
      order.withLock { $0.append(request.path) }
      if request.path == "/first" {
        arrived.yield()
        for await _ in gate { break }
        order.withLock { $0.append("answered") }
      }
      return .text(200, "done")
    }
    let first = try TestClient(port: service.port)
    first.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
    for await _ in arrivals { break }
    let second = try TestClient(port: service.port)
    second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
    opener.yield()
    _ = try first.read(upTo: "done\n")
    _ = try second.read(upTo: "done\n")
    #expect(order.withLock { $0 } == ["/first", "answered", "/second"])
    // The first one is idle, and gives way although it has not ended.
    #expect(try first.readToEnd() == "")
  }

  @Test("closes silent connections and begun heads for newcomers, the one that is quiet longest first")
  func crowd() throws {
    let service = try RunningService(limits: ServiceLimits(connections: 4), handler: echo)
    let crowd = try (0..<200).map { number in
      let client = try TestClient(port: service.port)
      if number % 2 == 0 { client.send("GET / HT") }
      return client
    }
    let client = try TestClient(port: service.port)
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.read(upTo: "GET /x \n").hasPrefix("HTTP/1.1 200 "))
    for other in crowd.prefix(190) { other.waitForEnd() }
    client.send("GET /y HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.read(upTo: "GET /y \n").hasPrefix("HTTP/1.1 200 "))
  }

  @Test("when closed, ends idle connections at once, and others after their response")
  func closing() async throws {
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
    let (gate, opener) = AsyncStream.makeStream(of: Void.self)
    // An address of its own: on that of the others, another test may get the port as soon as it is free.
    let host = "127.0.7.1"
    let service = try RunningService(host: host) { request in
      guard request.path == "/slow" else { return .text(200, "done") }
      arrived.yield()
      for await _ in gate { break }
      return .text(200, "done after all")
    }
    let idle = try TestClient(port: service.port, host: host)
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try idle.read(upTo: "done\n")
    let busy = try TestClient(port: service.port, host: host)
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    for await _ in arrivals { break }

    service.close()
    #expect(try idle.readToEnd() == "")
    #expect(TestClient.isRefused(port: service.port, host: host))
    opener.yield()
    let answer = try busy.readToEnd()
    #expect(answer.contains("\r\nConnection: close\r\n"))
    #expect(answer.hasSuffix("done after all\n"))
  }
}
