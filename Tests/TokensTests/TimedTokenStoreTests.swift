import Locks
import Secrets
import Testing

@testable import Tokens

/// A store whose operations wait for a test, and then do what they are for.
final class HangingStore: TokenStore {
  private struct State {
    var gate: Gate?
    var underway = 0
    var most = 0
    var calls = 0
  }

  let store = SharedStore()
  private let state = Monitor(State())

  /// Every operation that begins from now on waits until the gate is opened; nil for none.
  func hang(at gate: Gate?) { state.withLock { $0.gate = gate } }

  /// How many operations there were, how many there are, and how many there were at once at most.
  var figures: (calls: Int, underway: Int, most: Int) { state.withLock { ($0.calls, $0.underway, $0.most) } }

  private func use<R: Sendable>(
    _ work: @Sendable () async throws(TokenStoreProblem) -> R
  ) async throws(TokenStoreProblem) -> R {
    let gate = state.withLock { state in
      state.calls += 1
      state.underway += 1
      state.most = max(state.most, state.underway)
      return state.gate
    }
    defer { state.withLock { $0.underway -= 1 } }
    await gate?.pass()
    return try await work()
  }

  func load(_ grant: TokenGrant) async throws(TokenStoreProblem) -> StoredToken? {
    try await use { () async throws(TokenStoreProblem) in try await store.load(grant) }
  }

  func save(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    try await use { () async throws(TokenStoreProblem) in try await store.save(token, for: grant) }
  }

  func drop(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    try await use { () async throws(TokenStoreProblem) in try await store.drop(token, for: grant) }
  }

  func claim(_ grant: TokenGrant, for duration: Duration) async throws(TokenStoreProblem) -> (any TokenClaim)? {
    let claim = try await use { () async throws(TokenStoreProblem) in try await store.claim(grant, for: duration) }
    return claim.map { Claim(store: self, claim: $0) }
  }

  func count(
    _ issued: Int, for account: TokenAccount, knowing known: TokenSums, atWallSeconds seconds: Int64
  ) async throws(TokenStoreProblem) -> TokenSums {
    try await use { () async throws(TokenStoreProblem) in
      try await store.count(issued, for: account, knowing: known, atWallSeconds: seconds)
    }
  }

  private struct Claim: TokenClaim {
    let store: HangingStore
    let claim: any TokenClaim

    func release() async {
      // Cannot fail: the work throws nothing.
      try? await store.use { () async throws(TokenStoreProblem) in await claim.release() }
    }
  }
}

@Suite("A store that hangs")
struct TimedTokenStoreTests {
  private let store = HangingStore()
  private let clock = ManualClock()
  private let endpoint = ScriptedTokenEndpoint()
  private let scheduled = Collected<(Duration, @Sendable () -> Void)>()

  private func process(_ grant: TokenGrant = .example()) -> Workshop {
    Workshop(grant: grant, endpoint: endpoint, clock: clock, store: store)
  }

  /// What a look into the store fails with.
  private func problem(of store: TimedTokenStore) async -> TokenStoreProblem.Kind? {
    do throws(TokenStoreProblem) {
      _ = try await store.load(.example())
      return nil
    } catch { return error.kind }
  }

  private func wait(_ condition: () -> Bool) async { while !condition() { await Task.yield() } }

  private func wait(untilFree: Gate) async {
    untilFree.open()
    await wait { store.figures.underway == 0 }
  }

  @Test("a request waits 2 s for it, then for the server, and those after it for the server alone")
  func hang() async throws {
    let gate = Gate()
    store.hang(at: gate)
    let workshop = process()
    endpoint.replies(.token("one"))
    let results = Collected<Result<AccessToken, TokenFailure>>()
    _ = workshop.source.request { results.append($0) }
    async let fetch: Void = workshop.runFetches()
    await wait { store.figures.calls == 1 && !workshop.scheduled.all.isEmpty }
    await workshop.pass(.milliseconds(1999))
    #expect(results.all.isEmpty && endpoint.requests.isEmpty)
    await workshop.pass(.milliseconds(1))
    await fetch
    #expect(results.all.first?.success?.text == "one")
    // Five operations were tried, and one went to the store.
    #expect(workshop.storeProblems.all.map(\.kind) == [.stalled], "it is told once")
    #expect(store.figures == (1, 1, 1))

    store.hang(at: nil)
    await wait(untilFree: gate)
  }

  @Test("while one operation hangs, no other is begun, however long that takes, and all are done without")
  func atMostOne() async throws {
    let timed = TimedTokenStore(store, clock: clock.clock, schedule: { [scheduled] in scheduled.append(($0, $1)) })
    let gate = Gate()
    store.hang(at: gate)
    let problems = Collected<TokenStoreProblem>()
    func load() async {
      do { _ = try await timed.load(.example()) } catch { problems.append(error) }
    }
    await withTaskGroup { group in
      for _ in 0..<20 { group.addTask { await load() } }
      await wait { scheduled.all.count == 20 }
      clock.advance(by: .seconds(2))
      for (_, call) in scheduled.removeAll() { call() }
    }
    #expect(problems.all.count == 20 && Set(problems.all.map(\.kind)) == [.stalled])
    #expect(problems.all.count { !$0.isRepeated } == 1)
    #expect(store.figures == (1, 1, 1))
    // Later operations do not wait at all.
    for _ in 0..<100 {
      clock.advance(by: .seconds(10))
      await load()
    }
    #expect(problems.all.count == 120 && problems.all.dropFirst(20).allSatisfy(\.isRepeated))
    #expect(store.figures == (1, 1, 1) && scheduled.all.isEmpty)
    store.hang(at: nil)
    await wait(untilFree: gate)
    await load()
    #expect(problems.all.count == 120, "it is used again")
  }

  @Test("it is tried again 30 s after an operation hung, not earlier; another hang is reported again")
  func again() async throws {
    let workshop = process()
    func hang(_ token: String) async {
      let gate = Gate()
      store.hang(at: gate)
      let calls = store.figures.calls
      endpoint.replies(.token(token))
      _ = workshop.source.request { _ in }
      async let fetch: Void = workshop.runFetches()
      await wait { store.figures.calls == calls + 1 && !workshop.scheduled.all.isEmpty }
      await workshop.pass(.seconds(2))
      await fetch
      store.hang(at: nil)
      gate.open()
      // What hung is a claim, and it is given back.
      await wait { store.figures.calls == calls + 2 && store.figures.underway == 0 }
    }
    await hang("one")
    let calls = store.figures.calls
    let token = try #require(workshop.source.current())
    #expect(token.text == "one")
    clock.advance(by: .milliseconds(29_900))
    // Refused at once: it is to be dropped from the store.
    workshop.source.refused(token, at: .example)
    await workshop.runFetches()
    #expect(store.figures.calls == calls)
    clock.advance(by: .milliseconds(200))
    endpoint.replies(.token("two"))
    #expect(await workshop.obtain()?.success?.text == "two")
    #expect(store.store.token()?.token.text == "two")
    #expect(workshop.storeProblems.all.map(\.kind) == [.stalled])
    let two = try #require(workshop.source.current())
    clock.advance(by: .seconds(1200))
    store.store.state.withLock { $0.tokens = [:] }
    workshop.source.refused(two, at: .example)
    await workshop.runFetches()
    await hang("three")
    #expect(workshop.storeProblems.all.map(\.kind) == [.stalled, .stalled])
  }

  @Test("a claim that is granted late is given back, so that other processes need not wait for it")
  func lateClaim() async throws {
    let gate = Gate()
    store.hang(at: gate)
    let workshop = process()
    endpoint.replies(.token("one"))
    _ = workshop.source.request { _ in }
    async let fetch: Void = workshop.runFetches()
    await wait { store.figures.calls == 1 && !workshop.scheduled.all.isEmpty }
    await workshop.pass(.seconds(2))
    await fetch
    store.hang(at: nil)
    await wait(untilFree: gate)
    await wait { store.store.state.withLock { $0.claimed.isEmpty } }
    #expect(try await store.store.claim(.example(), for: .seconds(1)) != nil)
  }

  @Test("a claim that is held when the store begins to hang is given back when that ends, and nothing waits for it")
  func heldClaim() async throws {
    let gate = Gate()
    let timed = TimedTokenStore(store, clock: clock.clock, schedule: { [scheduled] in scheduled.append(($0, $1)) })
    let claim = try #require(try await timed.claim(.example(), for: .seconds(1)))
    _ = scheduled.removeAll()
    store.hang(at: gate)
    async let load = problem(of: timed)
    await wait { scheduled.all.count == 1 && store.figures.underway == 1 }
    clock.advance(by: .seconds(2))
    for (_, call) in scheduled.removeAll() { call() }
    #expect(await load == .stalled)
    await claim.release()
    #expect(!store.store.state.withLock { $0.claimed.isEmpty })
    store.hang(at: nil)
    gate.open()
    await wait { store.store.state.withLock { $0.claimed.isEmpty } }
  }

  @Test("an operation that waits for slow ones, none of which hangs, is given up alone")
  func slow() async throws {
    let timed = TimedTokenStore(store, clock: clock.clock, schedule: { [scheduled] in scheduled.append(($0, $1)) })
    let gates = [Gate(), Gate()]
    store.hang(at: gates[0])
    async let first = problem(of: timed)
    await wait { scheduled.all.count == 1 && store.figures.underway == 1 }
    clock.advance(by: .milliseconds(500))
    async let second = problem(of: timed)
    await wait { scheduled.all.count == 2 }
    clock.advance(by: .seconds(1))
    store.hang(at: gates[1])
    gates[0].open()
    #expect(await first == nil)
    await wait { scheduled.all.count == 3 }
    // The second was called 2 s ago, and has run for 1 s.
    clock.advance(by: .seconds(1))
    scheduled.all[1].1()
    #expect(await second == .stalled)
    store.hang(at: nil)
    gates[1].open()
    await wait { store.figures.underway == 0 }
    #expect(await problem(of: timed) == nil, "the store is not left alone for that")
  }
}
