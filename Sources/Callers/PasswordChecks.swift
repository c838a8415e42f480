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
  private var pending: [KeyedDigest.Value: Pending] = [:]
  private var queue = PasswordQueue()
  private var byClient = GuessLimit<ClientAddress>(burst: guesses, interval: guessInterval)
  // What is kept of known users is apart from that of others: made-up names cannot fill it.
  private var known = Memory()
  private var strangers = Memory()
  private var thread = ThreadState.idle
  private var began = Instant(nanoseconds: 0)
  // When the thread has rested for as long as it took to look at wrong pairs.
  private var rested = Instant(nanoseconds: 0)

  private enum ThreadState {
    /// It has nothing to do, or nothing until its timer fires.
    case idle
    case working
    /// It does nothing until its timer fires, whatever arrives.
    case resting
  }

  /// What is remembered of pairs that are not right.
  private struct Memory {
    private(set) var wrong: Set<KeyedDigest.Value> = []
    private var oldestWrong: Deque<KeyedDigest.Value> = []
    var refused = RefusedPairs()

    mutating func insertWrong(_ pair: KeyedDigest.Value) {
      refused.remove(pair)
      guard wrong.insert(pair).inserted else { return }
      oldestWrong.append(pair)
      if oldestWrong.count > mostWrong { wrong.remove(oldestWrong.removeFirst()) }
    }
  }

  private struct Pending {
    var waiters: [Waiter]
    let guesser: Guesser
    let isKnown: Bool
    /// Whether a guess was taken from `byClient`.
    let isOfClient: Bool
  }

  /// No pair is known.
  init() {}

  /// What is known after the callers have changed: `number` gives the new number of a caller whose password is the same, by its old
  /// one. What was wrong may be right now; who guessed has guessed.
  init(after previous: PasswordChecks, number: (Int) -> Int?) {
    right = previous.right.compactMapValues(number)
    byClient = previous.byClient
    rested = previous.rested
  }

  /// The bytes of the tables of refused pairs. They begin with the first of them, and stay.
  var tableBytes: Int { known.refused.bytes + strangers.refused.bytes }

  /// How many pairs wait.
  var waiting: Int { queue.count }

  /// What is known of `pair`.
  func verdict(on pair: KeyedDigest.Value) -> PasswordVerdict? {
    if let caller = right[pair] { return .right(caller) }
    return known.wrong.contains(pair) || strangers.wrong.contains(pair) ? .wrong : nil
  }

  /// A client has sent a pair.
  mutating func arrive(_ entry: PasswordQueue.Entry, now: Instant, _ waiter: @escaping Waiter) -> Arrival {
    let (pair, guesser) = (entry.pair, entry.guesser)
    if let verdict = verdict(on: pair) { return .isKnown(verdict) }
    if pending[pair] != nil {
      pending[pair]?.waiters.append(waiter)
      return .waits(displaced: [], begins: false)
    }
    let firstSeen = (entry.isKnown ? known : strangers).refused.firstSeen(pair, now: now)
    let isOfClient = byClient.take(guesser.client, now: now)
    guard isOfClient || firstSeen != nil else {
      remember(entry.isKnown, pair, now)
      return .isKnown(.tooManyGuesses(seconds: delay(guesser, entry.isKnown, now)))
    }
    pending[pair] = Pending(
      waiters: [waiter], guesser: guesser, isKnown: entry.isKnown, isOfClient: isOfClient)
    var entry = entry
    entry.firstSeen = firstSeen ?? now
    entry.isPaid = isOfClient
    switch queue.add(entry) {
    case .waits: return .waits(displaced: [], begins: begin())
    case .displaces(let other): return .waits(displaced: refuse(other.pair, now), begins: begin())
    case .isRefused:
      _ = refuse(pair, now)
      return .isKnown(isOfClient ? .busy : .tooManyGuesses(seconds: delay(guesser, entry.isKnown, now)))
    }
  }

  /// When to come again.
  private func delay(_ guesser: Guesser, _ isKnown: Bool, _ now: Instant) -> Int {
    let byUser = isKnown ? queue.limits.known : queue.limits.unknown
    return min(byClient.delay(guesser.client, now: now), byUser.delay(guesser, now: now))
  }

  private mutating func begin() -> Bool {
    guard thread == .idle else { return false }
    thread = .working
    return true
  }

  /// The timer of a rest has fired. False where the thread was woken for something else before.
  mutating func resume() -> Bool {
    guard thread != .working else { return false }
    thread = .working
    return true
  }

  /// What is to be done at this moment.
  mutating func next(now: Instant) -> Step {
    if queue.count > 0, rested - now > Self.longestEffort.nanoseconds {
      thread = .resting
      return .rest(until: Instant(nanoseconds: rested.nanoseconds - Self.longestEffort.nanoseconds))
    }
    switch queue.next(now: now) {
    case .entry(let entry):
      began = now
      return .look(entry)
    case .wait(let moment):
      thread = .idle
      return .rest(until: moment)
    case .nothing:
      thread = .idle
      return .nothing
    }
  }

  /// A pair has been looked at. Returns those who want to know, and for each pair of an unknown user that is wrong along with
  /// it, those who want to know that.
  ///
  /// - Parameter effort: how much of a processor's time it took, in nanoseconds; without it, all that has passed. On a busy machine
  ///   the thread waits for a processor, and must not rest because of that.
  mutating func finish(
    _ pair: KeyedDigest.Value, _ verdict: PasswordVerdict, now: Instant, effort: UInt64? = nil
  ) -> (waiters: [Waiter], strangers: [[Waiter]]) {
    guard let checked = pending[pair] else { return ([], []) }
    if verdict == .wrong { rested = max(rested, began) + Duration.nanoseconds(2 * (effort ?? (now - began))) }
    let waiters = settle(pair, checked, verdict, now)
    return (
      waiters,
      queue.answeredStrangers().compactMap { entry in
        pending[entry.pair].map { settle(entry.pair, $0, .wrong, now) }
      }
    )
  }

  private mutating func settle(
    _ pair: KeyedDigest.Value, _ checked: Pending, _ verdict: PasswordVerdict, _ now: Instant
  ) -> [Waiter] {
    switch verdict {
    case .wrong:
      if checked.isKnown { known.insertWrong(pair) } else { strangers.insertWrong(pair) }
      return pending.removeValue(forKey: pair)?.waiters ?? []
    case .right(let caller): right[pair] = caller
    case .tooManyGuesses, .busy: break
    }
    return release(pair, now)
  }

  private mutating func refuse(_ pair: KeyedDigest.Value, _ now: Instant) -> [Waiter] {
    remember(pending[pair]?.isKnown ?? false, pair, now)
    return release(pair, now)
  }

  private mutating func remember(_ isKnown: Bool, _ pair: KeyedDigest.Value, _ now: Instant) {
    if isKnown { known.refused.insert(pair, now: now) } else { strangers.refused.insert(pair, now: now) }
  }

  /// Forgets a pair that was no guess, and gives its client back what it took.
  private mutating func release(_ pair: KeyedDigest.Value, _ now: Instant) -> [Waiter] {
    guard let known = pending.removeValue(forKey: pair) else { return [] }
    if known.isOfClient { byClient.giveBack(known.guesser.client, now: now) }
    return known.waiters
  }
}
