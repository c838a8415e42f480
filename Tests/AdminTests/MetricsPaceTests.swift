import Locks
import Reactor
import Testing

@testable import Admin

@Suite("Writing metrics")
struct MetricsPaceTests {
  @Test("takes place once for all requests that wait, and never from before they arrived")
  func shared() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let begun = Instant.now
    let state = Monitor((count: 0, now: begun))
    let pace = MetricsPace(on: loop, clock: { state.withLock { $0.now } }) {
      state.withLock {
        $0.count += 1
        $0.now = $0.now + .milliseconds(1)
        return Array("\($0.count)".utf8)
      }
    }
    let (texts, arrival) = AsyncStream.makeStream(of: String.self)
    loop.start { arrival.yield(String(decoding: await pace.metrics(), as: UTF8.self)) }
    loop.start {
      for _ in 0..<49 {
        loop.start { arrival.yield(String(decoding: await pace.metrics(), as: UTF8.self)) }
      }
      while pace.pending < 49 { await loop.yield() }
      // A tenth of the time: 1 ms of writing, 9 ms of rest.
      state.withLock { $0.now = begun + .milliseconds(9) }
      for _ in 0..<5 { await loop.yield() }
      #expect(pace.pending == 49)
      state.withLock { $0.now = begun + .milliseconds(10) }
    }
    try loop.startThread(named: "metrics test")
    var received: [String] = []
    for await text in texts {
      received.append(text)
      if received.count == 50 { break }
    }
    #expect(received == ["1"] + Array(repeating: "2", count: 49))
    state.withLock { $0.now = begun + .seconds(1) }
    loop.start { arrival.yield(String(decoding: await pace.metrics(), as: UTF8.self)) }
    for await text in texts {
      #expect(text == "3")
      break
    }
  }
}
