import SeededRandom
import Testing

@testable import Tokens

@Suite("What an API shows of tokens") struct TokenEvidenceTests {
  private static let permissions = TokenPlace(1)
  private static let working = TokenPlace(2)

  /// A source whose token the API has accepted at ``working``.
  private func provenWorkshop() async throws -> Workshop {
    let workshop = Workshop()
    for number in 0..<1000 { workshop.endpoint.replies(.token("token-\(number)", expiresIn: 86_400)) }
    let token = try #require(await workshop.obtain()?.success)
    workshop.source.accepted(token, at: Self.working)
    return workshop
  }

  /// Whether the token in use was replaced when `place` refused it.
  private func isReplaced(_ workshop: Workshop, at place: TokenPlace) async throws -> Bool {
    let token = try #require(await workshop.obtain()?.success)
    return workshop.source.refused(token, at: place)
  }

  @Test("a refusal replaces the token, and one of the replacement at a place that accepted none is passed on")
  func permissionsOnly() async throws {
    let workshop = try await provenWorkshop()
    #expect(try await isReplaced(workshop, at: Self.permissions))
    for _ in 0..<100 {
      #expect(try await !isReplaced(workshop, at: Self.permissions))
      await workshop.pass(.seconds(5))
    }
    #expect(workshop.endpoint.requests.count == 2)
    // Other places are not affected.
    #expect(try await isReplaced(workshop, at: Self.working))
    _ = await workshop.obtain()
    // After a quarter of an hour the place may have another reason.
    await workshop.pass(.seconds(900))
    #expect(try await isReplaced(workshop, at: Self.permissions))
  }

  @Test("a place that refused counts again once it has accepted a token")
  func rehabilitation() async throws {
    let workshop = try await provenWorkshop()
    #expect(try await isReplaced(workshop, at: Self.permissions))
    let replacement = try #require(await workshop.obtain()?.success)
    #expect(!workshop.source.refused(replacement, at: Self.permissions))
    #expect(workshop.source.wantsToKnow(of: replacement))
    workshop.source.accepted(replacement, at: Self.permissions)
    #expect(workshop.source.refused(replacement, at: Self.permissions))
  }

  @Test(
    "where tokens were accepted, a token that is revoked again and again is replaced at once, four times, then once a minute"
  )
  func bucket() async throws {
    let workshop = try await provenWorkshop()
    var seconds: [Int] = []
    for second in 0..<300 {
      if try await isReplaced(workshop, at: Self.working) { seconds.append(second) }
      await workshop.pass(.seconds(1))
    }
    #expect(seconds == [0, 1, 2, 3, 60, 120, 180, 240])
  }

  @Test("an API that never accepted a token costs one in five minutes, however many places refuse it")
  func neverAccepted() async throws {
    let workshop = Workshop()
    for number in 0..<1000 { workshop.endpoint.replies(.token("token-\(number)", expiresIn: 86_400)) }
    for second in 0..<3000 {
      _ = try await isReplaced(workshop, at: TokenPlace(second))
      await workshop.pass(.seconds(1))
    }
    #expect(workshop.endpoint.requests.count <= 11)
  }

  @Test("a token that is refused while another is fetched is dropped at no further cost")
  func duringFetch() async throws {
    let workshop = try await provenWorkshop()
    // Nothing is left of the bucket.
    for _ in 0..<4 {
      #expect(try await isReplaced(workshop, at: Self.working))
      _ = await workshop.obtain()
    }
    #expect(try await !isReplaced(workshop, at: Self.working))
    await workshop.pass(.seconds(86_200))
    let old = try #require(workshop.source.current())
    // It is time for a renewal, which has begun.
    #expect(workshop.source.refused(old, at: Self.permissions))
    #expect(workshop.source.current() == nil)
    await workshop.runFetches()
    #expect(workshop.source.current() != nil)
  }

  @Test("the table of places that refuse is bounded")
  func bounded() {
    var evidence = TokenEvidence()
    let now = TokenInstant(nanoseconds: 0)
    for number in 0..<5000 { _ = evidence.mayReplace(at: TokenPlace(number), isReplacement: true, now) }
    #expect(evidence.hasRefusingPlaces)
  }

  /// An API whose keys rotate, with paths that always answer 401, and tokens that are revoked.
  @Test("a place that works is refused for no longer than one fetch while replacements are left")
  func model() async throws {
    for seed in 0..<200 as Range<UInt64> {
      var chance = SplitMix(state: seed)
      let workshop = Workshop()
      for number in 0..<10_000 { workshop.endpoint.replies(.token("token-\(number)", expiresIn: 86_400)) }
      var issued = 0
      // The API accepts what was issued from this number on.
      var firstGood = 0
      var lastRevocation = workshop.clock.now
      var refusedInARow = 0
      for _ in 0..<2000 {
        if Int.random(in: 0..<400, using: &chance) == 0,
          lastRevocation.duration(to: workshop.clock.now) > .seconds(300)
        {
          firstGood = workshop.endpoint.requests.count
          lastRevocation = workshop.clock.now
        }
        guard let token = await workshop.obtain()?.success else {
          Issue.record("there is always a token")
          return
        }
        issued = workshop.endpoint.requests.count
        let isGood = issued > firstGood
        // Three of ten requests go to a path that refuses everything.
        if Int.random(in: 0..<10, using: &chance) < 3 {
          _ = workshop.source.refused(token, at: Self.permissions)
        } else if isGood {
          workshop.source.accepted(token, at: Self.working)
          refusedInARow = 0
        } else {
          _ = workshop.source.refused(token, at: Self.working)
          refusedInARow += 1
          #expect(refusedInARow <= 1, "seed \(seed)")
        }
        await workshop.pass(.milliseconds(500))
      }
      #expect(workshop.endpoint.requests.count <= 25, "seed \(seed): \(workshop.endpoint.requests.count) tokens")
    }
  }
}
