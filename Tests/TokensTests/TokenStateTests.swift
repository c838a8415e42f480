import Secrets
import Testing

@testable import Tokens

@Suite("The state of one token")
struct TokenStateTests {
  private let start = TokenMoment(instant: TokenInstant(nanoseconds: 1_000_000_000_000), wallSeconds: 1_800_000_000)
  private let refused = TokenFailure.Cause.refused(
    OAuthRefusal(code: .invalidClient, reportedCode: "invalid_client", description: nil, status: 401))
  private let unreachable = TokenFailure.Cause.unreachable(detail: "")

  private func after(_ duration: Duration) -> TokenMoment {
    TokenMoment(
      instant: start.instant.advanced(by: duration), wallSeconds: start.wallSeconds + duration.components.seconds)
  }

  private func token(lifetime: Duration = .seconds(100), at moment: TokenMoment? = nil) -> AccessToken {
    let moment = moment ?? start
    return AccessToken(token: Secret("token-\(moment.instant)"), lifetime: lifetime, requestedAt: moment)
  }

  private func newState() -> TokenState { TokenState(request: TokenGrant.example().summary) }

  /// A token that the API has just refused for the first time, so that another one is wanted.
  private func refusedToken() -> (state: TokenState, token: AccessToken) {
    var state = newState()
    _ = state.request(at: start)
    let token = token()
    _ = state.fetched(.success(token), at: start, random: 1)
    let isWanted = state.refused(token, at: .example, start.instant).isWanted
    #expect(isWanted)
    return (state, token)
  }

  @Test("the first request fetches, the others wait, and then all use the token")
  func singleFlight() throws {
    var state = newState()
    #expect(state.request(at: start).isFetch(.first))
    #expect(state.request(at: start).isWait)
    #expect(state.request(at: after(.seconds(600))).isWait)
    let token = token()
    #expect(state.fetched(.success(token), at: start, random: 1).success === token)
    #expect(state.request(at: after(.seconds(89))).token === token)
  }

  @Test("an expired token is never used, not even while the token endpoint is down")
  func expiredTokenIsNeverUsed() {
    var state = newState()
    _ = state.request(at: start)
    _ = state.fetched(.success(token()), at: start, random: 1)
    let expiry = after(.seconds(90))
    #expect(state.use(at: expiry) == nil)
    #expect(state.request(at: expiry).isFetch(.renewal))
    #expect(state.request(at: expiry).isWait)
    _ = state.fetched(.failure(FailedFetch(unreachable)), at: expiry, random: 1)
    #expect(state.use(at: expiry) == nil)
    #expect(state.request(at: expiry).failure?.cause == .backingOff(after: unreachable))
  }

  @Test("failures are remembered: the failing server gets no request before the pause is over")
  func backsOff() throws {
    var state = newState()
    _ = state.request(at: start)
    let told = state.fetched(.failure(FailedFetch(unreachable)), at: start, random: 0.5)
    #expect(told.failure?.cause == unreachable)
    #expect(told.failure?.secondsToNextAttempt == 1)
    #expect(state.request(at: after(.milliseconds(499))).failure?.cause == .backingOff(after: unreachable))
    #expect(state.request(at: after(.milliseconds(500))).isFetch(.first))
    #expect(state.request(at: after(.milliseconds(500))).isWait)
  }

  @Test("pauses double from 1 s to 5 s, and begin anew after a success")
  func doubles() {
    var state = newState()
    var now = start
    #expect(pauses(10, after: unreachable, &state, &now) == [1, 2, 4, 5, 5, 5, 5, 5, 5, 5])
    _ = state.request(at: now)
    _ = state.fetched(.success(token(lifetime: .seconds(4), at: now)), at: now, random: 1)
    now = now.advanced(by: .seconds(3))
    #expect(pauses(2, after: unreachable, &state, &now) == [1, 2])
  }

  @Test("after refusals that only a person can fix, pauses grow to 30 s")
  func refusalsBackOffLonger() {
    var state = newState()
    var now = start
    #expect(pauses(11, after: refused, &state, &now) == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30])
  }

  @Test("however many failures, the pause stays bounded")
  func manyFailures() {
    var state = newState()
    var now = start
    #expect(pauses(200, after: unreachable, &state, &now).last == 5)
  }

  @Test("jitter is full: from half a second to the whole pause", arguments: [(0.0, 1), (0.5, 3), (1.0, 5)])
  func jitter(random: Double, seconds: Int) {
    var state = newState()
    var now = start
    _ = pauses(6, after: unreachable, &state, &now)
    _ = state.request(at: now)
    let told = state.fetched(.failure(FailedFetch(unreachable)), at: now, random: random)
    #expect(told.failure?.secondsToNextAttempt == seconds)
  }

  @Test(
    "a pause that the server asks for is kept, up to 5 min",
    arguments: [(0, 1), (30, 30), (300, 300), (86_400, 300), (Int64.max, 300)] as [(Int64, Int)])
  func serverAsks(seconds: Int64, expected: Int) {
    var state = newState()
    _ = state.request(at: start)
    let failed = FailedFetch(.throttled, serverAsksToWait: .seconds(seconds))
    #expect(state.fetched(.failure(failed), at: start, random: 1).failure?.secondsToNextAttempt == expected)
    #expect(state.request(at: after(.seconds(expected) - .nanoseconds(1))).failure != nil)
    #expect(state.request(at: after(.seconds(expected))).isFetch(.first))
  }

  @Test("the time until the next attempt is counted down, rounded up")
  func countsDown() {
    var state = newState()
    _ = state.request(at: start)
    _ = state.fetched(
      .failure(FailedFetch(.throttled, serverAsksToWait: .seconds(30))), at: start, random: 1)
    #expect(state.request(at: after(.milliseconds(100))).failure?.secondsToNextAttempt == 30)
    #expect(state.request(at: after(.milliseconds(29_001))).failure?.secondsToNextAttempt == 1)
  }

  @Test("requests wait for another token when the API refuses theirs, and the next fetch says why")
  func invalidates() {
    var (state, token) = refusedToken()
    #expect(state.use(at: start) == nil)
    let isStillWanted = state.refused(token, at: .example, start.instant).isWanted
    #expect(isStillWanted)
    #expect(state.request(at: start).isFetch(.unauthorized))
  }

  @Test("a refused token for which there is no other is used, however long that lasts")
  func irreplaceable() throws {
    var (state, token) = refusedToken()
    var attempts = 0
    for second in 0..<60 {
      let now = after(.seconds(second))
      let decision = state.request(at: now)
      guard second > 0 else {
        #expect(decision.isFetch(.unauthorized))
        #expect(state.request(at: now, insteadOf: token).isWait)
        _ = state.fetched(.failure(FailedFetch(.throttled)), at: now, random: 1)
        continue
      }
      guard case .use(let used, let renewal) = decision, used === token else {
        Issue.record("a request waits, or fails")
        return
      }
      if renewal != nil {
        attempts += 1
        #expect(state.request(at: now, insteadOf: token).isWait)
        _ = state.fetched(.failure(FailedFetch(.throttled)), at: now, random: 1)
      }
      #expect(state.request(at: now, insteadOf: token).failure != nil)
    }
    #expect(attempts > 10)
  }

  @Test("a newer token survives a complaint about an older one")
  func comparesAndDeletes() {
    var state = newState()
    _ = state.request(at: start)
    let old = token()
    _ = state.fetched(.success(old), at: start, random: 1)
    _ = state.request(at: after(.seconds(90)))
    let new = token(at: after(.seconds(90)))
    _ = state.fetched(.success(new), at: after(.seconds(90)), random: 1)
    let dropped = state.refused(old, at: .example, after(.seconds(90)).instant).isWanted
    #expect(!dropped)
    #expect(state.use(at: after(.seconds(91)))?.token === new)
  }

  /// Fails `count` times in a row with `cause` and gives the pauses in seconds, going on to the end of each.
  private func pauses(
    _ count: Int, after cause: TokenFailure.Cause, _ state: inout TokenState, _ now: inout TokenMoment
  ) -> [Int] {
    (0..<count).map { _ in
      _ = state.request(at: now)
      let told = state.fetched(.failure(FailedFetch(cause)), at: now, random: 1)
      let seconds = told.failure?.secondsToNextAttempt ?? 0
      now = now.advanced(by: .seconds(seconds))
      return seconds
    }
  }
}

extension TokenState.Decision {
  fileprivate var isWait: Bool {
    if case .wait = self { true } else { false }
  }

  fileprivate func isFetch(_ expected: TokenEvent.Reason) -> Bool {
    if case .fetch(let reason) = self { reason == expected } else { false }
  }

  fileprivate var token: AccessToken? {
    if case .use(let token, _) = self { token } else { nil }
  }

  fileprivate var failure: TokenFailure? {
    if case .fail(let failure) = self { failure } else { nil }
  }
}
