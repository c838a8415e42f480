internal import Cryptography
internal import DequeModule
internal import Reactor
internal import Secrets

/// Pairs of user and password that wait for their check. The users of proxy.conf take turns, and the clients of each user take
/// turns as well, so that a user waits for a bounded number of checks, whatever others send.
///
/// An unknown user is never right, so its pairs need no check of their own. They wait as long as those of a known user would,
/// but all unknown users together have only a few turns: the others are rejected when the check ends after which a known user
/// in their place would have had its response.
struct PasswordQueue {
  /// A pair that waits.
  struct Entry {
    let pair: KeyedDigest.Value
    let guesser: Guesser
    /// What the password is compared with.
    let hash: PasswordHash
    /// The user, if it is one of proxy.conf; other names are not kept.
    let caller: String?
    let password: Secret
    /// The address it came from, for the log.
    let peer: String
    /// When the pair was first sent. Guesses are new, but an application repeats its pair: the oldest goes first.
    var firstSeen = Instant(nanoseconds: 0)
    /// False while it waits until its guesser may guess for this user: the client has no guess left.
    var isPaid = true

    /// Whether proxy.conf has a password of this user.
    var isKnown: Bool { caller != nil }
  }

  /// The result of adding a pair.
  enum Admission {
    /// It waits.
    case waits
    /// It waits in the place of another pair.
    case displaces(Entry)
    /// It does not wait: others have at least the same right to the places.
    case isRefused
  }

  /// What comes next.
  enum Next {
    case entry(Entry)
    /// Nothing may be checked before this moment.
    case wait(until: Instant)
    case nothing
  }

  /// The guesses that clients have for each user. Unknown users have separate limits, so that made-up names cannot use up those
  /// of known users.
  struct Limits {
    var known = GuessLimit<Guesser>(burst: 2, interval: PasswordChecks.guessInterval)
    var unknown = GuessLimit<Guesser>(burst: 2, interval: PasswordChecks.guessInterval)
  }

  private enum Turn {
    case caller(String)
    case stranger(Int)
  }

  private struct Stranger {
    var lane = PasswordLane()
    /// The check after which a known user would have its next response.
    var due: UInt64
    var hasTurn = false
  }

  /// How many pairs of unknown users wait at most: the default number of connections is not higher.
  static let mostStrangers = 10_000
  /// How many turns unknown users have at most.
  static let mostTurnsOfStrangers = 4

  var limits = Limits()
  private var turns: Deque<Turn> = []
  private var turnsOfStrangers = 0
  private var callers: [String: PasswordLane] = [:]
  private var strangers: [Int: Stranger] = [:]
  private var checksBegun: UInt64 = 0
  private var began = Instant(nanoseconds: 0)

  private var countOfCallers = 0
  private var countOfStrangers = 0

  /// How many pairs wait.
  var count: Int { countOfCallers + countOfStrangers }

  /// Adds `entry`, if there is a place.
  mutating func add(_ entry: Entry) -> Admission {
    guard let caller = entry.caller else { return addStranger(entry) }
    if callers[caller] == nil { turns.append(.caller(caller)) }
    let admission = callers[caller, default: PasswordLane()].add(entry)
    if case .waits = admission { countOfCallers += 1 }
    return admission
  }

  private mutating func addStranger(_ entry: Entry) -> Admission {
    let user = entry.guesser.user
    guard countOfStrangers < Self.mostStrangers else { return .isRefused }
    if strangers[user] == nil {
      strangers[user] = Stranger(due: nextDue)
      if turnsOfStrangers < Self.mostTurnsOfStrangers {
        strangers[user]?.hasTurn = true
        turnsOfStrangers += 1
        turns.append(.stranger(user))
      }
    }
    let admission = strangers[user]?.lane.add(entry) ?? .isRefused
    if case .waits = admission { countOfStrangers += 1 }
    return admission
  }

  // The number of the check that a turn at the end would get.
  private var nextDue: UInt64 { checksBegun + UInt64(turns.count) + 1 }

  /// Takes the next pair to check: of the user whose turn it is, the client whose turn it is.
  mutating func next(now: Instant) -> Next {
    for index in turns.indices {
      guard let entry = take(turns[index], now) else { continue }
      let turn = turns.remove(at: index)
      checksBegun += 1
      finishTurn(turn)
      return .entry(begin(entry, now))
    }
    // Users without a turn are answered along with others; reaching this point, no other user has a pair to check.
    let ready = strangers.filter { !$0.value.hasTurn && $0.value.lane.earliest(now: now, limits.unknown) <= now }
    if let user = ready.min(by: { $0.value.due < $1.value.due })?.key, let entry = take(.stranger(user), now) {
      checksBegun += 1
      finishStranger(user)
      return .entry(begin(entry, now))
    }
    return count == 0 ? .nothing : .wait(until: earliest(now))
  }

  private mutating func begin(_ entry: Entry, _ now: Instant) -> Entry {
    began = now
    if entry.isKnown { countOfCallers -= 1 } else { countOfStrangers -= 1 }
    return entry
  }

  private mutating func take(_ turn: Turn, _ now: Instant) -> Entry? {
    switch turn {
    case .caller(let name): callers[name]?.next(now: now, &limits.known)
    case .stranger(let user): strangers[user]?.lane.next(now: now, &limits.unknown)
    }
  }

  /// Gives the user of the removed turn another turn at the end, if it has more pairs.
  private mutating func finishTurn(_ turn: Turn) {
    switch turn {
    case .caller(let name):
      if callers[name]?.count == 0 { callers[name] = nil } else { turns.append(turn) }
    case .stranger(let user):
      if strangers[user]?.lane.count == 0 {
        strangers[user] = nil
        turnsOfStrangers -= 1
      } else {
        turns.append(turn)
      }
    }
  }

  private mutating func finishStranger(_ user: Int) {
    let due = nextDue
    if strangers[user]?.lane.count == 0 { strangers[user] = nil } else { strangers[user]?.due = due }
  }

  private func earliest(_ now: Instant) -> Instant {
    let ofCallers = callers.values.map { $0.earliest(now: now, limits.known) }
    let ofStrangers = strangers.values.map { $0.lane.earliest(now: now, limits.unknown) }
    return (ofCallers + ofStrangers).min() ?? .never
  }

  /// Takes the pairs of unknown users that the finished check decides: those without a turn that are due.
  mutating func answeredStrangers() -> [Entry] {
    var answered: [Entry] = []
    for (user, stranger) in strangers where !stranger.hasTurn && stranger.due <= checksBegun {
      // A pair that had no guess when the check began waits for another check.
      guard let entry = take(.stranger(user), began) else { continue }
      answered.append(entry)
      finishStranger(user)
    }
    countOfStrangers -= answered.count
    return answered
  }
}

/// The waiting pairs of one user. Every other turn goes to the oldest pair; the other turns go round the clients. A client that
/// sends many pairs waits longer, and when no place is free, it loses one to a client that has few. Between pairs with the same
/// right to a place, the one that was sent first keeps it.
struct PasswordLane {
  typealias Entry = PasswordQueue.Entry

  private struct Client {
    let address: ClientAddress
    var entries: [Entry]

    /// The newest pair.
    var newest: Int {
      entries.indices.reduce(0) { entries[$1].firstSeen >= entries[$0].firstSeen ? $1 : $0 }
    }
  }

  /// How many pairs of a user wait at most.
  static let most = 10
  /// How many of them one client may have: an application has one password.
  static let mostOfClient = 4

  // In the order of their turns; few enough for linear search.
  private var clients: [Client] = []
  private(set) var count = 0
  private var goesByAge = false

  /// Takes a pair that may be checked. Every other time this is the oldest of all, so that an application that retries need not
  /// wait for as many guesses as there are places; otherwise it is one of the client whose turn it is, whose turn no number of
  /// older pairs can take.
  mutating func next(now: Instant, _ limit: inout GuessLimit<Guesser>) -> Entry? {
    var chosen: (client: Int, entry: Int)?
    for client in clients.indices where chosen == nil || goesByAge {
      for (place, entry) in clients[client].entries.enumerated()
      where entry.isPaid || limit.moment(entry.guesser, now: now) <= now {
        if let chosen, clients[chosen.client].entries[chosen.entry].firstSeen <= entry.firstSeen { continue }
        chosen = (client, place)
      }
    }
    guard let chosen else { return nil }
    goesByAge.toggle()
    var client = clients.remove(at: chosen.client)
    let entry = client.entries.remove(at: chosen.entry)
    if !client.entries.isEmpty { clients.append(client) }
    count -= 1
    if !entry.isPaid { _ = limit.take(entry.guesser, now: now) }
    return entry
  }

  /// When the first pair may be checked.
  func earliest(now: Instant, _ limit: GuessLimit<Guesser>) -> Instant {
    clients.reduce(.never) { earliest, client in
      client.entries.reduce(earliest) { min($0, $1.isPaid ? now : limit.moment($1.guesser, now: now)) }
    }
  }

  /// Adds `entry`, if there is a place.
  mutating func add(_ entry: Entry) -> PasswordQueue.Admission {
    var displaced: Entry?
    let own = clients.firstIndex { $0.address == entry.guesser.client }
    let ownCount = own.map { clients[$0].entries.count } ?? 0
    if let own, ownCount >= Self.mostOfClient {
      guard isOlder(entry, than: own) else { return .isRefused }
      displaced = removeNewest(of: own)
    } else if count >= Self.most {
      guard let client = clientThatYields(to: entry, own, ownCount) else { return .isRefused }
      displaced = removeNewest(of: client)
    }
    insert(entry)
    return displaced.map(PasswordQueue.Admission.displaces) ?? .waits
  }

  /// The client that loses a pair to `entry`: the one with the most pairs, if those are more than the client of `entry` would
  /// have; otherwise, among the clients with more pairs than that client has now, the one with the newest pair, if `entry` is
  /// older.
  private func clientThatYields(to entry: Entry, _ own: Int?, _ ownCount: Int) -> Int? {
    let most = clients.map(\.entries.count).max() ?? 0
    // Among equals, the client whose turn is last.
    if ownCount + 1 < most { return clients.lastIndex { $0.entries.count == most } }
    let others = clients.indices.filter { $0 == own || clients[$0].entries.count > ownCount }
    let newest = others.max { one, other in
      clients[one].entries[clients[one].newest].firstSeen <= clients[other].entries[clients[other].newest].firstSeen
    }
    guard let newest, isOlder(entry, than: newest) else { return nil }
    return newest
  }

  private func isOlder(_ entry: Entry, than client: Int) -> Bool {
    entry.firstSeen < clients[client].entries[clients[client].newest].firstSeen
  }

  private mutating func removeNewest(of client: Int) -> Entry {
    count -= 1
    let entry = clients[client].entries.remove(at: clients[client].newest)
    if clients[client].entries.isEmpty { clients.remove(at: client) }
    return entry
  }

  private mutating func insert(_ entry: Entry) {
    count += 1
    if let client = clients.firstIndex(where: { $0.address == entry.guesser.client }) {
      clients[client].entries.append(entry)
    } else {
      clients.append(Client(address: entry.guesser.client, entries: [entry]))
    }
  }
}
