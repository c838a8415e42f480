import Reactor
import Testing

@testable import Admin

@Suite("Writing metrics")
struct MetricsPaceTests {
  @Test("takes a tenth of the time at most, is shared by all that wait, and never older than the request")
  func shared() throws {
    let loop = try EventLoop()
    let begun = Instant(nanoseconds: 1_000_000_000)
    var now = begun
    var count = 0
    let pace = MetricsPace(on: loop, clock: { now }) {
      count += 1
      now = now + .milliseconds(1)
      return Array("\(count)".utf8)
    }
    defer { pace.stop() }
    #expect(pace.delay(since: now) == nil)
    #expect(pace.metrics() == Array("1".utf8))
    // 1 ms of writing, 9 ms of rest.
    let second = now
    #expect(pace.delay(since: second) == begun + .milliseconds(10))
    now = begun + .milliseconds(9)
    let third = now
    #expect(pace.delay(since: third) == begun + .milliseconds(10))
    now = begun + .milliseconds(10)
    #expect(pace.delay(since: second) == nil)
    #expect(pace.metrics() == Array("2".utf8))
    #expect(pace.delay(since: third) == nil)
    #expect(pace.metrics() == Array("2".utf8))
    #expect(pace.delay(since: now) == begun + .milliseconds(20))
    #expect(count == 2)
  }
}
