internal import Cryptography
internal import Reactor

/// A client that sends passwords, and the user that they are for: what the limits and the queue of passwords keep apart.
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

/// How many wrong passwords each sender may send: a burst, and then one after each interval.
///
/// What is kept of a sender is the moment at which it has its whole burst again, and only until then.
struct GuessLimit<Sender: Hashable> {
  /// How many in a row.
  let burst: Int
  /// After which time one more.
  let interval: Duration
  /// Senders that are kept apart; more of them share what one has.
  let mostSenders = 10_000

  private var restored: [Sender: Instant] = [:]
  private var restoredForOthers = Instant(nanoseconds: 0)

  init(burst: Int, interval: Duration) {
    self.burst = burst
    self.interval = interval
  }

  /// How many senders are kept.
  var senders: Int { restored.count }

  /// Takes one guess from what `sender` has; false where it has none.
  mutating func take(_ sender: Sender, now: Instant) -> Bool {
    if restored[sender] == nil, restored.count >= mostSenders { restored = restored.filter { $0.value > now } }
    let isApart = restored[sender] != nil || restored.count < mostSenders
    let moment = max(isApart ? restored[sender] ?? now : restoredForOthers, now) + interval
    guard moment - now <= interval.nanoseconds * UInt64(burst) else { return false }
    if isApart { restored[sender] = moment } else { restoredForOthers = moment }
    return true
  }

  /// Gives back what was taken for something that was no guess.
  mutating func giveBack(_ sender: Sender, now: Instant) {
    guard let moment = restored[sender] else {
      return restoredForOthers = earlier(restoredForOthers)
    }
    let earlier = earlier(moment)
    restored[sender] = earlier > now ? earlier : nil
  }

  /// In how many seconds `sender` has a guess again, rounded up; 1 where it has one.
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

/// Pairs of user and password that were refused in the last minute or two without being looked at.
///
/// A guess is sent once, and an application sends what it has again and again: that tells the two apart where nothing else
/// does. It is a Bloom filter, so that a flood of guesses takes no memory: some pairs seem to have come before that have not.
struct RefusedPairs {
  private static let interval = Duration.seconds(60)
  private static let words = 4096

  private var recent: [UInt64] = []
  private var older: [UInt64] = []
  private var end = Instant(nanoseconds: 0)

  /// Notes that `pair` was refused.
  mutating func insert(_ pair: KeyedDigest.Value, now: Instant) {
    turn(now)
    if recent.isEmpty { recent = [UInt64](repeating: 0, count: Self.words) }
    for place in Self.places(pair) { recent[place >> 6] |= 1 << UInt64(place & 63) }
  }

  /// Whether `pair` was refused, in all likelihood.
  mutating func contains(_ pair: KeyedDigest.Value, now: Instant) -> Bool {
    turn(now)
    let places = Self.places(pair)
    return [recent, older].contains { filter in
      !filter.isEmpty && places.allSatisfy { filter[$0 >> 6] >> UInt64($0 & 63) & 1 == 1 }
    }
  }

  private mutating func turn(_ now: Instant) {
    guard now >= end else { return }
    older = now - end < Self.interval.nanoseconds ? recent : []
    recent = []
    end = now + Self.interval
  }

  private static func places(_ pair: KeyedDigest.Value) -> [Int] {
    let hash = UInt(bitPattern: pair.hashValue)
    return (0..<4).map { Int((hash &+ $0 &* (hash >> 32 | 1)) % UInt(words * 64)) }
  }
}
