internal import Cryptography
internal import DequeModule
internal import Reactor

/// Which users and passwords were looked at, and which are being looked at: each pair once, however many requests have
/// it. Pairs are known by a digest; what they are is not kept.
struct PasswordChecks {
  /// Who wants to know.
  typealias Waiter = @Sendable (PasswordVerdict) -> Void

  /// What becomes of a pair that somebody sent.
  enum Arrival {
    /// It is known.
    case isKnown(PasswordVerdict)
    /// The waiter will be told.
    case waits
    /// The waiter will be told, and the caller has to see to it that the pair is looked at.
    case begins
  }

  /// How many pairs may wait to be looked at.
  static let mostPending = 64
  /// How many wrong pairs are remembered: an application that sends the same one over and over guesses nothing.
  static let mostWrong = 1000

  // As many as there are callers, at most: each has one password.
  private var right: [KeyedDigest.Value: Int] = [:]
  private var wrong: Set<KeyedDigest.Value> = []
  private var oldestWrong: Deque<KeyedDigest.Value> = []
  private var pending: [KeyedDigest.Value: (client: ClientAddress, waiters: [Waiter])] = [:]
  private var guesses = GuessLimit()

  /// A client has sent a pair.
  mutating func arrive(
    _ pair: KeyedDigest.Value, from client: ClientAddress, now: Instant, _ waiter: @escaping Waiter
  ) -> Arrival {
    if let caller = right[pair] { return .isKnown(.right(caller)) }
    if wrong.contains(pair) { return .isKnown(.wrong) }
    if pending[pair] != nil {
      pending[pair]?.waiters.append(waiter)
      return .waits
    }
    guard pending.count < Self.mostPending else { return .isKnown(.busy) }
    guard guesses.take(client, now: now) else {
      return .isKnown(.tooManyGuesses(seconds: guesses.delay(client, now: now)))
    }
    pending[pair] = (client, [waiter])
    return .begins
  }

  /// A pair has been looked at. Returns those who want to know.
  mutating func finish(_ pair: KeyedDigest.Value, _ verdict: PasswordVerdict, now: Instant) -> [Waiter] {
    guard let (client, waiters) = pending.removeValue(forKey: pair) else { return [] }
    switch verdict {
    case .right(let caller): right[pair] = caller
    case .wrong:
      wrong.insert(pair)
      oldestWrong.append(pair)
      if oldestWrong.count > Self.mostWrong { wrong.remove(oldestWrong.removeFirst()) }
      return waiters
    case .tooManyGuesses, .busy: break
    }
    guesses.giveBack(client, now: now)
    return waiters
  }
}
