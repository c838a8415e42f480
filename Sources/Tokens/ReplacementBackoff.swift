/// How soon a token that the API refused is replaced: at once the first time, later and later when the replacement is
/// refused as well.
///
/// An API that refuses every token would otherwise cost one with every request.
struct ReplacementBackoff {
  private static let longest: Duration = .seconds(300)
  // A token that was good for so long was refused for a reason of its own.
  private static let proven: Duration = .seconds(1200)

  private var replacementsInARow = 0

  /// Whether a token that was obtained at `obtained` may be replaced at `now`; if so, it counts as replaced.
  mutating func replaces(tokenObtainedAt obtained: TokenInstant, at now: TokenInstant) -> Bool {
    let age = obtained.duration(to: now)
    if age >= Self.proven { replacementsInARow = 0 }
    guard replacementsInARow == 0 || age >= pause else { return false }
    replacementsInARow += 1
    return true
  }

  private var pause: Duration { min(.seconds(1 << min(replacementsInARow - 1, 16)), Self.longest) }
}
