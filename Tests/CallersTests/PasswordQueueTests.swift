import Configuration
import Cryptography
import Reactor
import Secrets
import Testing

@testable import Callers

@Suite("Passwords that wait")
struct PasswordQueueTests {
  private let queue: Queue

  init() throws { queue = Queue(try KeyedDigest()) }

  @Test("have their turn by user, and then by client")
  func turns() throws {
    for (text, client) in [("a:1", 1), ("a:2", 1), ("b:1", 1), ("a:3", 1), ("a:4", 2), ("c:1", 2), ("c:2", 3)] {
      #expect(try queue.add(text, client) == "waits")
    }
    #expect(queue.all() == ["1 a:1", "1 b:1", "2 c:1", "2 a:4", "3 c:2", "1 a:2", "1 a:3"])
    #expect(queue.all().isEmpty && queue.count == 0)
  }

  @Test("have their turn by age within a client, and every other one by age among all")
  func oldestFirst() throws {
    for (text, client, age) in [("a:1", 1, 0), ("a:2", 1, 5), ("a:3", 2, 0), ("a:4", 1, 9), ("a:5", 2, 1)] {
      #expect(try queue.add(text, client, age: age) == "waits")
    }
    #expect(queue.all() == ["1 a:4", "1 a:2", "2 a:5", "1 a:1", "2 a:3"])
  }

  @Test("have their turn, however many clients and users come after them")
  func newcomers() throws {
    #expect(try queue.add("a:1", 1) == "waits")
    #expect(try queue.add("b:1", 1) == "waits")
    var taken: [String] = []
    for client in 2..<10 {
      #expect(try queue.add("b:2", client) == "waits")
      for number in 0..<100 { #expect(try queue.add("stranger-\(client)-\(number):1", client) == "waits") }
      if let next = queue.next() { taken.append(next) }
    }
    #expect(taken.prefix(2) == ["1 a:1", "1 b:1"])
  }

  @Test("are few of one client and user, of which an older one takes the place of the newest")
  func sameUser() throws {
    for number in 0..<PasswordLane.mostOfClient { #expect(try queue.add("a:\(number)", 1) == "waits") }
    #expect(try queue.add("a:x", 1) == "refused")
    #expect(try queue.add("b:x", 1) == "waits")
    #expect(try queue.add("a:x", 2) == "waits")
    #expect(try queue.add("a:old", 1, age: 2) == "displaces 1 a:\(PasswordLane.mostOfClient - 1)")
    for number in (0..<PasswordLane.mostOfClient - 1).reversed() {
      #expect(try queue.add("a:old\(number)", 1, age: 2) == "displaces 1 a:\(number)")
    }
    #expect(try queue.add("a:new", 1, age: 1) == "refused")
    #expect(try queue.add("a:oldest", 1, age: 3).hasPrefix("displaces 1 a:old"))
  }

  @Test("make room for a client that has none when one has many: its newest goes", arguments: ["a", "stranger"])
  func greedyClient(user: String) throws {
    for client in 1...2 {
      for number in 0..<PasswordLane.mostOfClient { #expect(try queue.add("\(user):\(number)", client) == "waits") }
    }
    for client in 3...4 { #expect(try queue.add("\(user):1\(client)", client) == "waits") }
    #expect(queue.count == PasswordLane.most)
    #expect(try queue.add("\(user):right", 5) == "displaces 2 \(user):3")
    // Until none has two more than another.
    for client in 6...10 { #expect(try queue.add("\(user):right", client).hasPrefix("displaces ")) }
    #expect(try queue.add("\(user):right", 11) == "refused")
    #expect(queue.count == PasswordLane.most)
  }

  @Test("take the place of newer ones, of clients that have no fewer")
  func older() throws {
    for client in 1...PasswordLane.most { #expect(try queue.add("a:1", client, age: client == 1 ? 5 : 0) == "waits") }
    let fresh = PasswordLane.most + 1
    #expect(try queue.add("a:1", fresh) == "refused")
    #expect(try queue.add("a:1", fresh, age: 4).hasPrefix("displaces"))
    // Its second pair would take what belongs to another.
    #expect(try queue.add("a:2", fresh, age: 3) == "refused")
    for client in 0..<PasswordLane.most - 2 {
      #expect(try queue.add("a:1", fresh + 1 + client, age: 4).hasPrefix("displaces"))
    }
    #expect(try queue.add("a:1", 1000, age: 4) == "refused")
  }

  @Test("of unknown users wait as long as those of a known one would, and take few turns")
  func strangers() throws {
    let known = (0..<3).map { "user-\($0):1" }
    for text in known { #expect(try queue.add(text, 1) == "waits") }
    for number in 0..<1000 { #expect(try queue.add("stranger-\(number):1", 1) == "waits") }
    #expect(try queue.add("late:1", 1) == "waits")
    var checks: [(String, answered: Int)] = []
    while let next = queue.next() { checks.append((next, queue.answered().count)) }
    let turns = known + (0..<PasswordQueue.mostTurnsOfStrangers).map { "stranger-\($0):1" } + ["late:1"]
    #expect(checks.prefix(turns.count).map(\.0) == turns.map { "1 \($0)" })
    // All others with the check that a known user would have got who came then: `late` did.
    #expect(checks.map(\.answered) == turns.map { $0 == "late:1" ? 1000 - PasswordQueue.mostTurnsOfStrangers : 0 })
    #expect(queue.count == 0)
  }

  @Test("of an unknown user that sends several get one response after the other")
  func severalOfStranger() throws {
    for number in 0..<PasswordQueue.mostTurnsOfStrangers { _ = try queue.add("stranger-\(number):1", 1) }
    for number in 0..<3 { #expect(try queue.add("stranger:\(number)", 1) == "waits") }
    var answered: [[String]] = []
    while queue.next() != nil { answered.append(queue.answered()) }
    // The turns of others, and then a check for each: a known user would have no more in one go.
    #expect(answered.allSatisfy { $0.isEmpty } && answered.count == PasswordQueue.mostTurnsOfStrangers + 3)
  }

  @Test("of unknown users are bounded, which costs known ones no place")
  func manyStrangers() throws {
    for number in 0..<PasswordQueue.mostStrangers { _ = try queue.add("stranger-\(number):1", number) }
    #expect(try queue.add("stranger:1", 1) == "refused")
    #expect(try queue.add("a:1", 1) == "waits")
    #expect(queue.count == PasswordQueue.mostStrangers + 1)
  }

  @Test(
    "of a client without a guess wait until it has one for the user, and delay nothing", arguments: ["a", "stranger"])
  func unpaid(user: String) throws {
    for number in 0..<4 { #expect(try queue.add("\(user):\(number)", 1, age: 4 - number, isPaid: false) == "waits") }
    #expect(try queue.add("b:1", 1) == "waits")
    #expect(queue.all() == ["1 \(user):0", "1 b:1", "1 \(user):1"])
    queue.now = queue.now + Duration.seconds(5)
    #expect(queue.all().isEmpty && queue.count == 2)
    #expect(queue.pause == queue.now + Duration.seconds(1))
    queue.now = queue.now + Duration.seconds(1)
    #expect(queue.all() == ["1 \(user):2"])
    #expect(try queue.add("\(user):4", 2) == "waits")
    #expect(queue.all() == ["2 \(user):4"] && queue.count == 1)
  }
}

private let anyHash = PasswordHash("$scrypt$ln=10,r=8,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg")

extension PasswordQueue.Entry {
  /// `user:password` from an address; users whose names begin with `stranger` are unknown.
  init(_ text: String, from client: String, _ digest: KeyedDigest) throws {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let bytes = Array(text.utf8)
    self.init(
      pair: try digest.digest(of: bytes.span), guesser: Guesser(ClientAddress(client), user: parts[0]),
      hash: try #require(anyHash),
      caller: parts[0].hasPrefix("stranger") ? nil : parts[0], password: Secret(text), peer: client)
  }

  /// `user:password`.
  var text: String {
    password.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
  }
}

/// A queue that `#expect` can change, with entries in words and clients as numbers.
private final class Queue {
  private let digest: KeyedDigest
  private var queue = PasswordQueue()
  var now = Instant(nanoseconds: 1_000_000_000_000)

  init(_ digest: KeyedDigest) { self.digest = digest }

  var count: Int { queue.count }

  /// Adds a pair that came first so many seconds ago.
  func add(_ text: String, _ client: Int, age: Int = 0, isPaid: Bool = true) throws -> String {
    var entry = try PasswordQueue.Entry(text, from: "10.0.\(client >> 8).\(client & 255):1", digest)
    entry.firstSeen = Instant(nanoseconds: now.nanoseconds - UInt64(age) * 1_000_000_000)
    entry.isPaid = isPaid
    return switch queue.add(entry) {
    case .waits: "waits"
    case .displaces(let other): "displaces \(Self.words(other))"
    case .isRefused: "refused"
    }
  }

  func next() -> String? {
    guard case .entry(let entry) = queue.next(now: now) else { return nil }
    return Self.words(entry)
  }

  /// When to ask again, where there is nothing now.
  var pause: Instant? {
    guard case .wait(let moment) = queue.next(now: now) else { return nil }
    return moment
  }

  func answered() -> [String] { queue.answeredStrangers().map(Self.words) }

  func all() -> [String] {
    var all: [String] = []
    while let next = next() { all.append(next) }
    return all
  }

  private static func words(_ entry: PasswordQueue.Entry) -> String {
    let address = entry.peer.split(separator: ":")[0].split(separator: ".").compactMap { Int($0) }
    return "\(address[2] << 8 | address[3]) \(entry.text)"
  }
}
