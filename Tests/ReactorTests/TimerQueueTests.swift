import Testing

@testable import Reactor

@Suite("The timers of a loop")
struct TimerQueueTests {
  private var queue = TimerQueue()
  private let timer = LoopTimer()

  @Test("fire once, when their moment has come")
  mutating func once() {
    queue.set(timer, to: at(5))
    #expect(queue.next == at(5))
    #expect(queue.expire(at: at(4)).isEmpty)
    #expect(queue.expire(at: at(5)).count == 1)
    #expect(queue.expire(at: at(6)).isEmpty)
    #expect(queue.next == .never)
  }

  @Test("fire at the moment they were moved to, be it later or earlier")
  mutating func moved() {
    queue.set(timer, to: at(5))
    queue.set(timer, to: at(9))
    #expect(queue.expire(at: at(8)).isEmpty)
    #expect(queue.expire(at: at(9)).count == 1)
    queue.set(timer, to: at(20))
    queue.set(timer, to: at(15))
    #expect(queue.expire(at: at(15)).count == 1)
    #expect(queue.expire(at: at(30)).isEmpty)
  }

  @Test("fire no more when stopped or retired")
  mutating func stopped() {
    let other = LoopTimer()
    queue.set(timer, to: at(5))
    queue.set(other, to: at(5))
    queue.set(timer, to: .never)
    queue.retire(other)
    #expect(queue.expire(at: at(9)).isEmpty)
  }

  @Test("leave at most as many entries behind as there are timers in use, however often they were moved")
  mutating func bounded() {
    for _ in 0..<10_000 {
      let timer = LoopTimer()
      for moment in [75, 30, 10, 2] { queue.set(timer, to: at(UInt64(moment))) }
      queue.retire(timer)
    }
    #expect(queue.count <= 1_100)
    for moment in (1...10_000).reversed() { queue.set(timer, to: at(UInt64(moment))) }
    #expect(queue.count <= 1_100)
    #expect(queue.expire(at: at(1)).count == 1)
  }

  private func at(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }
}
