/// Where a request went, as far as an API's verdict on tokens depends on it: route, method, and path without the query.
public struct TokenPlace: Hashable, Sendable {
  private let digest: Int

  /// The place of a request. Digests differ between processes, so that a client cannot choose requests that share a place.
  public init(route: Int, method: Span<UInt8>, path: Span<UInt8>) {
    var hasher = Hasher()
    hasher.combine(route)
    hasher.combine(method.count)
    for index in method.indices { hasher.combine(method[index]) }
    for index in path.indices { hasher.combine(path[index]) }
    digest = hasher.finalize()
  }

  /// Four numbers below 4096 that hardly any other place has in common.
  var marks: [4 of Int] { [digest & 0xFFF, digest >> 12 & 0xFFF, digest >> 24 & 0xFFF, digest >> 36 & 0xFFF] }
}

/// What happens with a token that an API rejected.
public enum TokenReplacement: String, Hashable, Sendable {
  /// Another one is fetched; requests wait for it.
  case wanted
  /// Another one has taken its place already.
  case superseded
  /// None is fetched: the place rejects every token.
  case placeRefuses = "place_refuses"
  /// None is fetched: the replacements allowed in this time are used up.
  case replacementsSpent = "replacements_spent"

  /// Whether another token is fetched.
  public var isWanted: Bool { self == .wanted }
}

/// What an API has shown about tokens: which places have accepted one, which reject every token, and how many tokens
/// may be replaced because of it.
///
/// A place that rejects a token, and then the token that was fetched because of that, has a reason of its own, such as
/// permissions. It costs no further token until it has accepted one, or some time has passed. Places that have accepted
/// a token are trusted more: half of the replacements are reserved for them.
struct TokenEvidence {
  private static let longestMemory: Duration = .seconds(900)
  private static let mostPlaces = 1024
  private static let markCount = 4096
  // When the table is full, a sweep for places that can be forgotten takes time in proportion to its size.
  private static let sweepInterval: Duration = .seconds(10)

  /// Whether any token was ever accepted.
  private(set) var hasAccepted = false
  private var replacements = ReplacementBucket()
  private var refusing: [TokenPlace: TokenInstant] = [:]
  private var nextSweep = TokenInstant(nanoseconds: .min)
  // The places that have rejected the current token, and those that rejected the one before.
  private var refusedThis: Set<TokenPlace> = []
  private var refusedLast: Set<TokenPlace> = []
  // A place whose four marks all belong to other places costs tokens like one that has accepted some. If a thousand
  // places have accepted, that is one in six; with a hundred, one in thirteen thousand.
  private var accepting = [UInt64](repeating: 0, count: markCount / 64)

  /// Whether any place is known to reject every token.
  var hasRefusingPlaces: Bool { !refusing.isEmpty }

  /// `place` has accepted a token.
  mutating func accepted(at place: TokenPlace) {
    hasAccepted = true
    refusing[place] = nil
    let marks = place.marks
    for index in marks.indices { accepting[marks[index] / 64] |= 1 << UInt64(marks[index] % 64) }
  }

  /// There is another token.
  mutating func tokenChanged() {
    refusedLast = refusedThis
    refusedThis = []
  }

  /// `place` has rejected the current token at `now`. Returns whether it rejects every token.
  ///
  /// - Parameter isFresh: whether the token was fetched a moment ago because of a rejection.
  mutating func refused(at place: TokenPlace, isFresh: Bool, _ now: TokenInstant) -> Bool {
    if refusedThis.count < Self.mostPlaces { refusedThis.insert(place) }
    guard !hasAcceptedSome(place) else { return false }
    if let since = refusing[place] {
      if since.duration(to: now) < Self.longestMemory { return true }
      refusing[place] = nil
    }
    guard isFresh, refusedLast.contains(place) else { return false }
    remember(place, now)
    return true
  }

  /// Whether the token that `place` rejected at `now` may be replaced. If so, it counts as replaced.
  mutating func mayReplace(at place: TokenPlace, _ now: TokenInstant) -> Bool {
    replacements.take(at: now, hasAccepted: hasAccepted, isTrusted: hasAcceptedSome(place))
  }

  private func hasAcceptedSome(_ place: TokenPlace) -> Bool {
    let marks = place.marks
    return marks.indices.allSatisfy { accepting[marks[$0] / 64] >> UInt64(marks[$0] % 64) & 1 == 1 }
  }

  private mutating func remember(_ place: TokenPlace, _ now: TokenInstant) {
    if refusing.count >= Self.mostPlaces {
      guard now >= nextSweep else { return }
      nextSweep = now.advanced(by: Self.sweepInterval)
      refusing = refusing.filter { $0.value.duration(to: now) < Self.longestMemory }
      // With that many places the number of replacements bounds the cost.
      guard refusing.count < Self.mostPlaces else { return }
    }
    refusing[place] = now
  }
}

/// How many tokens may be replaced because an API rejected them: four at once and one more a minute, of which places
/// that have never accepted one leave two; if the API has never accepted one, one in five minutes.
private struct ReplacementBucket {
  private static let most = 4
  private static let mostWithoutTrust = 2
  private static let interval: Duration = .seconds(60)
  private static let intervalWithoutSuccess: Duration = .seconds(300)

  // When all that were taken will be available again (GCRA).
  private var fullAgain = TokenInstant(nanoseconds: .min)

  mutating func take(at now: TokenInstant, hasAccepted: Bool, isTrusted: Bool) -> Bool {
    let most = !hasAccepted ? 1 : isTrusted ? Self.most : Self.mostWithoutTrust
    let interval = hasAccepted ? Self.interval : Self.intervalWithoutSuccess
    let begin = max(fullAgain, now)
    guard now.duration(to: begin) <= interval * (most - 1) else { return false }
    fullAgain = begin.advanced(by: interval)
    return true
  }
}
