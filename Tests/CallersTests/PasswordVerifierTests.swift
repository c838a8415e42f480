import Bytes
import Configuration
import Cryptography
import Encodings
import Logging
import Secrets
import Telemetry
import Testing

@testable import Callers

@Suite("Checking passwords")
struct PasswordVerifierTests {
  private let costs: [ScryptCost]
  private let verifier: PasswordVerifier

  init() throws {
    costs = try [10, 11].map { try #require(ScryptCost(logN: $0, r: 8, p: 1)) }
    let callers = try costs.enumerated().map { index, cost in
      Caller(name: "caller-\(index)", password: try PasswordHash.make(of: Secret("password"), cost: cost))
    }
    verifier = try PasswordVerifier(
      [Caller(name: "without", uid: 1)] + callers, registry: MetricsRegistry(),
      logger: EventLog(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
  }

  @Test("compares with the hash of the caller")
  func known() throws {
    for index in costs.indices {
      let found = verifier.hash(of: "caller-\(index)")
      #expect(found.caller == index + 1 && found.hash.cost == costs[index])
      #expect(try found.hash.matches(Secret("password")))
    }
  }

  @Test("costs the same for users that do not exist or have no password, with the same result")
  func unknown() throws {
    var seen: Set<ScryptCost> = []
    for user in ["without", "", "x", "y", "Caller-0", "caller-0 ", "caller-10", "nobody", "somebody", "ä"] {
      let (hash, caller) = verifier.hash(of: user)
      #expect(caller == nil && verifier.hash(of: user).hash == hash)
      #expect(try !hash.matches(Secret("password")))
      seen.insert(hash.cost)
    }
    #expect(seen == Set(costs))
  }

  @Test("the tables of passwords that were refused count as memory, each from the first refusal on")
  func memory() throws {
    let account = MemoryAccount(limit: nil)
    let verifier = try PasswordVerifier(
      [Caller(name: "caller", password: try PasswordHash.make(of: Secret("password"), cost: costs[0]))],
      account: account, registry: MetricsRegistry(),
      logger: EventLog(Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))

    /// Sends so many passwords that some are refused without a check; nothing checks any.
    func guess(_ user: String) throws -> Int {
      for number in 0..<PasswordChecks.guesses + 20 {
        let value = "Basic " + Base64.standard.encode(Array("\(user):\(number)".utf8))
        guard let credentials = BasicCredentials(Array(value.utf8).span) else { throw CancellationError() }
        _ = verifier.check(credentials, from: ClientAddress("192.0.2.1:1"), at: "192.0.2.1:1") { _ in }
      }
      return account.taken
    }
    let table = 1_572_864
    #expect(account.taken == 0)
    #expect(try guess("caller") == table)
    #expect(try guess("stranger") == 2 * table)
    #expect(try guess("caller") == 2 * table)
  }
}
