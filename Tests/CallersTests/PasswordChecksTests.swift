import Cryptography
import Locks
import Reactor
import Testing

@testable import Callers

@Suite("Passwords that are checked")
struct PasswordChecksTests {
  private let checks: Checks
  private let client = "10.0.0.1:1"
  private let now = Instant(nanoseconds: 1_000_000_000_000)

  init() throws { checks = Checks(try KeyedDigest()) }

  @Test("are checked once, for all requests meanwhile and afterwards")
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
    #expect(outcomes.count { $0 == "begins" || $0 == "waits" } == PasswordLane.mostOfClient)
    #expect(outcomes.last == "tooManyGuesses(seconds: 1)")
    #expect(try (0..<3).map { _ in try checks.look(at: now, finds: .wrong) } == ["app:0", "app:1", "rest"])
    let soon = now + PasswordChecks.guessInterval
    #expect(try (0..<2).map { _ in try checks.look(at: soon, finds: .wrong) } == ["app:2", "rest"])
    // Another user is another matter.
    #expect(try checks.arrive("other:1", from: client, now: now) == "tooManyGuesses(seconds: 1)")
    #expect(try checks.arrive("other:1", from: client, now: now) == "begins")
  }

  @Test("that could not be checked are not remembered")
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
    for number in 0..<100 { _ = try checks.arrive("user-\(number):1", from: "10.0.0.\(number):1", now: moment) }
    for number in 0..<100 {
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
    #expect(checks.waiting == PasswordLane.most)
    #expect(try checks.arrive("app:right", from: "127.0.0.1:1", now: now) == "right(1)")
    #expect(try checks.arrive("app:right", from: "10.9.9.9:1", now: now) == "right(1)")
  }

  @Test("that lose their place are reported, and cost no guess")
  func displaced() throws {
    let greedy = "10.0.0.1:1"
    for number in 0..<PasswordLane.mostOfClient { _ = try checks.arrive("app:\(number)", from: greedy, now: now) }
    for number in 0..<PasswordLane.most - PasswordLane.mostOfClient {
      _ = try checks.arrive("app:\(number)x", from: "10.0.1.\(number):1", now: now)
    }
    #expect(try checks.arrive("app:right", from: "10.0.0.2:1", now: now) == "waits")
    #expect(checks.told == ["app:\(PasswordLane.mostOfClient - 1) busy"])
    #expect(checks.waiting == PasswordLane.most)
    // It has as many guesses left as if it had sent one less.
    for number in 0..<PasswordChecks.guesses - PasswordLane.mostOfClient + 1 {
      #expect(try !checks.arrive("user-\(number):1", from: greedy, now: now).hasPrefix("tooMany"))
    }
    #expect(try checks.arrive("user:1", from: greedy, now: now).hasPrefix("tooMany"))
  }
}

@Suite("Passwords under attack")
struct PasswordsUnderAttackTests {
  private let checks: Checks
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  init() throws { checks = Checks(try KeyedDigest()) }

  enum Attack: CaseIterable {
    case newUsers, newUsersTwice, sameUser, sameUserTwice, otherUser, newAddresses, newAddressesAndUsersTwice

    /// What the attacker sends, and from where; the application comes from 10.0.0.1.
    func guess(_ number: Int) -> (text: String, client: String) {
      let (half, here) = (number / 2, "10.0.0.1:1")
      func elsewhere(_ number: Int) -> String { "10.1.\(number >> 8 & 255).\(number & 255):1" }
      return switch self {
      case .newUsers: ("stranger-\(number):x", here)
      case .newUsersTwice: ("stranger-\(half):x", here)
      case .sameUser: ("app:\(number)", here)
      case .sameUserTwice: ("app:\(half)", here)
      case .otherUser: ("other:\(number)", here)
      case .newAddresses: ("app:\(number)", elsewhere(number))
      case .newAddressesAndUsersTwice: ("stranger-\(half):x", elsewhere(half))
      }
    }
  }

  @Test("are checked soon, whatever is guessed", arguments: Attack.allCases)
  func attack(_ attack: Attack) throws {
    var number = 0
    /// Guesses for a second; the application sends its password at the end of it.
    func second(_ text: String, _ guesses: Int) throws -> Bool {
      let begin = checks.now
      for index in 0..<guesses {
        let (guess, client) = attack.guess(number)
        number += 1
        _ = try checks.send(guess, from: client, at: begin + Duration.nanoseconds(1_000_000_000 / guesses * index))
      }
      return try checks.send(text, from: "10.0.0.1:1", at: begin + .seconds(1)) == "right(1)"
    }
    checks.now = start
    for (text, guesses) in [("app:right", 100), ("app:right 2", 4000)] {
      for _ in 0..<3 { #expect(try !second("app:none", guesses)) }
      let attempt = try (1...20).first { _ in try second(text, guesses) }
      // One is refused, one waits until there is a guess again, 6 s at most, and for the thread.
      #expect(try #require(attempt) <= 12, "\(attack), \(guesses) a second")
    }
  }

  @Test("of known and unknown users have the same responses at the same moments", arguments: 0..<20)
  func enumeration(seed: Int) throws {
    func responses(_ user: String) throws -> [String] {
      let checks = Checks(try KeyedDigest())
      checks.now = start
      var random = seed &* 0x5DEECE66D &+ 11
      func draw(_ bound: Int) -> Int {
        random = (random &* 0x5DEECE66D &+ 11) & 0xFFFF_FFFF_FFFF
        return (random >> 17) % bound
      }
      for number in 0..<400 {
        let moment = checks.now + Duration.milliseconds(draw(4) == 0 ? draw(4000) : draw(20))
        let client = "10.0.0.\(draw(3) * draw(2)):1"
        let text = "\(user):\(max(0, number - draw(12)) % 200)"
        let outcome = try checks.send(text, from: client, at: moment)
        checks.note("\(number) at once: \(outcome)".replacing(user, with: "USER"), moment)
      }
      checks.advance(to: checks.now + .seconds(60))
      return checks.responses.map { $0.replacing(user, with: "USER") }
    }
    #expect(try responses("app") == responses("stranger"))
  }
}

/// Checks that `#expect` can change, with pairs as `user:password` and arrivals in words.
private final class Checks {
  private let digest: KeyedDigest
  private var checks = PasswordChecks()
  private let heard = Monitor<[String]>([])
  /// The simulated moment, what is being checked until when, and when the thread has to be woken.
  var now = Instant(nanoseconds: 0)
  private var current: (entry: PasswordQueue.Entry, end: Instant)?
  private var timer: Instant?
  /// What was told, and when, since the beginning of the simulation.
  private(set) var responses: [String] = []

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
      tell(verdict, checks.finish(entry.pair, verdict, now: now))
      return entry.text
    case .rest: return "rest"
    case .nothing: return "nothing"
    }
  }

  private func tell(
    _ verdict: PasswordVerdict, _ end: (waiters: [PasswordChecks.Waiter], strangers: [[PasswordChecks.Waiter]])
  ) {
    for waiter in end.waiters { waiter(verdict) }
    for waiter in end.strangers.joined() { waiter(.wrong) }
  }

  // MARK: A simulated thread, which needs 100 ms for each check

  /// Sends a pair; `app:right…` is right.
  func send(_ text: String, from client: String, at moment: Instant) throws -> String {
    advance(to: moment)
    let outcome = try arrive(text, from: client, now: moment)
    if outcome == "begins" { step(at: moment) }
    return outcome
  }

  func note(_ text: String, _ moment: Instant) { responses.append("\(moment.nanoseconds / 1000) \(text)") }

  func advance(to moment: Instant) {
    while true {
      if let (entry, end) = current, end <= moment {
        current = nil
        let verdict: PasswordVerdict = entry.text.hasPrefix("app:right") ? .right(1) : .wrong
        let before = heard.withLock { $0.count }
        tell(verdict, checks.finish(entry.pair, verdict, now: end))
        for text in heard.withLock({ $0[before...] }) { note(text, end) }
        step(at: end)
      } else if let moment = timer.flatMap({ $0 <= moment ? $0 : nil }) {
        timer = nil
        if checks.resume() { step(at: moment) }
      } else {
        break
      }
    }
    now = moment
  }

  private func step(at moment: Instant) {
    switch checks.next(now: moment) {
    case .look(let entry): current = (entry, moment + Duration.milliseconds(100))
    case .rest(let until): timer = until
    case .nothing: break
    }
  }

  func next(now: Instant) -> PasswordChecks.Step { checks.next(now: now) }

  func finish(_ pair: KeyedDigest.Value, _ verdict: PasswordVerdict, now: Instant) -> Int {
    checks.finish(pair, verdict, now: now).waiters.count
  }

  func finish(_ text: String, _ verdict: PasswordVerdict, now: Instant) throws -> Int {
    finish(try PasswordQueue.Entry(text, from: "10.0.0.1:1", digest).pair, verdict, now: now)
  }
}
