import Cryptography
import Locks
import Reactor
import Testing

@testable import ProxyCore

@Suite("Passwords that are looked at")
struct PasswordChecksTests {
  private let digest: KeyedDigest
  private let client = ClientAddress("10.0.0.1:1")
  private let now = Instant(nanoseconds: 1_000_000_000_000)

  init() throws { digest = try KeyedDigest() }

  private func pair(_ text: String) throws -> KeyedDigest.Value {
    let bytes = Array(text.utf8)
    return try digest.digest(of: bytes.span)
  }

  @Test("are looked at once, for all who ask meanwhile and afterwards")
  func once() throws {
    let checks = Checks()
    let told = Monitor<[PasswordVerdict]>([])
    func arrive(_ text: String) throws -> String {
      checks.arrive(try pair(text), from: client, now: now) { verdict in told.withLock { $0.append(verdict) } }
    }
    #expect(
      try [arrive("a:1"), arrive("a:1"), arrive("a:2"), arrive("a:1")] == ["begins", "waits", "begins", "waits"])
    for waiter in checks.finish(try pair("a:1"), .right(7), now: now) { waiter(.right(7)) }
    #expect(told.withLock { $0 } == [.right(7), .right(7), .right(7)])
    for waiter in checks.finish(try pair("a:2"), .wrong, now: now) { waiter(.wrong) }
    #expect(try [arrive("a:1"), arrive("a:2"), arrive("a:3")] == ["right(7)", "wrong", "begins"])
    #expect(try checks.finish(pair("unknown"), .wrong, now: now).isEmpty)
  }

  @Test("cost the client nothing when they are right, or the same wrong one again")
  func guesses() throws {
    let checks = Checks()
    for number in 0..<100 {
      let right = try pair("right:\(number)")
      #expect(checks.arrive(right, from: client, now: now) == "begins")
      _ = checks.finish(right, .right(number), now: now)
    }
    for number in 0..<GuessLimit.burst {
      let wrong = try pair("wrong:\(number)")
      #expect(checks.arrive(wrong, from: client, now: now) == "begins")
      _ = checks.finish(wrong, .wrong, now: now)
      #expect(checks.arrive(wrong, from: client, now: now) == "wrong")
    }
    let next = try pair("next")
    #expect(checks.arrive(next, from: client, now: now) == "tooManyGuesses(seconds: 6)")
    #expect(try checks.arrive(pair("right:5"), from: client, now: now) == "right(5)")
    #expect(checks.arrive(next, from: ClientAddress("10.0.0.2:1"), now: now) == "begins")
  }

  @Test("wait for their turn in a queue with an end")
  func queue() throws {
    let checks = Checks()
    for number in 0..<PasswordChecks.mostPending {
      let client = ClientAddress("10.0.1.\(number):1")
      #expect(try checks.arrive(pair("\(number)"), from: client, now: now) == "begins")
    }
    #expect(try checks.arrive(pair("more"), from: client, now: now) == "busy")
    #expect(try checks.arrive(pair("0"), from: client, now: now) == "waits")
    // One that could not be looked at is not remembered.
    _ = checks.finish(try pair("0"), .busy, now: now)
    #expect(try checks.arrive(pair("0"), from: client, now: now) == "begins")
  }

  @Test("are remembered in a bounded number when they are wrong, the newest ones")
  func bound() throws {
    let checks = Checks()
    var moment = now
    for number in 0...PasswordChecks.mostWrong {
      let wrong = try pair("\(number)")
      moment = moment + GuessLimit.interval
      #expect(checks.arrive(wrong, from: client, now: moment) == "begins")
      _ = checks.finish(wrong, .wrong, now: moment)
    }
    #expect(try checks.arrive(pair("1"), from: client, now: moment) == "wrong")
    #expect(try checks.arrive(pair("0"), from: client, now: moment + GuessLimit.interval) == "begins")
  }
}

/// Checks that `#expect` can change, with arrivals in words.
private final class Checks {
  private var checks = PasswordChecks()

  func arrive(
    _ pair: KeyedDigest.Value, from client: ClientAddress, now: Instant,
    _ waiter: @escaping PasswordChecks.Waiter = { _ in }
  ) -> String {
    switch checks.arrive(pair, from: client, now: now, waiter) {
    case .isKnown(let verdict): "\(verdict)"
    case .waits: "waits"
    case .begins: "begins"
    }
  }

  func finish(_ pair: KeyedDigest.Value, _ verdict: PasswordVerdict, now: Instant) -> [PasswordChecks.Waiter] {
    checks.finish(pair, verdict, now: now)
  }
}
