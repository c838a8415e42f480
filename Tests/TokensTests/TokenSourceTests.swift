import Testing
import Tokens

@Suite("One source for all requests")
struct TokenSourceTests {
  @Test("nothing is fetched until a request needs a token, which is then reused until it expires")
  func reuse() async throws {
    let workshop = Workshop()
    #expect(workshop.source.current() == nil)
    #expect(workshop.launched.all.isEmpty)
    workshop.endpoint.replies(.token("one"))
    let token = try #require(await workshop.obtain()?.success)
    #expect(workshop.source.current() === token)
    #expect(await workshop.obtain()?.success === token)
    workshop.clock.advance(by: .seconds(3590))
    workshop.endpoint.replies(.token("two"))
    #expect(await workshop.obtain()?.success?.text == "two")
    #expect(workshop.endpoint.requests.count == 2)
  }

  @Test("thousands of requests on many threads cause one fetch, and all get its token")
  func singleFlight() async throws {
    let gate = Gate()
    let endpoint = ScriptedTokenEndpoint(gate: gate)
    endpoint.replies(.token())
    let source = TokenSource(
      grant: .example(),
      environment: TokenEnvironment(
        transport: endpoint.transport, launch: { work in Task { await work() } },
        schedule: { _, _ in }, onEvent: { _ in }))
    let crowd = 4_000
    let enrolled = Collected<Void>()
    let tokens = await withTaskGroup(of: AccessToken?.self) { group in
      for _ in 0..<crowd {
        group.addTask {
          await withCheckedContinuation { continuation in
            let availability = source.request { continuation.resume(returning: $0.success) }
            if case .pending = availability {
              // The last one to take a place opens the gate: until then the fetch is under way.
              if enrolled.append(()) == crowd { gate.open() }
            } else {
              continuation.resume(returning: nil)
            }
          }
        }
      }
      return await group.reduce(into: [AccessToken?]()) { $0.append($1) }
    }
    let token = try #require(source.current())
    #expect(tokens.count == crowd)
    #expect(tokens.allSatisfy { $0 === token })
    #expect(endpoint.requests.count == 1)
    #expect(endpoint.mostUnderWay == 1)
  }

  @Test("all waiting requests get the same failure, in the order in which they came")
  func sharedFailure() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.refusal("unauthorized_client", status: 403))
    let results = Collected<(Int, TokenFailure?)>()
    for number in 0..<50 {
      guard case .pending = workshop.source.request({ results.append((number, $0.failure)) }) else {
        Issue.record("number \(number) did not get a place")
        continue
      }
    }
    #expect(workshop.launched.all.count == 1)
    await workshop.runFetches()
    #expect(results.all.map(\.0) == Array(0..<50))
    #expect(Set(results.all.map(\.1)).count == 1)
    #expect(results.all.first?.1?.cause.label == "unauthorized_client")
  }

  @Test("a request that gives up gets no result; the fetch goes on for the others, and for the next")
  func cancel() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token())
    let results = Collected<Int>()
    guard case .pending(let leader) = workshop.source.request({ _ in results.append(1) }),
      case .pending(let other) = workshop.source.request({ _ in results.append(2) })
    else {
      Issue.record("both should wait")
      return
    }
    #expect(leader != other)
    #expect(workshop.source.cancel(leader))
    #expect(!workshop.source.cancel(leader))
    await workshop.runFetches()
    #expect(results.all == [2])
    #expect(!workshop.source.cancel(other))
    #expect(workshop.source.current() != nil)
  }

  @Test("the fetch ends and its token is kept even when all have gone")
  func allGone() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token())
    guard case .pending(let waiter) = workshop.source.request({ _ in Issue.record("told after all") }) else {
      Issue.record("should wait")
      return
    }
    workshop.source.cancel(waiter)
    await workshop.runFetches()
    #expect(workshop.source.current() != nil)
  }

  @Test("a failing server is asked again only after the pause")
  func backsOff() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.json("", status: 429, rateLimitReset: "20"))
    workshop.endpoint.replies(.token())
    #expect(await workshop.obtain()?.failure?.secondsToNextAttempt == 20)
    for _ in 0..<100 { #expect(await workshop.obtain()?.failure?.cause == .backingOff(after: .throttled)) }
    workshop.clock.advance(by: .seconds(20))
    #expect(await workshop.obtain()?.success != nil)
    #expect(workshop.endpoint.requests.count == 2)
  }

  @Test(
    "Retry-After counts with every failure, RateLimit-Reset with 429 only",
    arguments: [
      (.json("", status: 429, retryAfter: "7", rateLimitReset: "40"), 7),
      (.json("", status: 429, rateLimitReset: "40"), 40),
      (.json("", status: 429, retryAfter: "soon", rateLimitReset: "40"), 40),
      (.json("", status: 429, retryAfter: "Sun, 06 Nov 1994 08:49:37 GMT", date: "Sun, 06 Nov 1994 08:49:07 GMT"), 30),
      (.json("", status: 429, retryAfter: "Sun, 06 Nov 1994 08:49:37 GMT"), 1),
      (.json("", status: 429, retryAfter: "Wed, 31 Dec 9999 23:59:59 GMT"), 300),
      (.json("", status: 429, retryAfter: "-5"), 1), (.json("", status: 429, retryAfter: "99999999999999999999"), 300),
      (.json("", status: 429, retryAfter: ""), 1), (.json("", status: 503, retryAfter: "9", rateLimitReset: "40"), 9),
      (.json(#"{"error":"invalid_client"}"#, status: 401, rateLimitReset: "40"), 1),
    ] as [(TokenHTTPResponse, Int)])
  func serverAsks(response: TokenHTTPResponse, seconds: Int) async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(response)
    #expect(await workshop.obtain()?.failure?.secondsToNextAttempt == seconds)
  }

  @Test("after a token that the API refused, the next request fetches a new one")
  func invalidate() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.token("one"))
    workshop.endpoint.replies(.token("two"))
    let one = try #require(await workshop.obtain()?.success)
    #expect(workshop.source.refused(one, at: .example).isWanted)
    let two = try #require(await workshop.obtain()?.success)
    #expect(!workshop.source.refused(one, at: .example).isWanted)
    #expect(workshop.source.current() === two)
    #expect(workshop.events.all.map(\.reason) == [.first, .unauthorized])
  }

  @Test("each fetch is reported once: its reason, its result, its duration and the count")
  func events() async throws {
    let workshop = Workshop()
    workshop.endpoint.replies(.json("", status: 429))
    workshop.endpoint.replies(.token(expiresIn: 86_400)) { workshop.clock.advance(by: .milliseconds(44)) }
    workshop.endpoint.replies(.token("another-token"))
    _ = await workshop.obtain()
    workshop.clock.advance(by: .seconds(1))
    _ = await workshop.obtain()
    _ = await workshop.obtain()
    workshop.clock.advance(by: .seconds(86_400))
    _ = await workshop.obtain()

    let events = workshop.events.all
    #expect(events.map(\.reason) == [.first, .first, .renewal])
    #expect(workshop.source.grant.spending.sinceStart == 2)
    #expect(events.map(\.fetchedToday) == [0, 1, 1])
    #expect(events.map(\.took) == [.zero, .milliseconds(44), .zero])
    guard case .failed(let failure) = events.first?.outcome else {
      Issue.record("the first fetch should have failed")
      return
    }
    #expect(failure.cause == .throttled)
    #expect(
      events.dropFirst().map(\.outcome) == [
        .fetched(lifetime: .seconds(86_400)), .fetched(lifetime: .seconds(3600)),
      ])
    #expect(events.allSatisfy { $0.request == workshop.source.grant.summary })
  }

  @Test("tokens of one day (UTC) are counted together")
  func fetchedToday() async throws {
    let workshop = Workshop()
    // The manual clock begins at 08:00 UTC.
    for hours in [0, 8, 7, 1] {
      workshop.clock.advance(by: .seconds(hours * 3600))
      workshop.endpoint.replies(.token())
      _ = await workshop.obtain()
    }
    #expect(workshop.events.all.map(\.fetchedToday) == [1, 2, 3, 1])
    #expect(workshop.source.grant.spending.sinceStart == 4)
  }
}
