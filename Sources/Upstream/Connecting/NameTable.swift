internal import Addresses
internal import Reactor

/// What a name leads to.
enum NameAnswer: Equatable, Sendable {
  /// The addresses, of which there is at least one, in the order in which the system would try them; and those that the name
  /// had lately, to which connections are kept, but none is made.
  case addresses([IPAddress], earlier: [IPAddress] = [])
  /// Why there are none, as a sentence without its full stop.
  case failure(String)
}

/// The result of one lookup of a name.
enum NameLookup: Equatable, Sendable {
  case addresses([IPAddress])
  /// DNS could not be asked, or did not say: what was known before remains in use.
  case unavailable(String)
  /// There is no such name, or it has no address.
  case missing(String)
}

/// The names that are in use and their addresses: a value without any I/O.
///
/// Addresses are used until they are `refresh` old, and then while newer ones are being fetched: a request waits for
/// DNS only for a name that was not in use before. While DNS fails, the known addresses stay in use.
struct NameTable<Waiter: AnyObject> {
  private struct Entry {
    var addresses: [IPAddress] = []
    /// What it had before.
    var earlier = EarlierAddresses()
    /// When the addresses came.
    var since = Instant(nanoseconds: 0)
    /// When an answer came last that counts for what the name had before.
    var counted = Instant(nanoseconds: 0)
    /// How often addresses are looked up again.
    var refresh: Duration
    /// Why the last lookup failed; nil if it did not.
    var failure: String?
    /// No lookup begins before this moment.
    var notBefore = Instant(nanoseconds: 0)
    /// When the lookup under way was requested; nil if there is none.
    var began: Instant?
    var lastUse: Instant
    var waiters: [ObjectIdentifier: Waiter] = [:]

    /// What there is to know; not for a name without addresses.
    var answer: NameAnswer { .addresses(addresses, earlier: earlier.addresses) }

    /// An answer says that these are the addresses.
    mutating func take(_ new: [IPAddress], at now: Instant) {
      // Lookups after failed connections come faster, and often get the same answer from a cache.
      let counts = now >= counted + refresh
      if counts { counted = now }
      earlier.replace(addresses, by: new, counts: counts)
      addresses = new
    }

    mutating func begin(at now: Instant) {
      began = now
      notBefore = now + NameTable.leastInterval
    }
  }

  // Lookups of one name begin no faster than this, whatever fails.
  private static var leastInterval: Duration { .seconds(1) }
  // A failure that took long to find out is kept for as long, up to this.
  private static var longestFailure: Duration { .seconds(5) }
  // A name that was not used for this long, or for two refreshes, is no longer in use.
  private static var leastUse: Duration { .seconds(60) }

  private let limit: Int
  private var entries: [String: Entry] = [:]

  /// - Parameter limit: how many names are known at the same time.
  init(limit: Int) {
    self.limit = limit
  }

  /// How many names are known.
  var count: Int { entries.count }

  /// The addresses of `name`; nil where `waiter` has to wait for the end of the lookup.
  ///
  /// - Returns: the answer, and whether the caller has to begin a lookup, whose result goes to ``finish(_:with:at:)``.
  mutating func look(
    up name: String, refresh: Duration, at now: Instant, for waiter: Waiter
  ) -> (answer: NameAnswer?, isDue: Bool) {
    guard var entry = use(name, refresh, now) else {
      return (.failure("too many names are being resolved"), false)
    }
    defer { entries[name] = entry }
    if !entry.addresses.isEmpty {
      let isDue = entry.began == nil && now >= entry.since + refresh && now >= entry.notBefore
      if isDue { entry.begin(at: now) }
      return (entry.answer, isDue)
    }
    if let failure = entry.failure, entry.began == nil, now < entry.notBefore { return (.failure(failure), false) }
    return (nil, wait(waiter, &entry, now))
  }

  /// Addresses of `name` that are not older than `refresh`; nil where `waiter` has to wait for them.
  mutating func renew(
    _ name: String, refresh: Duration, at now: Instant, for waiter: Waiter
  ) -> (answer: NameAnswer?, isDue: Bool) {
    guard var entry = use(name, refresh, now) else {
      return (.failure("too many names are being resolved"), false)
    }
    defer { entries[name] = entry }
    if !entry.addresses.isEmpty, now < entry.since + refresh { return (entry.answer, false) }
    if let failure = entry.failure, entry.began == nil, now < entry.notBefore { return (.failure(failure), false) }
    return (nil, wait(waiter, &entry, now))
  }

  /// A connection to `address` of `name` could not be made: whether the caller has to look whether it has others now.
  mutating func suspect(_ name: String, _ address: IPAddress, at now: Instant) -> Bool {
    guard entries[name] != nil else { return false }
    entries[name]!.earlier.failed(address, of: entries[name]!.addresses)
    guard entries[name]!.began == nil, now >= entries[name]!.notBefore else { return false }
    entries[name]!.begin(at: now)
    return true
  }

  /// A connection to `address` of `name` was made.
  mutating func worked(_ name: String, _ address: IPAddress) { entries[name]?.earlier.worked(address) }

  /// The lookup of `name` has ended. Returns the answer, and what waits for it.
  mutating func finish(
    _ name: String, with lookup: NameLookup, at now: Instant
  ) -> (answer: NameAnswer, waiters: [Waiter]) {
    guard var entry = entries[name], let began = entry.began else {
      preconditionFailure("no lookup of \(name) is under way")
    }
    let waiters = Array(entry.waiters.values)
    entry.waiters = [:]
    entry.began = nil
    switch lookup {
    case .addresses(let addresses):
      entry.take(addresses, at: now)
      entry.since = now
      entry.failure = nil
    case .unavailable(let reason):
      entry.failure = reason
      let took = Duration.nanoseconds(Int64(clamping: now - began))
      entry.notBefore = now + max(Self.leastInterval, min(Self.longestFailure, took))
    case .missing(let reason):
      entry.take([], at: now)
      entry.failure = reason
      entry.notBefore = now + Self.leastInterval
    }
    entries[name] = entry
    return (entry.addresses.isEmpty ? .failure(entry.failure ?? "") : entry.answer, waiters)
  }

  /// `waiter` no longer waits. Returns whether it was the last waiter for the lookup of `name`.
  mutating func forget(_ waiter: Waiter, of name: String) -> Bool {
    guard entries[name]?.waiters.removeValue(forKey: ObjectIdentifier(waiter)) != nil else { return false }
    return entries[name]?.waiters.isEmpty == true
  }

  /// The lookup of `name`, which no thread has begun, is given up.
  mutating func giveUp(_ name: String) {
    entries[name]?.began = nil
    if let entry = entries[name], entry.addresses.isEmpty, entry.failure == nil { entries[name] = nil }
  }

  private func wait(_ waiter: Waiter, _ entry: inout Entry, _ now: Instant) -> Bool {
    entry.waiters[ObjectIdentifier(waiter)] = waiter
    guard entry.began == nil else { return false }
    entry.begin(at: now)
    return true
  }

  /// The entry of `name`; nil where there is none, and no room for it.
  private mutating func use(_ name: String, _ refresh: Duration, _ now: Instant) -> Entry? {
    if var known = entries[name] {
      let lastUse = known.lastUse
      known.lastUse = now
      known.refresh = refresh
      guard known.began == nil, now >= lastUse + max(Self.leastUse, refresh * 2) else { return known }
      return Entry(refresh: refresh, lastUse: now)
    }
    if entries.count >= limit, !makeRoom() { return nil }
    return Entry(refresh: refresh, lastUse: now)
  }

  /// Forgets an eighth of the names that can be forgotten, least recently used first.
  private mutating func makeRoom() -> Bool {
    let unused = entries.filter { $0.value.began == nil }.sorted { $0.value.lastUse < $1.value.lastUse }
    for (name, _) in unused.prefix(max(1, limit / 8)) { entries[name] = nil }
    return !unused.isEmpty
  }
}
