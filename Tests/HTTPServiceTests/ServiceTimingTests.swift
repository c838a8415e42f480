import HTTPService
import Locks
import Testing

@Suite("A service and its connections")
struct ServiceTimingTests {
  @Test("ends a connection that has nothing to say")
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

  @Test("serves no more connections at a time than it may, and the next one when one ends")
  func connectionLimit() throws {
    let order = Monitor<[String]>([])
    let service = try RunningService(limits: ServiceLimits(connections: 1)) { request in
      order.withLock { $0.append(request.path) }
      return .text(200, "done")
    }
    let second: TestClient
    do {
      let first = try TestClient(port: service.port)
      first.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try first.read(upTo: "done\n")
      second = try TestClient(port: service.port)
      second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
      // Each of these is a round of the loop in which the second client could be served.
      for _ in 0..<20 {
        first.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try first.read(upTo: "done\n")
      }
    }
    _ = try second.read(upTo: "done\n")
    #expect(order.withLock { $0 }.firstIndex(of: "/second") == 21)
  }

  @Test("when closed, ends idle connections at once, and others with their answer")
  func closing() async throws {
    let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)
    let (gate, opener) = AsyncStream.makeStream(of: Void.self)
    let service = try RunningService { request in
      guard request.path == "/slow" else { return .text(200, "done") }
      arrived.yield()
      for await _ in gate { break }
      return .text(200, "done after all")
    }
    let idle = try TestClient(port: service.port)
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try idle.read(upTo: "done\n")
    let busy = try TestClient(port: service.port)
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    for await _ in arrivals { break }

    service.close()
    #expect(try idle.readToEnd() == "")
    #expect(throws: TestClient.Failure.self) { try TestClient(port: service.port) }
    opener.yield()
    let answer = try busy.readToEnd()
    #expect(answer.contains("\r\nConnection: close\r\n"))
    #expect(answer.hasSuffix("done after all\n"))
  }
}
