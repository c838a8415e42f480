import Testing

@testable import Reactor

@Suite struct TimerQueueTests {
  private var queue = TimerQueue()

  private func moment(_ nanoseconds: UInt64) -> Instant { Instant(nanoseconds: nanoseconds) }

  @Test("timers come due in the order of their deadlines, and only once")
  mutating func order() {
    let (first, second, third) = (LoopTimer(), LoopTimer(), LoopTimer())
    queue.set(third, to: moment(30))
    queue.set(first, to: moment(10))
    queue.set(second, to: moment(20))
    #expect(queue.next == moment(10))
    #expect(queue.expire(at: moment(20)).map(ObjectIdentifier.init) == [first, second].map(ObjectIdentifier.init))
    #expect(queue.expire(at: moment(29)).isEmpty)
    #expect(queue.expire(at: moment(30)).count == 1)
    #expect(queue.next == .never)
  }

  @Test("a deadline that is moved later costs no entry, and counts")
  mutating func later() {
    let timer = LoopTimer()
    for deadline in stride(from: UInt64(10), through: 1_000, by: 10) { queue.set(timer, to: moment(deadline)) }
    #expect(queue.count == 1)
    #expect(queue.expire(at: moment(999)).isEmpty)
    #expect(queue.expire(at: moment(1_000)).count == 1)
  }

  @Test("a deadline that is moved earlier counts, and the later one is forgotten")
  mutating func earlier() {
    let timer = LoopTimer()
    queue.set(timer, to: moment(100))
    queue.set(timer, to: moment(50))
    #expect(queue.next == moment(50))
    #expect(queue.expire(at: moment(50)).count == 1)
    timer.fire()
    #expect(queue.expire(at: moment(200)).isEmpty)
  }

  @Test("a timer set again to the moment of a forgotten entry comes due once")
  mutating func sameMoment() {
    let timer = LoopTimer()
    queue.set(timer, to: moment(100))
    queue.set(timer, to: moment(50))
    #expect(queue.expire(at: moment(50)).count == 1)
    queue.set(timer, to: moment(100))
    #expect(queue.expire(at: moment(100)).count == 1)
  }

  @Test("a stopped timer does not come due until it is set again")
  mutating func stopped() {
    let timer = LoopTimer()
    queue.set(timer, to: moment(10))
    queue.set(timer, to: .never)
    #expect(queue.expire(at: moment(20)).isEmpty)
    queue.set(timer, to: moment(30))
    #expect(queue.expire(at: moment(30)).count == 1)
  }

  @Test("a retired timer never comes due, and lets go of its action")
  mutating func retired() {
    let timer = LoopTimer()
    var isHeld: Bool { weakly != nil }
    weak var weakly: LoopTimer?
    do {
      let held = LoopTimer()
      weakly = held
      timer.action = { held.deadline = .never }
    }
    #expect(isHeld)
    queue.set(timer, to: moment(10))
    queue.retire(timer)
    #expect(!isHeld)
    #expect(queue.expire(at: moment(20)).isEmpty)
  }

  @Test("entries of retired timers do not pile up")
  mutating func retiredInNumbers() {
    for deadline in 1...10_000 {
      let timer = LoopTimer()
      queue.set(timer, to: moment(UInt64(deadline)))
      queue.retire(timer)
    }
    #expect(queue.count <= 1_100)
  }

  @Test("entries of timers whose deadline was moved up do not pile up, and the live ones are kept")
  mutating func supersededInNumbers() {
    let kept = LoopTimer()
    queue.set(kept, to: moment(500_000))
    for deadline in 1...10_000 {
      let timer = LoopTimer()
      queue.set(timer, to: moment(UInt64(100_000 + deadline)))
      queue.set(timer, to: moment(UInt64(deadline)))
      queue.retire(timer)
    }
    #expect(queue.count <= 2_100)
    #expect(queue.expire(at: moment(500_000)).map(ObjectIdentifier.init) == [ObjectIdentifier(kept)])
  }
}
