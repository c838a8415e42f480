internal import Reactor

/// How many wrong passwords each client may send: a burst, and then one now and again.
///
/// What is kept of a client is the moment at which it has its whole burst again, and only until then.
struct GuessLimit {
  /// How many in a row.
  static let burst = 20
  /// After which time one more.
  static let interval = Duration.seconds(6)
  /// Clients that are kept apart; more of them share what one has.
  static let mostClients = 10_000

  private var restored: [ClientAddress: Instant] = [:]
  private var restoredForOthers = Instant(nanoseconds: 0)

  /// How many clients are kept.
  var clients: Int { restored.count }

  /// Takes one guess from what `client` has; false where it has none.
  mutating func take(_ client: ClientAddress, now: Instant) -> Bool {
    if restored[client] == nil, restored.count >= Self.mostClients { restored = restored.filter { $0.value > now } }
    let isApart = restored[client] != nil || restored.count < Self.mostClients
    let moment = max(isApart ? restored[client] ?? now : restoredForOthers, now) + Self.interval
    guard moment - now <= Self.interval.nanoseconds * UInt64(Self.burst) else { return false }
    if isApart { restored[client] = moment } else { restoredForOthers = moment }
    return true
  }

  /// Gives back what was taken for something that was no guess.
  mutating func giveBack(_ client: ClientAddress, now: Instant) {
    guard let moment = restored[client] else {
      return restoredForOthers = Self.earlier(restoredForOthers)
    }
    let earlier = Self.earlier(moment)
    restored[client] = earlier > now ? earlier : nil
  }

  /// In how many seconds `client` has a guess again, rounded up.
  func delay(_ client: ClientAddress, now: Instant) -> Int {
    let moment = restored[client] ?? restoredForOthers
    let (least, step) = (Self.interval.nanoseconds * UInt64(Self.burst - 1), Self.interval.nanoseconds)
    let wait = moment - now > least ? min(moment - now - least, step) : 0
    return max(1, Int((wait + 999_999_999) / 1_000_000_000))
  }

  private static func earlier(_ moment: Instant) -> Instant {
    Instant(nanoseconds: moment.nanoseconds - min(moment.nanoseconds, interval.nanoseconds))
  }
}
