/// Where tokens outlive the process, and where processes share them and agree on who fetches the next one.
///
/// A store is a convenience: whoever asks it goes on without it when it fails, at the cost of one token. Nothing may
/// wait for long, and no thread that serves requests may be held up; that is why everything is asynchronous.
public protocol TokenStore: Sendable {
  /// The token that is kept for `grant`; nil when there is none.
  func load(_ grant: TokenGrant) async throws(TokenStoreProblem) -> StoredToken?

  /// Keeps `token` for `grant`, in place of the one that was there.
  func save(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem)

  /// Removes `token`, unless another one has taken its place.
  func drop(_ token: StoredToken, for grant: TokenGrant) async throws(TokenStoreProblem)

  /// The right to fetch a token for `grant`; nil while somebody else has it. It ends when it is released or its holder
  /// dies: at once where the store notices that, otherwise after `duration`.
  func claim(_ grant: TokenGrant, for duration: Duration) async throws(TokenStoreProblem) -> (any TokenClaim)?

  /// Adds `issued` tokens to those of `account`, and gives what those of all processes add up to; `seconds` are since
  /// 1970. What the caller `knows` of is made up for if the store has lost it.
  func count(
    _ issued: Int, for account: TokenAccount, knowing known: TokenSums, atWallSeconds seconds: Int64
  ) async throws(TokenStoreProblem) -> TokenSums
}

/// The right to fetch a token, which nobody else has meanwhile.
public protocol TokenClaim: Sendable {
  /// Gives it back.
  func release() async
}
