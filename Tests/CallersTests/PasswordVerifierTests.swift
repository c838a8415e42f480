import Configuration
import Cryptography
import Logging
import Secrets
import Telemetry
import Testing

@testable import Callers

@Suite("Looking at passwords")
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

  @Test("costs the same for users who do not exist, or have no password, and says nothing else each time")
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
}
