import Locks
import Secrets
import Testing

@testable import Tokens

@Suite("Tokens in a store")
struct TokenStoreTests {
  private let store = SharedStore()
  private let clock = ManualClock()
  private let endpoint = ScriptedTokenEndpoint()

  /// A process that uses the store.
  private func process(_ grant: TokenGrant = .example(), random: Double = 1) -> Workshop {
    Workshop(grant: grant, endpoint: endpoint, random: random, clock: clock, store: store)
  }

  private func stored(_ token: String, age: Int64 = 0, lifetime: Duration = .seconds(3600)) -> StoredToken {
    StoredToken(token: Secret(token), requestedAt: clock.wallSeconds - age, lifetime: lifetime)
  }

  private func text(_ workshop: Workshop) async -> String? {
    await workshop.obtain()?.success?.text
  }

  @Test("a process that is started anew uses the token that was there before, and counts none as issued")
  func restart() async throws {
    endpoint.replies(.token("one"))
    #expect(await text(process()) == "one")
    clock.advance(by: .seconds(1000))
    let restarted = process()
    #expect(await text(restarted) == "one")
    #expect(endpoint.requests.count == 1)
    let event = try #require(restarted.events.all.first)
    #expect(restarted.events.all.count == 1 && event.source == .store && event.reason == .first && event.attempts == 0)
    // The time that is left, and a second less: the store knows whole seconds.
    #expect(event.outcome == .fetched(lifetime: .seconds(2599)))
    #expect(restarted.source.grant.spending.sinceStart == 0)
  }

  @Test("the age of a token counts from when it was asked for, whatever the boot clock says, and it ends in time")
  func age() async throws {
    store.keep(stored("one", age: 3000))
    let workshop = process()
    #expect(await text(workshop) == "one")
    // 600 s are left, less the 10 s in which it is not used, and one second of uncertainty.
    clock.advance(by: .seconds(588))
    #expect(workshop.source.current() != nil)
    clock.advance(by: .seconds(1))
    #expect(workshop.source.current() == nil)
  }

  @Test("the process that renews first serves all: the others find its token when their own time comes")
  func renewal() async throws {
    let early = process(random: 1)
    let late = process(random: 0)
    endpoint.replies(.token("one"))
    #expect(await text(early) == "one")
    #expect(await text(late) == "one")
    endpoint.replies(.token("two"))
    // 3600 s less 300 s and a quarter of that: the early one's time.
    await early.pass(.seconds(3224))
    _ = early.source.current()
    await early.pass(.seconds(2))
    #expect(endpoint.requests.count == 2)
    #expect(late.source.current() != nil)
    await late.pass(.seconds(80))
    #expect(endpoint.requests.count == 2)
    #expect(late.events.all.map(\.source) == [.store, .store])
    #expect(late.events.all.map(\.reason) == [.first, .renewal])
    #expect(await text(late) == "two")
  }

  @Test("a token that is due for renewal is used until there is a new one: no request waits for that")
  func meanwhile() async throws {
    store.keep(stored("old", age: 3400))
    let gate = Gate()
    let slow = ScriptedTokenEndpoint(gate: gate)
    slow.replies(.token("new"))
    let workshop = Workshop(endpoint: slow, clock: clock, store: store)
    let results = Collected<Result<AccessToken, TokenFailure>>()
    guard case .pending = workshop.source.request({ results.append($0) }) else {
      Issue.record("the store has to be asked first")
      return
    }
    async let fetches: Void = workshop.runFetches()
    while results.all.isEmpty { await Task.yield() }
    #expect(results.all[0].success?.text == "old")
    #expect(workshop.source.current() != nil)
    gate.open()
    await fetches
    #expect(await text(workshop) == "new")
    #expect(slow.requests.count == 1)
  }

  @Test("while the token endpoint is down, a restart goes on with the token that is there")
  func outage() async throws {
    store.keep(stored("old", age: 3400))
    let workshop = process()
    #expect(await text(workshop) == "old")
    #expect(workshop.source.current() != nil)
    #expect(workshop.events.all.first?.source == .server)
  }

  @Test("a token that the API refused never comes back, neither in this process nor in the next")
  func refused() async throws {
    endpoint.replies(.token("one"))
    let workshop = process()
    let one = try #require(await workshop.obtain()?.success)
    #expect(workshop.source.refused(one, at: .example).isWanted)
    await workshop.runFetches()
    #expect(store.token() == nil)
    endpoint.replies(.token("two"))
    #expect(await text(process()) == "two")
  }

  @Test("a token is dropped from the store once, to however many requests it is refused while there is no other")
  func droppedOnce() async throws {
    endpoint.replies(.token("one"))
    let workshop = process()
    let one = try #require(await workshop.obtain()?.success)
    for _ in 0..<100 { #expect(workshop.source.refused(one, at: .example).isWanted) }
    #expect(workshop.launched.all.count == 1)
    await workshop.runFetches()
    endpoint.replies(.refusal("invalid_client", status: 401))
    #expect(await workshop.obtain()?.failure != nil)
    for _ in 0..<100 { #expect(workshop.source.refused(one, at: .example).isWanted) }
    #expect(workshop.launched.all.isEmpty)
  }

  @Test("a refused token is not used even when the store cannot drop it")
  func refusedAndKept() async throws {
    endpoint.replies(.token("one"))
    let workshop = process()
    let one = try #require(await workshop.obtain()?.success)
    store.fail(TokenStoreProblem(.unusable, "the disk is read-only"))
    #expect(workshop.source.refused(one, at: .example).isWanted)
    await workshop.runFetches()
    store.fail(nil)
    #expect(store.token() != nil)
    endpoint.replies(.token("two"))
    #expect(await text(workshop) == "two")
  }

  @Test("of several processes whose token is refused, the first gets a new one for all; that one stays")
  func refusedEverywhere() async throws {
    endpoint.replies(.token("one"))
    let first = process()
    let second = process()
    let one = try #require(await first.obtain()?.success)
    let same = try #require(await second.obtain()?.success)
    endpoint.replies(.token("two"))
    first.source.refused(one, at: .example)
    #expect(await text(first) == "two")
    second.source.refused(same, at: .example)
    #expect(await text(second) == "two")
    #expect(endpoint.requests.count == 2)
    #expect(store.token()?.token.text == "two")
  }

  @Test("a token that is refused before it was saved is dropped after it")
  func refusedWhileSaving() async throws {
    endpoint.replies(.token("one"))
    let workshop = process()
    store.state.withLock { state in
      state.whileSaving = {
        if let token = workshop.source.current() { workshop.source.refused(token, at: .example) }
      }
    }
    _ = await workshop.obtain()
    #expect(store.token() == nil)
  }

  @Test("while another process fetches, its token is waited for")
  func taken() async throws {
    let claim = try #require(try await store.claim(.example(), for: .seconds(1)))
    let workshop = process()
    let results = Collected<Result<AccessToken, TokenFailure>>()
    _ = workshop.source.request { results.append($0) }
    await workshop.runFetches()
    await workshop.pass(.seconds(2))
    #expect(results.all.isEmpty)
    store.keep(stored("from-the-other"))
    await claim.release()
    await workshop.pass(.seconds(1))
    #expect(results.all.first?.success?.text == "from-the-other")
    #expect(endpoint.requests.isEmpty && workshop.storeProblems.all.isEmpty)
  }

  @Test("when the other process failed, the next one asks")
  func takenInVain() async throws {
    let claim = try #require(try await store.claim(.example(), for: .seconds(1)))
    let workshop = process()
    endpoint.replies(.token("one"))
    _ = workshop.source.request { _ in }
    await workshop.runFetches()
    await claim.release()
    await workshop.pass(.seconds(1))
    #expect(workshop.source.current() != nil)
    #expect(try await store.claim(.example(), for: .seconds(1)) != nil)
  }

  @Test("a process that keeps its claim for longer than any fetch takes is not waited for")
  func stuck() async throws {
    let claim = try await store.claim(.example(), for: .seconds(1))
    let workshop = process()
    endpoint.replies(.token("one"))
    store.keep(stored("from the future", age: -1000))
    _ = workshop.source.request { _ in }
    await workshop.runFetches()
    await workshop.pass(.milliseconds(10_900))
    #expect(endpoint.requests.isEmpty)
    await workshop.pass(.milliseconds(200))
    #expect(workshop.source.current() != nil)
    #expect(workshop.storeProblems.all.map(\.kind) == [.distrusted, .locked], "each is told once")
    _ = claim
  }

  @Test("a store that is of no help costs a warning, never a request")
  func broken() async throws {
    store.fail(TokenStoreProblem(.unusable, "the disk is full"))
    let workshop = process()
    endpoint.replies(.token("one"))
    #expect(await text(workshop) == "one")
    #expect(!workshop.storeProblems.all.isEmpty)
    #expect(Set(workshop.storeProblems.all.map(\.kind)) == [.unusable])
  }

  @Test(
    "a token whose times cannot be right is not used, and one is fetched",
    arguments: [
      (-3, 3600), (-10_000_000_000, 3600), (Int64.max, 3600), (0, 0), (0, -1), (0, 10_000_000_000),
    ] as [(Int64, Int64)])
  func absurd(age: Int64, lifetime: Int64) async throws {
    let requestedAt = age == .max ? Int64.min : clock.wallSeconds - age
    store.keep(StoredToken(token: Secret("odd"), requestedAt: requestedAt, lifetime: .seconds(lifetime)))
    let workshop = process()
    endpoint.replies(.token("one"))
    #expect(await text(workshop) == "one")
    #expect(workshop.storeProblems.all.map(\.kind) == [.distrusted])
  }

  @Test("a token that does not belong in a field is not used", arguments: ["", "a b", "a\r\nb", "ö"])
  func unsuitable(token: String) async throws {
    store.keep(stored(token))
    endpoint.replies(.token("one"))
    #expect(await text(process()) == "one")
  }

  @Test("an expired token is not used, and is no reason for a warning")
  func expired() async throws {
    store.keep(stored("old", age: 3600))
    let workshop = process()
    endpoint.replies(.token("one"))
    #expect(await text(workshop) == "one")
    #expect(workshop.storeProblems.all.isEmpty)
  }

  private func key(
    authentication: ClientAuthenticationMethod = .clientSecretPost, resources: [String] = [],
    headers: [String: String] = [:], way: Int = 0, certificateFile: String? = nil
  ) -> TokenRequestKey {
    TokenRequestKey(
      endpoint: "https://login.example.com/token", clientID: "id", authentication: authentication, audience: nil,
      scopes: [], resources: resources, headers: headers.mapValues { Secret($0) }, way: way,
      certificateFile: certificateFile)
  }

  @Test("everything that tells token requests from each other is part of their identity")
  func identity() throws {
    let key = TokenGrant.example().key
    // If you add a property, add it to `identity` too, and a case below.
    #expect(Mirror(reflecting: key).children.count == 10)
    let others: [TokenGrant] = [
      .example(endpoint: "https://other.kinde.com/oauth2/token"), .example(clientID: "client-2"),
      .example(authentication: .clientSecretBasic), .example(audience: nil), .example(audience: ""),
      .example(scopes: []), .example(scopes: ["read:orders", "write:orders"]), .example(scopes: ["read:orders write"]),
      .example(parameters: ["a": "b"]), .example(parameters: ["a": "b", "c": "d"]), .example(parameters: ["ab": ""]),
    ]
    let keys =
      [key] + others.map(\.key) + [
        self.key(), self.key(resources: ["a"]), self.key(resources: ["a", "b"]), self.key(headers: ["a": "b"]),
        self.key(headers: ["a": "c"]), self.key(headers: ["b": "b"]), self.key(certificateFile: "/a.pem"),
        self.key(authentication: .tlsClientAuth),
      ]
    #expect(Set(try keys.map { try $0.identity() }).count == keys.count)
    #expect(try TokenGrant.example(secret: "another").key.identity() == key.identity())
    // The same way may have another number in another process.
    #expect(try self.key(way: 1).identity() == self.key().identity())
    #expect(try !String(decoding: self.key(headers: ["a": "hunter2"]).identity(), as: UTF8.self).contains("hunter2"))
  }
}

@Suite("What tokens add up to, in a store")
struct StoredSpendingTests {
  private let store = SharedStore()
  private let clock = ManualClock()
  private let endpoint = ScriptedTokenEndpoint()

  private func process(_ budget: TokenBudget? = nil) -> Workshop {
    let example = TokenGrant.example()
    let account = TokenAccount(credentials: "kinde", endpoint: example.key.endpoint, clientID: example.key.clientID)
    return Workshop(
      grant: TokenGrant(
        key: example.key, clientSecret: example.clientSecret,
        spending: TokenSpending(budget: budget, account: account), credentialsName: "kinde", provider: .kinde),
      endpoint: endpoint, clock: clock, store: store)
  }

  private func issued(_ workshop: Workshop) -> Int {
    workshop.source.grant.spending.issued(in: .month, atWallSeconds: clock.wallSeconds)
  }

  @Test("a monthly budget survives restarts, and its alarms are raised once")
  func restarts() async throws {
    var alarms: [Int?] = []
    for number in 0..<12 {
      endpoint.replies(.token("\(number)"))
      let workshop = process(TokenBudget(tokens: 10, period: .month, stops: false))
      _ = await workshop.obtain()
      #expect(issued(workshop) == number + 1)
      alarms += workshop.events.all.map { $0.alarm?.used }
      clock.advance(by: .seconds(3600))
    }
    #expect(alarms == [nil, nil, nil, nil, nil, nil, nil, 8, nil, 10, nil, nil])
  }

  @Test("a budget that stops is spent by all processes together")
  func shared() async throws {
    let budget = TokenBudget(tokens: 2, period: .day, stops: true)
    for name in ["one", "two"] {
      endpoint.replies(.token(name))
      #expect(await process(budget).obtain()?.success != nil)
      clock.advance(by: .seconds(3600))
    }
    #expect(await process(budget).obtain()?.failure?.cause == .budgetSpent(budget))
    #expect(endpoint.requests.count == 2)
  }

  @Test("a token from the store shows what was issued before")
  func known() async throws {
    endpoint.replies(.token())
    _ = await process().obtain()
    let other = process()
    _ = await other.obtain()
    #expect(issued(other) == 1)
    #expect(other.events.all.map(\.fetchedToday) == [1])
    #expect(other.source.grant.spending.sinceStart == 0)
  }

  @Test("what could not be counted in the store is counted there the next time")
  func unsaved() async throws {
    let workshop = process()
    store.fail(TokenStoreProblem(.unusable, "the disk is full"))
    endpoint.replies(.token("one"))
    _ = await workshop.obtain()
    #expect(issued(workshop) == 1)
    store.fail(nil)
    clock.advance(by: .seconds(3600))
    endpoint.replies(.token("two"))
    _ = await workshop.obtain()
    #expect(issued(workshop) == 2)
    let later = process()
    _ = await later.obtain()
    #expect(issued(later) == 2)
  }

  @Test("while the store fails, a budget begins anew in the next period as it does without one")
  func nextPeriod() async throws {
    store.fail(TokenStoreProblem(.unusable, "the disk is full"))
    let workshop = process(TokenBudget(tokens: 1, period: .hour, stops: true))
    for name in ["one", "two", "three"] {
      endpoint.replies(.token(name))
      #expect(await workshop.obtain()?.success?.text == name)
      workshop.clock.advance(by: .seconds(3600))
    }
  }

  @Test("what the store has lost is made up for by a process that knows it")
  func lost() async throws {
    let workshop = process()
    endpoint.replies(.token("one"))
    _ = await workshop.obtain()
    store.state.withLock { $0.sums = [:] }
    clock.advance(by: .seconds(3600))
    endpoint.replies(.token("two"))
    _ = await workshop.obtain()
    let later = process()
    _ = await later.obtain()
    #expect(issued(later) == 2)
  }
}
