/// How long to leave the token endpoint alone after failures: 1 s doubling to 5 s, with full jitter; up to 30 s after
/// rejections that only a change of the configuration or of the server can fix.
///
/// Meanwhile requests that need the token fail, so these waits are short; and after a wait, nothing is fetched until
/// such a request arrives. A wait that the server asks for is observed up to 5 min. While there is a usable token no
/// request fails: waits reach 60 s, and 5 min after rejections; towards the token's end attempts come sooner and
/// sooner, so that an outage that ends before the token does goes unnoticed.
struct TokenBackoff {
  private static let shortest: Duration = .milliseconds(500)
  private static let longest: Duration = .seconds(5)
  private static let longestWhenRefused: Duration = .seconds(30)
  private static let longestAskedFor: Duration = .seconds(300)
  private static let longestWhileUsable: Duration = .seconds(60)
  private static let longestWhileUsableWhenRefused: Duration = .seconds(300)

  private var failuresInARow = 0

  /// Counts `failure` and returns the time to wait. `random` is in 0...1; `usable` is how much longer a token can be used.
  mutating func delay(after failure: FailedFetch, random: Double, usable: Duration = .zero) -> Duration {
    failuresInARow += 1
    let longest = Self.longest(after: failure.cause, hasToken: usable > .zero)
    var ceiling = min(.seconds(1 << min(failuresInARow - 1, 16)), longest)
    if usable > .zero {
      ceiling = min(ceiling, max(usable / 4, .seconds(1)))
      // Attempts that came soon count little: when the token is over, waiting doubles from where it is now.
      while failuresInARow > 1, .seconds(1 << min(failuresInARow - 1, 16)) > ceiling { failuresInARow -= 1 }
    }
    return max(ceiling * random, Self.asked(failure), Self.shortest)
  }

  mutating func succeeded() { failuresInARow = 0 }

  /// How long the server asks to be left alone after `failure`, up to the limit.
  static func asked(_ failure: FailedFetch) -> Duration { min(failure.serverAsksToWait ?? .zero, longestAskedFor) }

  /// The longest wait after `cause` while requests fail for lack of a token.
  static func longestWithoutToken(after cause: TokenFailure.Cause) -> Duration {
    longest(after: cause, hasToken: false)
  }

  private static func longest(after cause: TokenFailure.Cause, hasToken: Bool) -> Duration {
    if case .refused(let refusal) = cause, refusal.code.needsOperator {
      return hasToken ? longestWhileUsableWhenRefused : longestWhenRefused
    }
    return hasToken ? longestWhileUsable : longest
  }
}
