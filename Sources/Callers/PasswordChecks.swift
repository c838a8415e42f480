internal import Cryptography
internal import DequeModule
internal import Reactor

/// Which users and passwords were looked at, and which are being looked at: each pair once, however many requests have
/// it. Pairs are known by a digest; what they are is kept only while they wait.
struct PasswordChecks {
  /// What is told the verdict on a pair.
  typealias Waiter = @Sendable (PasswordVerdict) -> Void

  /// What becomes of a pair that has come.
  enum Arrival {
    /// It is known.
    case isKnown(PasswordVerdict)
    /// The waiter will be told. Those that have lost their place to it have to be told so now. Where `begins` is true, the
    /// thread that looks at pairs has nothing to do and has to be woken.
    case waits(displaced: [Waiter], begins: Bool)
  }

  /// What is to be done next by the thread that looks at pairs.
  enum Step {
    /// It looks at a pair.
    case look(PasswordQueue.Entry)
    /// It asks again at this moment, and not before.
    case rest(until: Instant)
    /// It has nothing to do until it is told to begin.
    case nothing
  }

  /// How many wrong pairs are remembered: an application that sends the same one over and over guesses nothing.
  static let mostWrong = 1000
  /// So many wrong pairs in a row has a client, ...
  static let guesses = 20
  /// ... and one more after each such while.
  static let guessInterval = Duration.seconds(6)
  /// So much time may go into wrong pairs without a rest, before half of the time is rest.
  static let longestEffort = Duration.seconds(2)

  // As many as there are callers, at most: each has one password. So what was right once never waits again.
  private var right: [KeyedDigest.Value: Int] = [:]
  private var wrong: Set<KeyedDigest.Value> = []
  private var oldestWrong: Deque<KeyedDigest.Value> = []
  private var pending: [KeyedDigest.Value: Pending] = [:]
  private var queue = PasswordQueue()
  private var byClient = GuessLimit<ClientAddress>(burst: guesses, interval: guessInterval)
  // A client that shares an address with one that guesses still has a turn, unless it shares the user as well.
  private var byUser = GuessLimit<Guesser>(burst: 2, interval: guessInterval)
  private var refused = RefusedPairs()
  private var isBusy = false
  private var began = Instant(nanoseconds: 0)
  // When the thread has rested for as long as it took to look at wrong pairs.
  private var rested = Instant(nanoseconds: 0)

  private struct Pending {
    var waiters: [Waiter]
    let guesser: Guesser
    /// Whether the guess was taken from `byUser`.
    let isOfUser: Bool
  }

  /// How many pairs wait.
  var waiting: Int { queue.count }

  /// What is known of `pair`.
  func verdict(on pair: KeyedDigest.Value) -> PasswordVerdict? {
    if let caller = right[pair] { return .right(caller) }
    return wrong.contains(pair) ? .wrong : nil
  }

  /// A client has sent a pair.
  mutating func arrive(_ entry: PasswordQueue.Entry, now: Instant, _ waiter: @escaping Waiter) -> Arrival {
    let (pair, guesser) = (entry.pair, entry.guesser)
    if let verdict = verdict(on: pair) { return .isKnown(verdict) }
    if pending[pair] != nil {
      pending[pair]?.waiters.append(waiter)
      return .waits(displaced: [], begins: false)
    }
    var entry = entry
    entry.cameBefore = refused.contains(pair, now: now)
    let isOfClient = byClient.take(guesser.client, now: now)
    guard isOfClient || entry.cameBefore && byUser.take(guesser, now: now) else {
      refused.insert(pair, now: now)
      return .isKnown(.tooManyGuesses(seconds: delay(guesser, now)))
    }
    pending[pair] = Pending(waiters: [waiter], guesser: guesser, isOfUser: !isOfClient)
    switch queue.add(entry) {
    case .waits: return .waits(displaced: [], begins: begin())
    case .displaces(let other): return .waits(displaced: refuse(other.pair, now), begins: begin())
    case .isRefused:
      _ = refuse(pair, now)
      return .isKnown(.busy)
    }
  }

  /// When to come again.
  private func delay(_ guesser: Guesser, _ now: Instant) -> Int {
    min(byClient.delay(guesser.client, now: now), byUser.delay(guesser, now: now))
  }

  private mutating func begin() -> Bool {
    defer { isBusy = true }
    return !isBusy
  }

  /// What is to be done at this moment.
  mutating func next(now: Instant) -> Step {
    guard queue.count > 0 else {
      isBusy = false
      return .nothing
    }
    if rested - now > Self.longestEffort.nanoseconds {
      return .rest(until: Instant(nanoseconds: rested.nanoseconds - Self.longestEffort.nanoseconds))
    }
    guard let entry = queue.next() else { return .nothing }
    began = now
    return .look(entry)
  }

  /// A pair has been looked at. Returns those who want to know.
  mutating func finish(_ pair: KeyedDigest.Value, _ verdict: PasswordVerdict, now: Instant) -> [Waiter] {
    guard pending[pair] != nil else { return [] }
    switch verdict {
    case .wrong:
      wrong.insert(pair)
      oldestWrong.append(pair)
      if oldestWrong.count > Self.mostWrong { wrong.remove(oldestWrong.removeFirst()) }
      rested = max(rested, began) + Duration.nanoseconds(2 * (now - began))
      return pending.removeValue(forKey: pair)?.waiters ?? []
    case .right(let caller): right[pair] = caller
    case .tooManyGuesses, .busy: break
    }
    return release(pair, now)
  }

  private mutating func refuse(_ pair: KeyedDigest.Value, _ now: Instant) -> [Waiter] {
    refused.insert(pair, now: now)
    return release(pair, now)
  }

  /// Forgets a pair that was no guess, and gives back what it took.
  private mutating func release(_ pair: KeyedDigest.Value, _ now: Instant) -> [Waiter] {
    guard let known = pending.removeValue(forKey: pair) else { return [] }
    if known.isOfUser {
      byUser.giveBack(known.guesser, now: now)
    } else {
      byClient.giveBack(known.guesser.client, now: now)
    }
    return known.waiters
  }
}
