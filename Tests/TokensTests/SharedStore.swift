import Locks
import Secrets
import Tokens

/// A store for several machines, as far as one process can be several: everything in memory, and nothing at once.
final class SharedStore: TokenStore {
  struct State {
    var tokens: [TokenRequestKey: StoredToken] = [:]
    var claimed: Set<TokenRequestKey> = []
    var sums: [TokenAccount: TokenSums] = [:]
    var problem: TokenStoreProblem?
    var whileSaving: @Sendable () -> Void = {}
  }

  let state = Monitor(State())

  /// Every call fails with this from now on; nil for none.
  func fail(_ problem: TokenStoreProblem?) { state.withLock { $0.problem = problem } }

  /// The token that is kept for `grant`.
  func token(_ grant: TokenGrant = .example()) -> StoredToken? { state.withLock { $0.tokens[grant.key] } }

  func keep(_ token: StoredToken, for grant: TokenGrant = .example()) {
    state.withLock { $0.tokens[grant.key] = token }
  }

  private func use<R: Sendable>(_ body: @Sendable (inout State) -> R) async throws(TokenStoreProblem) -> R {
    await Task.yield()
    let result: Result<R, TokenStoreProblem> = state.withLock { state in
      if let problem = state.problem { return .failure(problem) }
      return .success(body(&state))
    }
    return try result.get()
  }

  func load(_ grant: TokenGrant) async throws(TokenStoreProblem) -> StoredToken? {
    try await use { $0.tokens[grant.key] }
  }

  func save(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    state.withLock { $0.whileSaving }()
    try await use { $0.tokens[grant.key] = token }
  }

  func drop(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem) {
    try await use { state in
      if state.tokens[grant.key]?.token == token.token { state.tokens[grant.key] = nil }
    }
  }

  func claim(_ grant: TokenGrant, for duration: Duration) async throws(TokenStoreProblem) -> (any TokenClaim)? {
    let isGranted = try await use { $0.claimed.insert(grant.key).inserted }
    return isGranted ? Claim(store: self, key: grant.key) : nil
  }

  func count(
    _ issued: Int, for account: TokenAccount, knowing known: TokenSums, atWallSeconds seconds: Int64
  ) async throws(TokenStoreProblem) -> TokenSums {
    try await use { state in
      state.sums[account, default: TokenSums()].merge(known, atWallSeconds: seconds)
      state.sums[account, default: TokenSums()].add(issued, atWallSeconds: seconds)
      return state.sums[account]!
    }
  }

  private struct Claim: TokenClaim {
    let store: SharedStore
    let key: TokenRequestKey

    func release() async { _ = store.state.withLock { $0.claimed.remove(key) } }
  }
}
