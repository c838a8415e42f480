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

  private func name(_ arrival: PasswordChecks.Arrival) -> String {
    switch arrival {
    case .isKnown(let verdict): "\(verdict)"
    case .waits: "waits"
    case .begins: "begins"
    }
  }

  @Test("are looked at once, for all who ask meanwhile and afterwards")
  func once() throws {
    var checks = PasswordChecks()
    let told = Monitor<[PasswordVerdict]>([])
    func arrive(_ text: String) throws -> String {
      name(checks.arrive(try pair(text), from: client, now: now) { verdict in told.withLock { $0.append(verdict) } })
    }
    #expect(
      try [arrive("a:1"), arrive("a:1"), arrive("a:2"), arrive("a:1")] == ["begins", "waits", "begins", "waits"])
    for waiter in checks.finish(try pair("a:1"), .right(7), now: now) { waiter(.right(7)) }
    #expect(told.withLock { $0 } == [.right(7), .right(7), .right(7)])
    for waiter in checks.finish(try pair("a:2"), .wrong, now: now) { waiter(.wrong) }
    #expect(try [arrive("a:1"), arrive("a:2"), arrive("a:3")] == ["right(7)", "wrong", "begins"])
    #expect(checks.finish(try pair("unknown"), .wrong, now: now).isEmpty)
  }

  @Test("cost the client nothing when they are right, or the same wrong one again")
  func guesses() throws {
    var checks = PasswordChecks()
    for number in 0..<100 {
      let right = try pair("right:\(number)")
      #expect(name(checks.arrive(right, from: client, now: now) { _ in }) == "begins")
      _ = checks.finish(right, .right(number), now: now)
    }
    for number in 0..<GuessLimit.burst {
      let wrong = try pair("wrong:\(number)")
      #expect(name(checks.arrive(wrong, from: client, now: now) { _ in }) == "begins")
      _ = checks.finish(wrong, .wrong, now: now)
      #expect(name(checks.arrive(wrong, from: client, now: now) { _ in }) == "wrong")
    }
    let next = try pair("next")
    #expect(name(checks.arrive(next, from: client, now: now) { _ in }) == "tooManyGuesses(seconds: 6)")
    #expect(name(checks.arrive(try pair("right:5"), from: client, now: now) { _ in }) == "right(5)")
    #expect(name(checks.arrive(next, from: ClientAddress("10.0.0.2:1"), now: now) { _ in }) == "begins")
  }

  @Test("wait for their turn in a queue with an end")
  func queue() throws {
    var checks = PasswordChecks()
    for number in 0..<PasswordChecks.mostPending {
      let client = ClientAddress("10.0.1.\(number):1")
      #expect(name(checks.arrive(try pair("\(number)"), from: client, now: now) { _ in }) == "begins")
    }
    #expect(name(checks.arrive(try pair("more"), from: client, now: now) { _ in }) == "busy")
    #expect(name(checks.arrive(try pair("0"), from: client, now: now) { _ in }) == "waits")
    // One that could not be looked at is not remembered.
    _ = checks.finish(try pair("0"), .busy, now: now)
    #expect(name(checks.arrive(try pair("0"), from: client, now: now) { _ in }) == "begins")
  }

  @Test("are remembered in a bounded number when they are wrong, the newest ones")
  func bound() throws {
    var checks = PasswordChecks()
    var moment = now
    for number in 0...PasswordChecks.mostWrong {
      let wrong = try pair("\(number)")
      moment = moment + GuessLimit.interval
      #expect(name(checks.arrive(wrong, from: client, now: moment) { _ in }) == "begins")
      _ = checks.finish(wrong, .wrong, now: moment)
    }
    #expect(name(checks.arrive(try pair("1"), from: client, now: moment) { _ in }) == "wrong")
    #expect(name(checks.arrive(try pair("0"), from: client, now: moment + GuessLimit.interval) { _ in }) == "begins")
  }
}
