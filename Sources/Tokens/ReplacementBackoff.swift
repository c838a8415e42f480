/// How soon a token that the API refused is replaced: at once the first time, later and later when the replacement is
/// refused as well.
///
/// An API that refuses every token would otherwise cost one with every request.
struct ReplacementBackoff {
  private static let longest: Duration = .seconds(300)
  // Where none was refused for so long, or for a token's lifetime, the next refusal has a reason of its own.
  private static let longestMemory: Duration = .seconds(1200)

  private var replacementsInARow = 0
  private var lastRefusal = TokenInstant(nanoseconds: .min)

  /// Whether `token`, which was refused at `now`, may be replaced; if so, it counts as replaced.
  mutating func replaces(_ token: AccessToken, at now: TokenInstant) -> Bool {
    if lastRefusal.duration(to: now) >= min(token.lifetime, Self.longestMemory) { replacementsInARow = 0 }
    lastRefusal = now
    guard replacementsInARow == 0 || token.requestedAt.instant.duration(to: now) >= pause else { return false }
    replacementsInARow += 1
    return true
  }

  private var pause: Duration { min(.seconds(1 << min(replacementsInARow - 1, 16)), Self.longest) }
}
