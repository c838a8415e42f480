internal import Cryptography
internal import Reactor

/// A client that sends passwords, and the user they are for: limits and the password queue are kept per guesser.
struct Guesser: Hashable {
  /// The client's address, for this purpose.
  let client: ClientAddress
  /// The user's name as a number, so that long names take no memory.
  let user: Int

  init(_ client: ClientAddress, user: String) {
    self.client = client.asGuesser
    self.user = user.hashValue
  }
}

/// How many wrong passwords each sender may send: a burst, and then one per interval.
///
/// For each sender it keeps only the moment at which the whole burst is available again, and only until then.
struct GuessLimit<Sender: Hashable> {
  /// The burst.
  let burst: Int
  /// The time after which one more is allowed.
  let interval: Duration
  /// The number of senders with a limit of their own; all others share one.
  let mostSenders = 10_000

  private var restored: [Sender: Instant] = [:]
  private var restoredForOthers = Instant(nanoseconds: 0)
  private var nextLook = Instant(nanoseconds: 0)

  init(burst: Int, interval: Duration) {
    self.burst = burst
    self.interval = interval
  }

  /// How many senders are remembered.
  var senders: Int { restored.count }

  /// Takes one guess of `sender`; false if none is left.
  mutating func take(_ sender: Sender, now: Instant) -> Bool {
    if restored[sender] == nil, restored.count >= mostSenders { forgetRestored(now) }
    guard moment(sender, now: now) <= now else { return false }
    let isApart = isApart(sender)
    let moment = max(isApart ? restored[sender] ?? now : restoredForOthers, now) + interval
    if isApart { restored[sender] = moment } else { restoredForOthers = moment }
    return true
  }

  // This scans all of them, so it does not run for each sender that finds no place.
  private mutating func forgetRestored(_ now: Instant) {
    guard now >= nextLook else { return }
    nextLook = now + .seconds(1)
    restored = restored.filter { $0.value > now }
  }

  /// When `sender` may guess: now, or later.
  func moment(_ sender: Sender, now: Instant) -> Instant {
    let wholeAgain = isApart(sender) ? restored[sender] ?? now : restoredForOthers
    let least = interval.nanoseconds * UInt64(burst - 1)
    return wholeAgain - now > least ? Instant(nanoseconds: wholeAgain.nanoseconds - least) : now
  }

  private func isApart(_ sender: Sender) -> Bool { restored[sender] != nil || restored.count < mostSenders }

  /// Gives back a guess that turned out not to be one.
  mutating func giveBack(_ sender: Sender, now: Instant) {
    guard let moment = restored[sender] else {
      return restoredForOthers = earlier(restoredForOthers)
    }
    let earlier = earlier(moment)
    restored[sender] = earlier > now ? earlier : nil
  }

  /// In how many seconds `sender` may guess again, rounded up; 1 if it may now.
  func delay(_ sender: Sender, now: Instant) -> Int {
    let moment = restored[sender] ?? restoredForOthers
    let (least, step) = (interval.nanoseconds * UInt64(burst - 1), interval.nanoseconds)
    let wait = moment - now > least ? min(moment - now - least, step) : 0
    return max(1, Int((wait + 999_999_999) / 1_000_000_000))
  }

  private func earlier(_ moment: Instant) -> Instant {
    Instant(nanoseconds: moment.nanoseconds - min(moment.nanoseconds, interval.nanoseconds))
  }
}

/// Pairs of user and password that were refused in the last two minutes without a check, and when each was first sent.
///
/// An attacker sends a guess once, but an application sends the same pair again and again: nothing else tells the two apart.
/// The table has a fixed size (1.5 MB). When a flood of guesses has filled it, a new pair replaces a pair that was sent once,
/// the one sent longest ago. So it finds a pair that comes back, however many others were sent in between: at 4,000 guesses a
/// second in 96 of 100 cases after 10 s, and after that hardly anything replaces it.
struct RefusedPairs {
  private static let lifetime = Duration.seconds(120)
  // A pair may be in one of four places.
  private static let ways = 4
  private static let sets = 1 << 15

  private struct Slot {
    var tag: UInt32 = 0
    var first: UInt32 = 0
    var last: UInt32 = 0
  }

  // Empty until the first pair is inserted.
  private var slots: [Slot] = []

  /// The size of the table.
  var bytes: Int { slots.count * MemoryLayout<Slot>.stride }

  /// Notes that `pair` was refused at `now`.
  mutating func insert(_ pair: KeyedDigest.Value, now: Instant) {
    if slots.isEmpty { slots = [Slot](repeating: Slot(), count: Self.sets * Self.ways) }
    let (tag, places) = Self.places(pair)
    if let place = places.first(where: { slots[$0].tag == tag && isAlive(slots[$0], now) }) {
      slots[place].last = Self.ticks(now)
      return
    }
    let place = places.min { isWorthLess(slots[$0], slots[$1], now) } ?? places.lowerBound
    slots[place] = Slot(tag: tag, first: Self.ticks(now), last: Self.ticks(now))
  }

  /// When `pair` was first sent, if it was refused.
  func firstSeen(_ pair: KeyedDigest.Value, now: Instant) -> Instant? {
    guard !slots.isEmpty else { return nil }
    let (tag, places) = Self.places(pair)
    let place = places.first { slots[$0].tag == tag && isAlive(slots[$0], now) }
    return place.map { Instant(nanoseconds: UInt64(slots[$0].first) << Self.tickBits) }
  }

  /// Forgets `pair`, which was checked.
  mutating func remove(_ pair: KeyedDigest.Value) {
    guard !slots.isEmpty else { return }
    let (tag, places) = Self.places(pair)
    for place in places where slots[place].tag == tag { slots[place] = Slot() }
  }

  private func isAlive(_ slot: Slot, _ now: Instant) -> Bool {
    slot.tag != 0 && now - Instant(nanoseconds: UInt64(slot.last) << Self.tickBits) < Self.lifetime.nanoseconds
  }

  private func isWorthLess(_ one: Slot, _ other: Slot, _ now: Instant) -> Bool {
    let (first, second) = (worth(one, now), worth(other, now))
    return first == second ? one.last < other.last : first < second
  }

  private func worth(_ slot: Slot, _ now: Instant) -> Int {
    isAlive(slot, now) ? slot.first < slot.last ? 2 : 1 : 0
  }

  // 17 ms per tick, so that 32 bits last for two years.
  private static let tickBits: UInt64 = 24

  private static func ticks(_ moment: Instant) -> UInt32 { UInt32(truncatingIfNeeded: moment.nanoseconds >> tickBits) }

  private static func places(_ pair: KeyedDigest.Value) -> (tag: UInt32, Range<Int>) {
    let hash = UInt64(UInt(bitPattern: pair.hashValue))
    let start = Int(hash % UInt64(sets)) * ways
    return (UInt32(hash >> 32) | 1, start..<start + ways)
  }
}
