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
    let answer = NameAnswer.addresses(Self.new, earlier: Self.old)
    #expect(timed.finish(.addresses(Self.new)) == (answer, 1))
    #expect(timed.look() == (answer, false))
    #expect(timed.renew() == (answer, false))
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
    #expect(timed.table.suspect("a.example", Self.old[0], at: timed.now) == false)
    _ = timed.look()
    _ = timed.finish(.addresses(Self.old))
    #expect(timed.table.suspect("a.example", Self.old[0], at: timed.now) == false)
    timed.pass(1)
    #expect(timed.table.suspect("a.example", Self.old[0], at: timed.now) == true)
    #expect(timed.table.suspect("a.example", Self.old[0], at: timed.now) == false)
    _ = timed.finish(.addresses(Self.new))
    #expect(timed.look() == (.addresses(Self.new), false))
  }

  @Test("an address counts until it is missing from two answers, at once where it could not be connected to")
  func earlier() {
    for hasFailed in [false, true] {
      var timed = Timed()
      _ = timed.look()
      _ = timed.finish(.addresses(Self.old))
      timed.pass(30)
      if hasFailed { _ = timed.table.suspect("a.example", Self.old[0], at: timed.now) }
      _ = timed.look()
      let answer = NameAnswer.addresses(Self.new, earlier: hasFailed ? [] : Self.old)
      #expect(timed.finish(.addresses(Self.new)) == (answer, 0))
      // A lookup after a failed connection, which comes early, is no other answer; what it fails on is lost.
      timed.pass(5)
      _ = timed.table.suspect("a.example", Self.new[0], at: timed.now)
      #expect(timed.finish(.addresses(Self.new)) == (answer, 0))
      timed.pass(30)
      _ = timed.look()
      #expect(timed.finish(.addresses(Self.new)) == (.addresses(Self.new), 0))
    }
  }

  @Test("an address that could not be connected to, and then could, is one like the others")
  func recovery() {
    var timed = Timed()
    _ = timed.look()
    _ = timed.finish(.addresses(Self.old))
    timed.pass(1)
    _ = timed.table.suspect("a.example", Self.old[0], at: timed.now)
    timed.table.worked("a.example", Self.old[0])
    #expect(timed.finish(.addresses(Self.new)) == (.addresses(Self.new, earlier: Self.old), 0))
    // One that is missing and cannot be connected to is lost at once.
    _ = timed.table.suspect("a.example", Self.old[0], at: timed.now)
    #expect(timed.look() == (.addresses(Self.new), false))
  }

  @Test("where each answer has 8 of 20 addresses in turn, none is lost; when the others are gone for good, they are")
  func rotation() {
    var timed = Timed()
    let all = (0..<20).map { IPAddress.v4(0xC000_0300 + UInt32($0)) }
    let answers = (0..<50).map { number in (0..<8).map { all[(8 * number + $0) % 20] } }
    var seen: Set<IPAddress> = []
    for answer in answers {
      _ = timed.look()
      seen.formUnion(answer)
      guard case (.addresses(let current, let earlier), _) = timed.finish(.addresses(answer)) else {
        return #expect(Bool(false), "there are addresses")
      }
      #expect(current == answer && Set(current + earlier) == seen && current.count + earlier.count == seen.count)
      timed.pass(30)
    }
    for number in 1...11 {
      _ = timed.look()
      guard case (.addresses(_, let earlier), _) = timed.finish(.addresses(Self.new)) else {
        return #expect(Bool(false), "there are addresses")
      }
      if number == 5 { #expect(!earlier.isEmpty) }
      if number == 11 { #expect(earlier.isEmpty) }
      timed.pass(30)
    }
  }

  @Test("the addresses that are remembered besides those of the last answer are bounded")
  func rememberedAddresses() {
    var earlier = EarlierAddresses()
    func answer(_ number: Int) -> [IPAddress] { (0..<64).map { .v4(UInt32(64 * number + $0)) } }
    // One returns each time, so that the others are remembered for long.
    for number in 0..<9 {
      earlier.replace([.v6(1)] + answer(number), by: answer(number + 1), counts: true)
      #expect(earlier.addresses == [.v6(1)] + answer(number).prefix(63))
      earlier.replace(answer(number + 1), by: [.v6(1)] + answer(number + 1), counts: true)
      #expect(earlier.addresses == Array(answer(number).prefix(63)))
    }
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
