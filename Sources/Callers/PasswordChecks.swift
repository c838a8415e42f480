internal import Cryptography
internal import DequeModule
internal import Reactor

/// The pairs of user and password that are verified, wrong, or waiting for a check. Each pair is checked once, however many
/// requests send it. Pairs are identified by a digest; the pair itself is kept only while it waits.
struct PasswordChecks {
  /// Receives the verdict on a pair.
  typealias Waiter = @Sendable (PasswordVerdict) -> Void

  /// What happens to a pair that arrives.
  enum Arrival {
    /// The verdict is known.
    case isKnown(PasswordVerdict)
    /// The waiter will be called later. Call the displaced waiters, which have lost their place to it, now. If `begins` is
    /// true, the checking thread is idle: wake it.
    case waits(displaced: [Waiter], begins: Bool)
  }

  /// What the checking thread does next.
  enum Step {
    /// Checks a pair.
    case look(PasswordQueue.Entry)
    /// Calls ``next(now:)`` again at this moment, not earlier.
    case rest(until: Instant)
    /// Waits until ``arrive(_:now:_:)`` says to begin.
    case nothing
  }

  /// How many wrong pairs are remembered: an application that repeats the same wrong pair does not guess.
  static let mostWrong = 1000
  /// A client may send this many wrong pairs in a row, ...
  static let guesses = 20
  /// ... and one more after each interval.
  static let guessInterval = Duration.seconds(6)
  /// The most time that wrong pairs may take in a row; after that, half of the time is rest.
  static let longestEffort = Duration.seconds(2)

  // At most one per caller, since each has one password. A password that was verified once is not checked again.
  private var right: [KeyedDigest.Value: Int] = [:]
  private var pending: [KeyedDigest.Value: Pending] = [:]
  private var queue = PasswordQueue()
  private var byClient = GuessLimit<ClientAddress>(burst: guesses, interval: guessInterval)
  // Known and unknown users have separate memory: made-up names cannot fill the memory of known users.
  private var known = Memory()
  private var strangers = Memory()
  private var thread = ThreadState.idle
  private var began = Instant(nanoseconds: 0)
  // When the thread has rested as long as it took to check wrong pairs.
  private var rested = Instant(nanoseconds: 0)

  private enum ThreadState {
    /// It has nothing to do, or nothing before its timer fires.
    case idle
    case working
    /// It does nothing before its timer fires, whatever arrives.
    case resting
  }

  /// What is remembered of pairs that were not verified.
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

  /// Starts without any known pair.
  init() {}

  /// Keeps what is still valid after the callers have changed: `number` maps the old number of a caller whose password is
  /// unchanged to the new one. A wrong pair may be right now, so wrong pairs are dropped; counted guesses stay counted.
  init(after previous: PasswordChecks, number: (Int) -> Int?) {
    right = previous.right.compactMapValues(number)
    byClient = previous.byClient
    rested = previous.rested
  }

  /// The size of the tables of refused pairs. A table is allocated with its first pair, and stays.
  var tableBytes: Int { known.refused.bytes + strangers.refused.bytes }

  /// How many pairs wait.
  var waiting: Int { queue.count }

  /// The verdict on `pair`, if it is known.
  func verdict(on pair: KeyedDigest.Value) -> PasswordVerdict? {
    if let caller = right[pair] { return .right(caller) }
    return known.wrong.contains(pair) || strangers.wrong.contains(pair) ? .wrong : nil
  }

  /// Takes a pair that a client has sent.
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

  /// When the client may try again, in seconds.
  private func delay(_ guesser: Guesser, _ isKnown: Bool, _ now: Instant) -> Int {
    let byUser = isKnown ? queue.limits.known : queue.limits.unknown
    return min(byClient.delay(guesser.client, now: now), byUser.delay(guesser, now: now))
  }

  private mutating func begin() -> Bool {
    guard thread == .idle else { return false }
    thread = .working
    return true
  }

  /// Handles the timer of a rest. False if something else has woken the thread already.
  mutating func resume() -> Bool {
    guard thread != .working else { return false }
    thread = .working
    return true
  }

  /// Decides what the thread does now.
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

  /// Takes the verdict on a checked pair. Returns its waiters, and the waiters of each pair of an unknown user that is rejected
  /// together with it.
  ///
  /// - Parameter effort: the processor time of the check in nanoseconds; if nil, the time that has passed. On a busy machine
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

  /// Forgets a pair that turned out not to be a guess, and returns the guess to its client.
  private mutating func release(_ pair: KeyedDigest.Value, _ now: Instant) -> [Waiter] {
    guard let known = pending.removeValue(forKey: pair) else { return [] }
    if known.isOfClient { byClient.giveBack(known.guesser.client, now: now) }
    return known.waiters
  }
}
