import Cryptography
import Reactor
import Testing

@testable import Callers

@Suite("The limit of wrong passwords")
struct GuessLimitTests {
  private let one = ClientAddress("10.0.0.1:1")
  private let other = ClientAddress("10.0.0.2:1")
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  @Test("gives each client a burst, and one more after a while")
  func burst() {
    let limit = Guesses()
    for _ in 0..<Guesses.burst { #expect(limit.take(one, now: start)) }
    #expect(!limit.take(one, now: start))
    #expect(limit.take(other, now: start))
    #expect(limit.delay(one, now: start) == 6)
    #expect(limit.delay(one, now: start + Duration.milliseconds(1500)) == 5)
    #expect(!limit.take(one, now: start + Duration.seconds(5)))
    let later = start + Guesses.interval
    #expect(limit.take(one, now: later) && !limit.take(one, now: later))
  }

  @Test("gives the whole burst back in time, and no more than that")
  func recovery() {
    let limit = Guesses()
    for _ in 0..<Guesses.burst { _ = limit.take(one, now: start) }
    let later = start + Duration.seconds(24 * 3600)
    for _ in 0..<Guesses.burst { #expect(limit.take(one, now: later)) }
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
    for number in 0..<limit.mostClients {
      #expect(limit.take(ClientAddress("10.\(number >> 16).\(number >> 8 & 255).\(number & 255):1"), now: start))
    }
    for number in 0..<Guesses.burst { #expect(limit.take(ClientAddress("11.0.0.\(number):1"), now: start)) }
    #expect(!limit.take(ClientAddress("11.0.1.1:1"), now: start))
    #expect(limit.clients == limit.mostClients)
    // Those who have their whole burst again make room.
    let later = start + Guesses.interval + Duration.seconds(1)
    #expect(limit.take(ClientAddress("12.0.0.1:1"), now: later))
    #expect(limit.clients == 1)
  }

  @Test(
    "takes this machine for one client, whichever of its addresses it uses",
    arguments: ["127.0.0.1:1", "127.0.0.2:7", "127.255.255.254:1", "[::1]:1", "[::ffff:127.1.2.3]:1"])
  func loopback(peer: String) {
    #expect(Guesser(ClientAddress(peer), user: "a") == Guesser(ClientAddress("127.9.9.9:9"), user: "a"))
    #expect(Guesser(ClientAddress(peer), user: "a") != Guesser(ClientAddress("127.0.0.1:1"), user: "b"))
  }

  @Test(
    "keeps other addresses apart", arguments: ["126.0.0.1:1", "128.0.0.1:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"])
  func notLoopback(peer: String) {
    #expect(ClientAddress(peer).asGuesser == ClientAddress(peer))
    #expect(ClientAddress(peer).asGuesser != ClientAddress("127.0.0.1:1").asGuesser)
  }
}

@Suite("Pairs that were refused")
struct RefusedPairsTests {
  private let digest: KeyedDigest
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  init() throws { digest = try KeyedDigest() }

  private func pair(_ number: Int) throws -> KeyedDigest.Value {
    let bytes = Array("\(number)".utf8)
    return try digest.digest(of: bytes.span)
  }

  @Test("are known when they come again, since when they came first, and others are not")
  func again() throws {
    var refused = RefusedPairs()
    let moments = try (0..<1000).map { number in (try pair(number), start + Duration.milliseconds(40 * number)) }
    for (pair, moment) in moments { refused.insert(pair, now: moment) }
    let end = start + Duration.seconds(41)
    for (pair, moment) in moments {
      refused.insert(pair, now: end)
      let first = try #require(refused.firstSeen(pair, now: end))
      #expect(first <= moment && moment - first < 20_000_000)
    }
    for number in 1000..<3000 {
      let first = refused.firstSeen(try pair(number), now: end)
      #expect(first == nil)
    }
  }

  @Test("are forgotten two minutes after they came last, and when they were checked")
  func end() throws {
    var refused = RefusedPairs()
    let pair = try pair(1)
    refused.insert(pair, now: start)
    let isKnown = [59, 119, 121, 600].map { refused.firstSeen(pair, now: start + Duration.seconds($0)) != nil }
    #expect(isKnown == [true, true, false, false])
    for seconds in stride(from: 0, to: 1000, by: 100) { refused.insert(pair, now: start + Duration.seconds(seconds)) }
    let first = try #require(refused.firstSeen(pair, now: start + Duration.seconds(1000)))
    #expect(start - first < 20_000_000)
    refused.remove(pair)
    let isForgotten = refused.firstSeen(pair, now: start + Duration.seconds(1000)) == nil
    #expect(isForgotten)
  }

  @Test("that come again every 5 s are known, however many others come, for as long as they do")
  func flood() throws {
    var refused = RefusedPairs()
    let applications = try (0..<20).map { try pair(-1 - $0) }
    for application in applications { refused.insert(application, now: start) }
    var found = 0
    var number = 0
    for round in 1...10 {
      for _ in 0..<20_000 {
        refused.insert(try pair(number), now: start + Duration.milliseconds(5000 * (round - 1) + number % 5000))
        number += 1
      }
      let now = start + Duration.seconds(5 * round)
      found = applications.count { refused.firstSeen($0, now: now) != nil }
      for application in applications { refused.insert(application, now: now) }
    }
    #expect(found == applications.count)
  }
}

/// A limit that `#expect` can change.
private final class Guesses {
  static let burst = PasswordChecks.guesses
  static let interval = PasswordChecks.guessInterval
  private var limit = GuessLimit<ClientAddress>(burst: burst, interval: interval)

  var clients: Int { limit.senders }
  var mostClients: Int { limit.mostSenders }
  func take(_ client: ClientAddress, now: Instant) -> Bool { limit.take(client, now: now) }
  func giveBack(_ client: ClientAddress, now: Instant) { limit.giveBack(client, now: now) }
  func delay(_ client: ClientAddress, now: Instant) -> Int { limit.delay(client, now: now) }
}
