/// Where a request went, as far as an API's judgement of tokens depends on it: route, method, and path without the query.
public struct TokenPlace: Hashable, Sendable {
  private let digest: Int

  /// The place of these parts. Digests differ between processes, so that a client cannot choose requests whose places are the
  /// same.
  public init(route: Int, method: Span<UInt8>, path: Span<UInt8>) {
    var hasher = Hasher()
    hasher.combine(route)
    hasher.combine(method.count)
    for index in method.indices { hasher.combine(method[index]) }
    for index in path.indices { hasher.combine(path[index]) }
    digest = hasher.finalize()
  }

  /// One of `count` numbers.
  func number(below count: Int) -> Int { Int(UInt(bitPattern: digest) % UInt(count)) }
}

/// What an API has shown of tokens: which places have accepted one, which refuse whatever comes, and how many tokens may be
/// replaced because of it.
///
/// A place that refuses a token that was fetched because of a refusal refuses for a reason of its own, such as permissions. It costs
/// no further token until it has accepted one, or some time has passed. Places that have accepted a token are trusted more.
struct TokenEvidence {
  private static let longestMemory: Duration = .seconds(900)
  private static let mostRefusing = 1024
  private static let markCount = 4096

  /// Whether any token was ever accepted.
  private(set) var hasAccepted = false
  private var replacements = ReplacementBucket()
  private var refusing: [TokenPlace: TokenInstant] = [:]
  // Two places may share a mark: the second one then costs a token like one that has accepted some.
  private var accepting = [UInt64](repeating: 0, count: markCount / 64)

  /// Whether a place is known to refuse.
  var hasRefusingPlaces: Bool { !refusing.isEmpty }

  /// `place` has accepted a token.
  mutating func accepted(at place: TokenPlace) {
    hasAccepted = true
    refusing[place] = nil
    let number = place.number(below: Self.markCount)
    accepting[number / 64] |= 1 << UInt64(number % 64)
  }

  /// Whether the token that `place` refused at `now` may be replaced; `isReplacement` says that it was itself fetched because of a
  /// refusal. If so, it counts as replaced.
  mutating func mayReplace(at place: TokenPlace, isReplacement: Bool, _ now: TokenInstant) -> Bool {
    if !hasAcceptedSome(place) {
      if let since = refusing[place], since.duration(to: now) < Self.longestMemory { return false }
      refusing[place] = nil
      if isReplacement {
        note(place, now)
        return false
      }
    }
    return replacements.take(at: now, hasAccepted: hasAccepted)
  }

  /// Whether `place` refuses whatever comes, as far as is known at `now`.
  func refusesAll(_ place: TokenPlace, _ now: TokenInstant) -> Bool {
    refusing[place].map { $0.duration(to: now) < Self.longestMemory } ?? false
  }

  private func hasAcceptedSome(_ place: TokenPlace) -> Bool {
    let number = place.number(below: Self.markCount)
    return accepting[number / 64] >> UInt64(number % 64) & 1 == 1
  }

  private mutating func note(_ place: TokenPlace, _ now: TokenInstant) {
    if refusing.count >= Self.mostRefusing {
      refusing = refusing.filter { $0.value.duration(to: now) < Self.longestMemory }
      // With so many of them the number of replacements bounds the cost.
      guard refusing.count < Self.mostRefusing else { return }
    }
    refusing[place] = now
  }
}

/// How many tokens may be replaced because an API refused them: four at once and one more a minute; where it has never accepted one,
/// one in five minutes.
private struct ReplacementBucket {
  private static let most = 4
  private static let interval: Duration = .seconds(60)
  private static let intervalWithoutSuccess: Duration = .seconds(300)

  // When all that were taken will have come back (GCRA).
  private var fullAgain = TokenInstant(nanoseconds: .min)

  mutating func take(at now: TokenInstant, hasAccepted: Bool) -> Bool {
    let (most, interval) = hasAccepted ? (Self.most, Self.interval) : (1, Self.intervalWithoutSuccess)
    let begin = max(fullAgain, now)
    guard now.duration(to: begin) <= interval * (most - 1) else { return false }
    fullAgain = begin.advanced(by: interval)
    return true
  }
}
