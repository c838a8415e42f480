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

  /// Whether the token in use is replaced when `place` refuses it.
  private func isReplaced(_ workshop: Workshop, at place: TokenPlace) async throws -> Bool {
    let token = try #require(await workshop.obtain()?.success)
    guard workshop.source.refused(token, at: place).isWanted else { return false }
    return try #require(await workshop.obtain(insteadOf: token)?.success) !== token
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
    #expect(!workshop.source.refused(replacement, at: Self.permissions).isWanted)
    #expect(workshop.source.wantsToKnow(of: replacement))
    workshop.source.accepted(replacement, at: Self.permissions)
    #expect(workshop.source.refused(replacement, at: Self.permissions).isWanted)
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

  @Test("a token that is refused while another is fetched is replaced at no further cost")
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
    #expect(workshop.source.refused(old, at: Self.permissions).isWanted)
    #expect(try #require(await workshop.obtain(insteadOf: old)?.success) !== old)
  }

  @Test(
    "after a rotation a path that is used once only gets another token at once, and so do all others that were refused meanwhile"
  )
  func pathsUsedOnce() async throws {
    let workshop = try await provenWorkshop()
    let revoked = try #require(await workshop.obtain()?.success)
    for number in 10..<200 { #expect(workshop.source.refused(revoked, at: TokenPlace(number)).isWanted) }
    let next = try #require(await workshop.obtain(insteadOf: revoked)?.success)
    #expect(next !== revoked && workshop.endpoint.requests.count == 2)
    // The replacement is revoked, too: a path that has not refused one before does not take it for its own reason.
    #expect(workshop.source.refused(next, at: TokenPlace(1000)).isWanted)
    #expect(try #require(await workshop.obtain(insteadOf: next)?.success) !== next)
  }

  @Test("refusals at places that accepted none leave half of the replacements to those that did")
  func reserve() async throws {
    let workshop = try await provenWorkshop()
    var replaced = 0
    for number in 10..<200 where try await isReplaced(workshop, at: TokenPlace(number)) { replaced += 1 }
    #expect(replaced == 2)
    for _ in 0..<2 { #expect(try await isReplaced(workshop, at: Self.working)) }
    #expect(try await !isReplaced(workshop, at: Self.working))
  }

  @Test("while the token endpoint is down, a path that refuses the token takes it from no other")
  func downEndpoint() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token(expiresIn: 86_400))
    let token = try #require(await workshop.obtain()?.success)
    workshop.source.accepted(token, at: Self.working)
    #expect(workshop.source.refused(token, at: Self.permissions).isWanted)
    // The script has no answer left: every fetch fails. The first one is waited for.
    #expect(await workshop.obtain()?.failure != nil)
    #expect(workshop.source.lastResort() === token)
    for _ in 0..<600 {
      #expect(workshop.source.current() === token)
      #expect(await workshop.obtain(insteadOf: token)?.failure != nil)
      await workshop.pass(.seconds(1))
    }
    workshop.endpoint.replies(.token("new", expiresIn: 86_400))
    await workshop.pass(.seconds(60))
    #expect(await workshop.obtain(insteadOf: token)?.success?.text == "new")
  }

  @Test(
    "a refusal shortens the wait after renewals that failed, but never what the server asked for",
    arguments: [(nil, 5), ("90", 90)] as [(String?, Int)])
  func shortened(asked: String?, after: Int) async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token(expiresIn: 86_400))
    workshop.endpoint.otherwise { .success(.json("", status: 503, retryAfter: asked)) }
    _ = await workshop.obtain()
    await workshop.pass(.seconds(80_000))
    let token = try #require(workshop.source.current())
    // Renewals begin 300 s before the token's end.
    while workshop.events.all.count < (asked == nil ? 7 : 2) { await workshop.pass(.seconds(1)) }
    let attempts = workshop.events.all.count
    #expect(workshop.source.refused(token, at: Self.permissions).isWanted)
    let seconds = try #require(await workshop.obtain(insteadOf: token)?.failure?.secondsToNextAttempt)
    #expect(after - 1...after ~= seconds)
    #expect(workshop.events.all.count == attempts)
    await workshop.pass(.seconds(after))
    _ = await workshop.obtain(insteadOf: token)
    #expect(workshop.events.all.count == attempts + 1)
  }

  @Test("the table of places that refuse is bounded")
  func bounded() {
    var evidence = TokenEvidence()
    let now = TokenInstant(nanoseconds: 0)
    for _ in 0..<2 {
      for number in 0..<5000 { _ = evidence.refused(at: TokenPlace(number), isFresh: false, now) }
      evidence.tokenChanged()
    }
    let refusing = (0..<5000).filter { evidence.refused(at: TokenPlace($0), isFresh: true, now) }
    #expect(refusing.count == 1024)
  }

  /// An API whose keys rotate, with paths that always answer 401, and tokens that are revoked.
  @Test("trying many places does not use up the replacements of places that have accepted a token")
  func manyPlaces() {
    for round in 0..<20 {
      var evidence = TokenEvidence()
      for number in 0..<10 { evidence.accepted(at: TokenPlace(round * 10_000 + number)) }
      let now = TokenInstant(nanoseconds: 1)
      let replaced = (100..<4100).count { evidence.mayReplace(at: TokenPlace(round * 10_000 + $0), now) }
      #expect(replaced == 2)
      let isKept = evidence.mayReplace(at: TokenPlace(round * 10_000), now)
      #expect(isKept)
    }
  }

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
          if workshop.source.refused(token, at: Self.permissions).isWanted {
            _ = await workshop.obtain(insteadOf: token)
          }
        } else if isGood {
          workshop.source.accepted(token, at: Self.working)
          refusedInARow = 0
        } else {
          if workshop.source.refused(token, at: Self.working).isWanted { _ = await workshop.obtain(insteadOf: token) }
          refusedInARow += 1
          #expect(refusedInARow <= 1, "seed \(seed)")
        }
        await workshop.pass(.milliseconds(500))
      }
      #expect(workshop.endpoint.requests.count <= 25, "seed \(seed): \(workshop.endpoint.requests.count) tokens")
    }
  }
}
