extension TokenState {
  /// What a token that a store has is good for.
  enum StoredTokenUse {
    /// It is used instead of fetching one.
    case instead
    /// It is used until one is fetched, which goes on.
    case meanwhile
    /// Nothing: there is no such token, or it has been tried, or its time is over.
    case none
  }

  /// What `stored` is good for; `random`, in 0...1, is that of its renewal.
  func use(of stored: AccessToken, at now: TokenMoment, random: Double) -> StoredTokenUse {
    guard stored.isUsable(at: now), !hasTried(stored) else { return .none }
    if now.instant < stored.renewalTime(random: random) { return .instead }
    return usableToken(at: now) == nil ? .meanwhile : .none
  }
}
