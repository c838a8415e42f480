import Reactor
import Testing

@testable import ProxyCore

@Suite("The limit of wrong passwords")
struct GuessLimitTests {
  private let one = ClientAddress("10.0.0.1:1")
  private let other = ClientAddress("10.0.0.2:1")
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  @Test("gives each client a burst, and one more after a while")
  func burst() {
    let limit = Guesses()
    for _ in 0..<GuessLimit.burst { #expect(limit.take(one, now: start)) }
    #expect(!limit.take(one, now: start))
    #expect(limit.take(other, now: start))
    #expect(limit.delay(one, now: start) == 6)
    #expect(limit.delay(one, now: start + Duration.milliseconds(1500)) == 5)
    #expect(!limit.take(one, now: start + Duration.seconds(5)))
    let later = start + GuessLimit.interval
    #expect(limit.take(one, now: later) && !limit.take(one, now: later))
  }

  @Test("gives the whole burst back in time, and no more than that")
  func recovery() {
    let limit = Guesses()
    for _ in 0..<GuessLimit.burst { _ = limit.take(one, now: start) }
    let later = start + Duration.seconds(24 * 3600)
    for _ in 0..<GuessLimit.burst { #expect(limit.take(one, now: later)) }
    #expect(!limit.take(one, now: later))
  }

  @Test("takes nothing for what was right, and forgets the client")
  func givingBack() {
    let limit = Guesses()
    for _ in 0..<100 {
      #expect(limit.take(one, now: start))
      limit.giveBack(one, now: start)
    }
    #expect(limit.clients == 0)
  }

  @Test("keeps so many clients apart, and the others together")
  func bound() {
    let limit = Guesses()
    for number in 0..<GuessLimit.mostClients {
      #expect(limit.take(ClientAddress("10.\(number >> 16).\(number >> 8 & 255).\(number & 255):1"), now: start))
    }
    for number in 0..<GuessLimit.burst { #expect(limit.take(ClientAddress("11.0.0.\(number):1"), now: start)) }
    #expect(!limit.take(ClientAddress("11.0.1.1:1"), now: start))
    #expect(limit.clients == GuessLimit.mostClients)
    // Those who have their whole burst again make room.
    let later = start + GuessLimit.interval + Duration.seconds(1)
    #expect(limit.take(ClientAddress("12.0.0.1:1"), now: later))
    #expect(limit.clients == 1)
  }
}

/// A limit that `#expect` can change.
private final class Guesses {
  private var limit = GuessLimit()

  var clients: Int { limit.clients }
  func take(_ client: ClientAddress, now: Instant) -> Bool { limit.take(client, now: now) }
  func giveBack(_ client: ClientAddress, now: Instant) { limit.giveBack(client, now: now) }
  func delay(_ client: ClientAddress, now: Instant) -> Int { limit.delay(client, now: now) }
}
