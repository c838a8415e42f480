import Cryptography
import Locks
import Reactor
import Testing

@testable import Callers

@Suite("Passwords that are looked at")
struct PasswordChecksTests {
  private let checks: Checks
  private let client = "10.0.0.1:1"
  private let now = Instant(nanoseconds: 1_000_000_000_000)

  init() throws { checks = Checks(try KeyedDigest()) }

  @Test("are looked at once, for all who ask meanwhile and afterwards")
  func once() throws {
    #expect(
      try ["a:1", "a:1", "a:2", "a:1"].map { try checks.arrive($0, from: client, now: now) }
        == ["begins", "waits", "waits", "waits"])
    #expect(try checks.look(at: now, finds: .right(7)) == "a:1")
    #expect(checks.told == ["a:1 right(7)", "a:1 right(7)", "a:1 right(7)"])
    #expect(try checks.look(at: now, finds: .wrong) == "a:2")
    #expect(try checks.look(at: now, finds: .wrong) == "nothing")
    #expect(
      try ["a:1", "a:2", "a:3"].map { try checks.arrive($0, from: client, now: now) } == [
        "right(7)", "wrong", "begins",
      ])
    #expect(try checks.finish("unknown", .right(1), now: now) == 0)
    #expect(try checks.arrive("unknown", from: client, now: now) == "waits")
  }

  @Test("cost the client nothing when they are right, or the same wrong one again")
  func guesses() throws {
    for number in 0..<100 {
      #expect(try checks.arrive("right:\(number)", from: client, now: now) == "begins")
      _ = try checks.look(at: now, finds: .right(number))
      _ = try checks.look(at: now, finds: .wrong)
    }
    try useUp(client)
    #expect(try checks.arrive("next:1", from: client, now: now) == "tooManyGuesses(seconds: 1)")
    #expect(try checks.arrive("right:5", from: client, now: now) == "right(5)")
    #expect(try checks.arrive("next:1", from: "10.0.0.2:1", now: now) == "begins")
  }

  /// Sends as many wrong passwords for the user x as there may be, one after the other.
  private func useUp(_ client: String) throws {
    for number in 0..<PasswordChecks.guesses {
      #expect(try checks.arrive("x:\(number)", from: client, now: now) == "begins")
      #expect(try checks.look(at: now, finds: .wrong) == "x:\(number)")
      #expect(try checks.look(at: now, finds: .wrong) == "nothing")
      #expect(try checks.arrive("x:\(number)", from: client, now: now) == "wrong")
    }
  }

  @Test("of this machine count together, from whichever of its addresses they come")
  func loopback() throws {
    for number in 0..<PasswordChecks.guesses {
      #expect(try checks.arrive("x:\(number)", from: "127.0.0.\(number + 2):1", now: now) == "begins")
      _ = try checks.look(at: now, finds: .wrong)
      _ = try checks.look(at: now, finds: .wrong)
    }
    #expect(try checks.arrive("x:more", from: "127.200.0.1:1", now: now) == "tooManyGuesses(seconds: 1)")
    #expect(try checks.arrive("x:more", from: "10.0.0.1:1", now: now) == "begins")
  }

  @Test("have a turn when they come again, though others of that address have used up its guesses")
  func again() throws {
    try useUp(client)
    #expect(try checks.arrive("app:right", from: client, now: now) == "tooManyGuesses(seconds: 1)")
    // What comes for the first time only takes nothing of that.
    for number in 0..<1000 {
      #expect(try checks.arrive("app:\(number)", from: client, now: now).hasPrefix("tooManyGuesses"))
    }
    let soon = now + Duration.seconds(1)
    #expect(try checks.arrive("app:right", from: client, now: soon) == "begins")
    #expect(try checks.look(at: soon, finds: .right(3)) == "app:right")
    #expect(try checks.arrive("app:right", from: client, now: soon) == "right(3)")
  }

  @Test("have no more turns by coming again than one in a while")
  func againAndAgain() throws {
    try useUp(client)
    for number in 0..<10 { _ = try checks.arrive("app:\(number)", from: client, now: now) }
    let outcomes = try (0..<10).map { try checks.arrive("app:\($0)", from: client, now: now) }
    #expect(outcomes.count { $0 == "begins" || $0 == "waits" } == 2)
    #expect(outcomes.last == "tooManyGuesses(seconds: 6)")
    // Another user is another matter.
    #expect(try checks.arrive("other:1", from: client, now: now) == "tooManyGuesses(seconds: 1)")
    #expect(try checks.arrive("other:1", from: client, now: now) == "waits")
  }

  @Test("that could not be looked at are not remembered")
  func failure() throws {
    #expect(try checks.arrive("a:1", from: client, now: now) == "begins")
    #expect(try checks.look(at: now, finds: .busy) == "a:1")
    #expect(try checks.arrive("a:1", from: client, now: now) == "waits")
  }

  @Test("are remembered in a bounded number when they are wrong, the newest ones")
  func bound() throws {
    var moment = now
    for number in 0...PasswordChecks.mostWrong {
      moment = moment + PasswordChecks.guessInterval
      _ = try checks.arrive("a:\(number)", from: client, now: moment)
      #expect(try checks.look(at: moment, finds: .wrong) == "a:\(number)")
    }
    #expect(try checks.arrive("a:1", from: client, now: moment) == "wrong")
    #expect(try checks.arrive("a:0", from: client, now: moment + PasswordChecks.guessInterval) == "waits")
  }

  @Test("take half of the thread's time at most when they are wrong, after a while without rest")
  func effort() throws {
    let work = Duration.milliseconds(100)
    var moment = now
    var looks = 0
    let end = now + Duration.seconds(60)
    var number = 0
    while moment < end {
      // So many clients that their own limits do not matter.
      while checks.waiting < 10 {
        number += 1
        _ = try checks.arrive("a:\(number)", from: "10.\(number >> 8).\(number & 255).1:1", now: moment)
      }
      switch checks.next(now: moment) {
      case .look(let entry):
        moment = moment + work
        looks += 1
        _ = checks.finish(entry.pair, .wrong, now: moment)
      case .rest(let until):
        #expect(until > moment)
        moment = until
      case .nothing: Issue.record("there is something to do")
      }
    }
    // 20 in the first two seconds that may be without rest, and then 5 a second.
    #expect((300...325).contains(looks))
  }

  @Test("take all of the thread's time when they are right")
  func noEffort() throws {
    var moment = now
    for number in 0..<PasswordQueue.most {
      _ = try checks.arrive("a:\(number)", from: "10.0.0.\(number):1", now: moment)
    }
    for number in 0..<PasswordQueue.most {
      guard case .look(let entry) = checks.next(now: moment) else { return #expect(Bool(false), "\(number) rests") }
      moment = moment + Duration.milliseconds(100)
      _ = checks.finish(entry.pair, .right(number), now: moment)
    }
  }

  @Test("that are known do not wait, however many guesses do")
  func known() throws {
    _ = try checks.arrive("app:right", from: "127.0.0.1:1", now: now)
    _ = try checks.look(at: now, finds: .right(1))
    for number in 0..<1000 { _ = try checks.arrive("app:\(number)", from: "10.0.\(number).1:1", now: now) }
    #expect(checks.waiting == PasswordQueue.most)
    #expect(try checks.arrive("app:right", from: "127.0.0.1:1", now: now) == "right(1)")
    #expect(try checks.arrive("app:right", from: "10.9.9.9:1", now: now) == "right(1)")
  }

  @Test("that lose their place are told, and it costs them no guess")
  func displaced() throws {
    let greedy = "10.0.0.1:1"
    for user in 0..<PasswordChecks.guesses / PasswordQueue.mostOfGuesser {
      for number in 0..<PasswordQueue.mostOfGuesser {
        _ = try checks.arrive("\(user):\(number)", from: greedy, now: now)
      }
    }
    for number in 0..<PasswordQueue.most - PasswordChecks.guesses {
      _ = try checks.arrive("a:\(number)", from: "10.0.1.\(number):1", now: now)
    }
    #expect(checks.waiting == PasswordQueue.most)
    #expect(try checks.arrive("app:right", from: "10.0.0.2:1", now: now) == "waits")
    #expect(checks.told.count == 1 && checks.told[0].hasSuffix("busy"))
    #expect(checks.waiting == PasswordQueue.most)
    // The greedy one has more for another user, and gives up that.
    #expect(try checks.arrive("late:1", from: greedy, now: now) == "waits")
    #expect(checks.told.count == 2 && checks.waiting == PasswordQueue.most)
  }
}

/// Checks that `#expect` can change, with pairs as `user:password` and arrivals in words.
private final class Checks {
  private let digest: KeyedDigest
  private var checks = PasswordChecks()
  private let heard = Monitor<[String]>([])

  init(_ digest: KeyedDigest) { self.digest = digest }

  /// What was told to those who waited.
  var told: [String] { heard.withLock { $0 } }
  var waiting: Int { checks.waiting }

  func arrive(_ text: String, from client: String, now: Instant) throws -> String {
    let heard = heard
    let entry = try PasswordQueue.Entry(text, from: client, digest)
    switch checks.arrive(entry, now: now, { verdict in heard.withLock { $0.append("\(text) \(verdict)") } }) {
    case .isKnown(let verdict): return "\(verdict)"
    case .waits(let displaced, let begins):
      for waiter in displaced { waiter(.busy) }
      return begins ? "begins" : "waits"
    }
  }

  /// Looks at what is next, and returns the pair.
  func look(at now: Instant, finds verdict: PasswordVerdict) throws -> String {
    switch checks.next(now: now) {
    case .look(let entry):
      for waiter in checks.finish(entry.pair, verdict, now: now) { waiter(verdict) }
      return entry.text
    case .rest: return "rest"
    case .nothing: return "nothing"
    }
  }

  func next(now: Instant) -> PasswordChecks.Step { checks.next(now: now) }

  func finish(_ pair: KeyedDigest.Value, _ verdict: PasswordVerdict, now: Instant) -> Int {
    checks.finish(pair, verdict, now: now).count
  }

  func finish(_ text: String, _ verdict: PasswordVerdict, now: Instant) throws -> Int {
    finish(try PasswordQueue.Entry(text, from: "10.0.0.1:1", digest).pair, verdict, now: now)
  }
}
