import Cryptography
import Secrets
import Testing

@testable import Callers

@Suite("Passwords that wait")
struct PasswordQueueTests {
  private let queue: Queue

  init() throws { queue = Queue(try KeyedDigest()) }

  @Test("have their turn by client, and then by user")
  func turns() throws {
    for (text, client) in [("a:1", 1), ("a:2", 1), ("b:1", 1), ("a:3", 1), ("c:1", 2), ("c:2", 2), ("d:1", 3)] {
      #expect(try queue.add(text, client) == "waits")
    }
    #expect(queue.all() == ["1 a:1", "2 c:1", "3 d:1", "1 b:1", "2 c:2", "1 a:2", "1 a:3"])
    #expect(queue.all().isEmpty)
  }

  @Test("that come again go before the others of their client, and of no other")
  func againFirst() throws {
    for (text, client, cameBefore) in [
      ("a:1", 1, false), ("b:1", 1, false), ("x:1", 2, false), ("b:2", 1, true), ("c:1", 1, true), ("x:2", 2, false),
    ] {
      #expect(try queue.add(text, client, cameBefore: cameBefore) == "waits")
    }
    #expect(queue.all() == ["1 b:2", "2 x:1", "1 c:1", "2 x:2", "1 a:1", "1 b:1"])
  }

  @Test("have their turn, however many clients come after them")
  func newcomers() throws {
    #expect(try queue.add("a:1", 1) == "waits")
    #expect(try queue.add("b:1", 1) == "waits")
    var taken: [String] = []
    for client in 2..<20 {
      #expect(try queue.add("x:1", client) == "waits")
      #expect(try queue.add("x:2", client) == "waits")
      if let next = queue.next() { taken.append(next) }
    }
    #expect(taken.contains("1 a:1") && taken.contains("1 b:1"))
  }

  @Test("are few of one client and user, of which one that comes again takes the place of the newest")
  func sameUser() throws {
    for number in 0..<PasswordQueue.mostOfGuesser { #expect(try queue.add("a:\(number)", 1) == "waits") }
    #expect(try queue.add("a:x", 1) == "refused")
    #expect(try queue.add("b:x", 1) == "waits")
    #expect(try queue.add("a:x", 2) == "waits")
    #expect(try queue.add("a:again", 1, cameBefore: true) == "displaces 1 a:\(PasswordQueue.mostOfGuesser - 1)")
    for number in (0..<PasswordQueue.mostOfGuesser - 1).reversed() {
      #expect(try queue.add("a:again\(number)", 1, cameBefore: true) == "displaces 1 a:\(number)")
    }
    #expect(try queue.add("a:more", 1, cameBefore: true) == "refused")
  }

  @Test("make room for a client that has none when one has many: the newest of its user that has most goes")
  func greedyClient() throws {
    for user in 0..<PasswordQueue.most / 2 {
      for number in 0..<2 { #expect(try queue.add("\(user):\(number)", 1) == "waits") }
    }
    #expect(queue.count == PasswordQueue.most)
    #expect(try queue.add("fresh:1", 1) == "displaces 1 \(PasswordQueue.most / 2 - 1):1")
    // Until all have the same.
    for client in 2...PasswordQueue.most {
      #expect(try queue.add("app:right", client).hasPrefix("displaces 1 "))
    }
    #expect(try queue.add("app:right", PasswordQueue.most + 1) == "refused")
    #expect(queue.count == PasswordQueue.most)
    #expect(Set(queue.all().map { $0.split(separator: " ")[0] }).count == PasswordQueue.most)
  }

  @Test("of one client make room for a user that has none when another has more")
  func greedyUser() throws {
    for client in 1...PasswordQueue.most / 4 {
      for number in 0..<4 { #expect(try queue.add("a:\(number)", client) == "waits") }
    }
    #expect(try queue.add("b:1", 1) == "displaces 1 a:3")
    #expect(try queue.add("b:2", 1) == "displaces 1 a:2")
    #expect(try queue.add("b:3", 1) == "refused")
  }

  @Test("that come again take the place of those that come for the first time, of clients that have no fewer")
  func again() throws {
    for client in 1...PasswordQueue.most { #expect(try queue.add("a:1", client, cameBefore: client == 1) == "waits") }
    let fresh = PasswordQueue.most + 1
    #expect(try queue.add("a:1", fresh) == "refused")
    #expect(try queue.add("a:1", fresh, cameBefore: true) == "displaces \(PasswordQueue.most) a:1")
    // Its second pair would take what belongs to another.
    #expect(try queue.add("b:1", fresh, cameBefore: true) == "refused")
    for client in 0..<PasswordQueue.most - 2 {
      #expect(try queue.add("a:1", fresh + 1 + client, cameBefore: true).hasPrefix("displaces"))
    }
    #expect(try queue.add("a:1", 1000, cameBefore: true) == "refused")
  }
}

extension PasswordQueue.Entry {
  /// `user:password` from an address.
  init(_ text: String, from client: String, _ digest: KeyedDigest, cameBefore: Bool = false) throws {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    let bytes = Array(text.utf8)
    self.init(
      pair: try digest.digest(of: bytes.span), guesser: Guesser(ClientAddress(client), user: parts[0]), user: parts[0],
      password: Secret(parts.count > 1 ? parts[1] : ""), peer: client, cameBefore: cameBefore)
  }

  /// `user:password`.
  var text: String {
    let password = password.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    return "\(user):\(password)"
  }
}

/// A queue that `#expect` can change, with entries in words and clients as numbers.
private final class Queue {
  private let digest: KeyedDigest
  private var queue = PasswordQueue()

  init(_ digest: KeyedDigest) { self.digest = digest }

  var count: Int { queue.count }

  func add(_ text: String, _ client: Int, cameBefore: Bool = false) throws -> String {
    let entry = try PasswordQueue.Entry(
      text, from: "10.0.\(client >> 8).\(client & 255):1", digest, cameBefore: cameBefore)
    return switch queue.add(entry) {
    case .waits: "waits"
    case .displaces(let other): "displaces \(Self.words(other))"
    case .isRefused: "refused"
    }
  }

  func next() -> String? { queue.next().map(Self.words) }

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
