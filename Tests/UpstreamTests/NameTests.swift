import Addresses
import Glibc
import LoopbackTesting
import Reactor
import Synchronization
import Testing

@testable import Upstream

@Suite("Names in use")
struct NameTableTests {
  private final class Waiter {}

  private static let old = [IPAddress.v4(0xC000_0201)]
  private static let new = [IPAddress.v4(0xC000_0202)]
  private static let start = Instant(nanoseconds: 1_000_000_000)
  private static let refresh = Duration.seconds(30)

  /// A table whose clock is moved by the test.
  private struct Timed {
    var table: NameTable<Waiter>
    var now = NameTableTests.start

    init(limit: Int = 100) { table = NameTable(limit: limit) }

    /// The answer, and whether a lookup has to begin.
    mutating func look(_ name: String = "a.example", for waiter: Waiter = Waiter()) -> (NameAnswer?, Bool) {
      table.look(up: name, refresh: NameTableTests.refresh, at: now, for: waiter)
    }

    mutating func renew() -> (NameAnswer?, Bool) {
      table.renew("a.example", refresh: NameTableTests.refresh, at: now, for: Waiter())
    }

    mutating func finish(_ lookup: NameLookup) -> (NameAnswer, Int) {
      let (answer, waiters) = table.finish("a.example", with: lookup, at: now)
      return (answer, waiters.count)
    }

    mutating func pass(_ seconds: Double) { now = now + .milliseconds(Int(seconds * 1000)) }
  }

  @Test("the first request starts the lookup, the others wait for the same one, and all get its result")
  func sharing() {
    var timed = Timed()
    #expect(timed.look() == (nil, true))
    #expect(timed.look() == (nil, false))
    let leaving = Waiter()
    #expect(timed.look(for: leaving) == (nil, false))
    let wasLast = timed.table.forget(leaving, of: "a.example")
    #expect(!wasLast)
    #expect(timed.finish(.addresses(Self.old)) == (.addresses(Self.old), 2))
    #expect(timed.look() == (.addresses(Self.old), false))
  }

  @Test("addresses that have grown old are used while one lookup fetches others")
  func stale() {
    var timed = Timed()
    _ = timed.look()
    _ = timed.finish(.addresses(Self.old))
    timed.pass(29)
    #expect(timed.look() == (.addresses(Self.old), false))
    timed.pass(1)
    #expect(timed.look() == (.addresses(Self.old), true))
    #expect(timed.look() == (.addresses(Self.old), false))
    #expect(timed.renew() == (nil, false))
    #expect(timed.finish(.addresses(Self.new)) == (.addresses(Self.new), 1))
    #expect(timed.look() == (.addresses(Self.new), false))
    #expect(timed.renew() == (.addresses(Self.new), false))
  }

  @Test("while DNS fails the addresses remain in use, for as long as the name does")
  func outage() {
    var timed = Timed()
    _ = timed.look()
    _ = timed.finish(.addresses(Self.old))
    for _ in 0..<100 {
      timed.pass(30)
      #expect(timed.look() == (.addresses(Self.old), true))
      #expect(timed.finish(.unavailable("no answer")) == (.addresses(Self.old), 0))
      #expect(timed.look() == (.addresses(Self.old), false))
    }
    timed.pass(60)
    #expect(timed.look() == (nil, true))
    #expect(timed.finish(.unavailable("no answer")) == (.failure("no answer"), 1))
  }

  @Test("a name that is gone has no addresses any more")
  func gone() {
    var timed = Timed()
    _ = timed.look()
    _ = timed.finish(.addresses(Self.old))
    timed.pass(30)
    _ = timed.look()
    #expect(timed.finish(.missing("no such name")) == (.failure("no such name"), 0))
    #expect(timed.look() == (.failure("no such name"), false))
  }

  @Test("a failure is kept for a second, or for as long as it took to find out, up to 5 s")
  func failures() {
    for (took, kept) in [(0.0, 1.0), (3.0, 3.0), (40.0, 5.0)] {
      var timed = Timed()
      _ = timed.look()
      timed.pass(took)
      _ = timed.finish(.unavailable("no answer"))
      timed.pass(kept - 0.001)
      #expect(timed.look() == (.failure("no answer"), false))
      timed.pass(0.001)
      #expect(timed.look() == (nil, true))
    }
  }

  @Test("after a failed connection the name is looked up at once, once a second at most")
  func suspicion() {
    var timed = Timed()
    #expect(timed.table.suspect("a.example", at: timed.now) == false)
    _ = timed.look()
    _ = timed.finish(.addresses(Self.old))
    #expect(timed.table.suspect("a.example", at: timed.now) == false)
    timed.pass(1)
    #expect(timed.table.suspect("a.example", at: timed.now) == true)
    #expect(timed.table.suspect("a.example", at: timed.now) == false)
    _ = timed.finish(.addresses(Self.new))
    #expect(timed.look() == (.addresses(Self.new), false))
  }

  @Test("there are no more names than the limit: those not used for longest are forgotten, those looked up are not")
  func limit() {
    var timed = Timed(limit: 8)
    for number in 0..<8 {
      _ = timed.look("\(number).example")
      if number > 0 { _ = timed.table.finish("\(number).example", with: .addresses(Self.old), at: timed.now) }
      timed.pass(1)
    }
    #expect(timed.look("more.example") == (nil, true))
    #expect(timed.table.count == 8)
    // The second one gave way, not the first, which is being looked up.
    #expect(timed.look("0.example") == (nil, false))
    #expect(timed.look("2.example") == (.addresses(Self.old), false))
    #expect(timed.look("1.example") == (nil, true))

    timed = Timed(limit: 1)
    _ = timed.look("0.example")
    #expect(timed.look("1.example") == (.failure("too many names are being resolved"), false))
  }
}

@Suite("The resolver")
struct NameResolverTests {
  /// A lookup that ends when the test says so.
  private final class Gate: Sendable {
    let begun = Atomic<Int>(0)
    let isOpen = Atomic<Bool>(false)
    func pass() {
      begun.wrappingAdd(1, ordering: .relaxed)
      while !isOpen.load(ordering: .relaxed) { Thread.yield() }
    }
  }

  private enum Thread {
    static func yield() { sched_yield() }
  }

  @Test("lookups that hang take no more threads than there may be, and the loop goes on")
  func hanging() throws {
    let gate = Gate()
    let resolver = NameResolver(threads: 2) { name in
      if name.hasPrefix("hang") { gate.pass() }
      return .addresses([.v4(1)])
    }
    let running = try RunningLoop()
    let answers = try running.run { () -> [NameAnswer] in
      let wakeup = Wakeup(on: running.loop)
      var answers: [NameAnswer] = []
      let names = ["hang1.example", "hang2.example", "hang3.example", "quick.example"]
      var waits: [NameWait] = []
      for name in names {
        guard
          case .pending(let wait) = resolver.look(
            up: name, refresh: .seconds(30), on: running.loop,
            completion: {
              answers.append($0)
              wakeup.wake()
            })
        else { return [] }
        waits.append(wait)
      }
      // Two hang, and no other name is looked up; the loop is free meanwhile.
      while gate.begun.load(ordering: .relaxed) < 2 { await running.loop.yield() }
      guard answers.isEmpty else { return answers }
      waits[2].cancel()
      gate.isOpen.store(true, ordering: .relaxed)
      while answers.count < 3 { await wakeup.wait() }
      return answers
    }
    #expect(answers == Array(repeating: .addresses([.v4(1)]), count: 3))
    // The one that was given up is not looked up any more.
    #expect(gate.begun.load(ordering: .relaxed) == 2)
  }

  @Test("this machine has its names without DNS, and addresses are their own names")
  func system() {
    for name in ["localhost", "LOCALHOST.", "a.localhost"] {
      #expect(SystemNames.look(name) == .addresses([.v6(1), .v4(0x7F00_0001)]))
    }
    #expect(SystemNames.look("127.0.0.1") == .addresses([.v4(0x7F00_0001)]))
  }
}
