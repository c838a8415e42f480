import Foundation
import Glibc
import LoopbackTesting
import Reactor
import SystemPackage
import Testing

@Suite struct EventLoopTests {
  private let running: RunningLoop
  private var loop: EventLoop { running.loop }

  init() throws {
    running = try RunningLoop()
  }

  @Test("a task is on the loop's thread at its beginning and after every suspension, whichever thread resumed it")
  func confinement() throws {
    let loop = loop
    let places = try running.run { () -> [Bool] in
      var places = [loop.isCurrent]
      await loop.yield()
      places.append(loop.isCurrent)
      let wakeup = Wakeup(on: loop)
      Thread.detachNewThread { loop.perform { wakeup.wake() } }
      await wakeup.wait()
      places.append(loop.isCurrent)
      // Resumed by a thread that has nothing to do with the loop.
      await withCheckedContinuation { continuation in Thread.detachNewThread { continuation.resume() } }
      places.append(loop.isCurrent)
      return places
    }
    #expect(places == [true, true, true, true])
    #expect(!loop.isCurrent)
  }

  @Test("calls from other threads run on the loop's thread, in their order")
  func calls() throws {
    let order = Answer<[Int]>()
    let loop = loop
    nonisolated(unsafe) var seen: [Int] = []
    for number in 0..<1_000 {
      loop.perform {
        unsafe seen.append(loop.isCurrent ? number : -1)
        if number == 999 { unsafe order.give(seen) }
      }
    }
    #expect(try order.take() == Array(0..<1_000))
  }

  @Test("work that comes from many threads at once is all done")
  func manyThreads() throws {
    let loop = loop
    let done = Answer<Int>()
    nonisolated(unsafe) var count = 0
    for _ in 0..<8 {
      Thread.detachNewThread {
        for _ in 0..<500 {
          loop.perform {
            unsafe count += 1
            if unsafe count == 4_000 { unsafe done.give(count) }
          }
        }
      }
    }
    #expect(try done.take() == 4_000)
  }

  @Test("a wake-up that arrives while its task does something else is not lost, since the task rechecks")
  func wakeup() throws {
    let loop = loop
    let rounds = try running.run { () -> Int in
      let wakeup = Wakeup(on: loop)
      nonisolated(unsafe) var news = 0
      var rounds = 0
      while rounds < 100 {
        let wanted = rounds + 1
        Thread.detachNewThread {
          loop.perform {
            unsafe news = wanted
            wakeup.wake()
          }
        }
        while unsafe news < wanted { await wakeup.wait() }
        rounds += 1
      }
      return rounds
    }
    #expect(rounds == 100)
  }

  @Test("waking does nothing when no task waits")
  func idleWakeup() throws {
    let woken = try running.run { () -> Bool in
      let wakeup = Wakeup(on: loop)
      wakeup.wake()
      wakeup.wake()
      let timer = LoopTimer()
      timer.action = { wakeup.wake() }
      self.loop.set(timer, to: self.loop.now)
      await wakeup.wait()
      return timer.deadline == .never
    }
    #expect(woken)
  }

  @Test("a wake-up without a waiter does instead what was set, once")
  func wakeupWithoutTask() throws {
    let calls = try running.run { () -> [Int] in
      let wakeup = Wakeup(on: self.loop)
      var calls = 0
      var seen: [Int] = []
      wakeup.wait { calls += 1 }
      seen.append(calls)
      wakeup.wake()
      wakeup.wake()
      seen.append(calls)
      wakeup.wait {
        calls += 1
        // The function that is called may wait again.
        wakeup.wait { calls += 1 }
      }
      wakeup.wake()
      seen.append(calls)
      wakeup.wake()
      seen.append(calls)
      return seen
    }
    #expect(calls == [0, 1, 2, 3])
  }

  @Test("news count as reported when the loop has looked since, and had room for all there were")
  func reported() throws {
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = min(limit.rlim_max, 8_192)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let loop = loop
    let found = try running.run { () -> [Bool] in
      var found: [Bool] = []
      let moment = loop.now
      found.append(loop.hasReported(since: moment))
      await loop.yield()
      found.append(loop.hasReported(since: moment))
      let pipe = Pipe()
      pipe.fill()
      // More than one report has room for, and they stay ready.
      let ready = (0..<600).map { _ in (watch: Silent(), end: dup(pipe.reading)) }
      for (watch, end) in ready { try loop.register(watch, descriptor: end, interest: .readable) }
      await loop.yield()
      found.append(loop.hasReported(since: moment))
      for (watch, _) in ready.prefix(200) { loop.remove(watch) }
      await loop.yield()
      found.append(loop.hasReported(since: moment))
      for (watch, end) in ready {
        loop.remove(watch)
        close(end)
      }
      return found
    }
    #expect(found == [false, true, false, true])
  }

  @Test("timers fire in the order of their deadlines, not before them")
  func timers() throws {
    let loop = loop
    let fired = try running.run { () -> [(Int, Bool)] in
      let wakeup = Wakeup(on: loop)
      var fired: [(Int, Bool)] = []
      var timers: [LoopTimer] = []
      let start = loop.now
      for (number, delay) in [5, 1, 3].enumerated() {
        let timer = LoopTimer()
        let deadline = start + .milliseconds(delay)
        timer.action = {
          fired.append((number, Instant.now >= deadline))
          wakeup.wake()
        }
        loop.set(timer, to: deadline)
        timers.append(timer)
      }
      while fired.count < 3 { await wakeup.wait() }
      return fired
    }
    #expect(fired.map(\.0) == [1, 2, 0])
    #expect(fired.map(\.1) == [true, true, true])
  }

  @Test("a timer that an earlier one of the same round stops does not fire")
  func stoppedInTheSameRound() throws {
    let loop = loop
    let fired = try running.run { () -> [String] in
      let wakeup = Wakeup(on: loop)
      let (first, second, last) = (LoopTimer(), LoopTimer(), LoopTimer())
      var fired: [String] = []
      first.action = {
        fired.append("first")
        loop.set(second, to: .never)
      }
      second.action = { fired.append("second") }
      last.action = {
        fired.append("last")
        wakeup.wake()
      }
      let moment = loop.now
      loop.set(first, to: moment)
      loop.set(second, to: moment + .nanoseconds(1))
      loop.set(last, to: moment + .nanoseconds(2))
      while !fired.contains("last") { await wakeup.wait() }
      return fired
    }
    #expect(fired == ["first", "last"])
  }

  @Test("a task that yields lets the others go first, and a task that never waits does not keep timers from firing")
  func yielding() throws {
    let loop = loop
    let turns = try running.run { () -> Int in
      var isOver = false
      let timer = LoopTimer()
      timer.action = { isOver = true }
      loop.set(timer, to: loop.now + .milliseconds(2))
      var turns = 0
      while !isOver {
        await loop.yield()
        turns += 1
      }
      return turns
    }
    #expect(turns > 0)
  }

  @Test("what is to be done before waiting is done after the tasks of the round")
  func beforeWaiting() throws {
    let loop = loop
    let order = try running.run { () -> [String] in
      var order: [String] = []
      loop.onWaiting { order.append("flush") }
      await loop.yield()
      order.append("task")
      await loop.yield()
      return order
    }
    #expect(order.prefix(3) == ["flush", "task", "flush"])
  }

  @Test("an event of a descriptor's earlier owner does not reach the next one")
  func staleEvents() throws {
    let loop = loop
    let (late, early) = try running.run { () -> ([Readiness], Int) in
      // Two pipes are ready in the same round; the first to be called closes the other and gives its number to a third.
      let pipes = [Pipe(), Pipe()]
      let successor = Pipe()
      let late = RecordingWatch()
      var early = 0
      var watches: [RecordingWatch] = []
      for index in 0..<2 {
        let watch = RecordingWatch()
        watch.heard = {
          early += 1
          guard early == 1 else { return }
          let other = 1 - index
          loop.remove(watches[other])
          pipes[other].replaceReadingEnd(with: successor)
          try? loop.register(late, descriptor: pipes[other].reading, interest: .readable)
          loop.remove(watches[index])
        }
        watches.append(watch)
      }
      for index in 0..<2 {
        try loop.register(watches[index], descriptor: pipes[index].reading, interest: .readable)
      }
      for pipe in pipes { pipe.fill() }
      while early == 0 { await loop.yield() }
      await loop.yield()
      defer { loop.remove(late) }
      return (late.all, early)
    }
    #expect(early == 1)
    #expect(late.isEmpty)
  }

  @Test("registering what is no descriptor is an error, not a crash")
  func badDescriptor() throws {
    let loop = loop
    let error = try running.run { () -> Errno? in
      do throws(Errno) {
        try loop.register(RecordingWatch(), descriptor: 1_000_000, interest: .readable)
        return nil
      } catch {
        return error
      }
    }
    #expect(error == .badFileDescriptor)
  }
}

private final class RecordingWatch: Watch {
  var all: [Readiness] = []
  var heard: () -> Void = {}

  override func signal(_ readiness: Readiness) {
    all.append(readiness)
    heard()
  }
}

private final class Silent: Watch {
  override func signal(_ readiness: Readiness) {}
}

private final class Pipe {
  let reading: Int32
  private let writing: Int32

  init() {
    var ends: [Int32] = [0, 0]
    unsafe _ = pipe(&ends)
    (reading, writing) = (ends[0], ends[1])
  }

  deinit {
    close(reading)
    close(writing)
  }

  func fill() {
    unsafe _ = write(writing, "x", 1)
  }

  func replaceReadingEnd(with other: Pipe) {
    dup2(other.reading, reading)
  }
}
