/// How long the token endpoint is left alone after failures: 1 s doubling to 60 s, with full jitter.
///
/// Refusals that only a change of the configuration or at the server mends reach 5 min, and so does what the server
/// itself asks for.
struct TokenBackoff {
  private static let longest: Duration = .seconds(60)
  private static let longestWhenRefused: Duration = .seconds(300)
  private static let longestAskedFor: Duration = .seconds(300)

  private var failuresInARow = 0

  /// Counts `failure` and gives the time to wait; `random` is in 0...1.
  mutating func delay(after failure: FailedFetch, random: Double) -> Duration {
    failuresInARow += 1
    let ceiling = min(.seconds(1 << min(failuresInARow - 1, 16)), Self.longest(after: failure.cause))
    let asked = min(failure.serverAsksToWait ?? .zero, Self.longestAskedFor)
    return max(ceiling * random, asked)
  }

  mutating func succeeded() { failuresInARow = 0 }

  private static func longest(after cause: TokenFailure.Cause) -> Duration {
    if case .refused(let refusal) = cause, refusal.code.needsMending { return longestWhenRefused }
    return longest
  }
}
