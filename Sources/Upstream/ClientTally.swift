/// Which client holds which of the connections of a pool, and how many each client holds: a value.
///
/// Every connection has a place, a number, from its beginning to its end. Who uses a connection is written to its place,
/// which is all that happens for most requests. Clients are counted only when so many connections are in use that one of them
/// may have too many, or when requests wait.
struct ClientTally {
  /// By place; ``ClientKey/unused`` for an idle connection, and for a place without a connection.
  private var holders: [ClientKey] = []
  private var freePlaces: [Int] = []
  /// Connections in use, or being made.
  private(set) var inUse = 0
  /// Right while `isCounting`.
  private var counts: [ClientKey: Int] = [:]
  private var isCounting = false
  /// Below this number in use counting ends: half of those at which it began, so that counting again costs little for
  /// each of the requests in between.
  private var enough = 0

  /// A place for a connection that is made for `client`.
  mutating func open(for client: ClientKey) -> Int {
    let place: Int
    if let free = freePlaces.popLast() {
      place = free
    } else {
      place = holders.count
      holders.append(.unused)
    }
    hold(place, client)
    return place
  }

  /// The idle connection at `place` is used by `client`.
  mutating func hold(_ place: Int, _ client: ClientKey) {
    holders[place] = client
    inUse += 1
    if isCounting { counts[client, default: 0] += 1 }
  }

  /// The connection at `place` is not used any more.
  mutating func letGo(_ place: Int) {
    if isCounting { discount(holders[place]) }
    holders[place] = .unused
    inUse -= 1
    if isCounting, inUse < enough { stopCounting() }
  }

  /// The idle connection at `place` is no more.
  mutating func close(_ place: Int) {
    freePlaces.append(place)
  }

  /// Whether `client` holds fewer than `most`.
  mutating func mayHold(_ client: ClientKey, most: Int) -> Bool {
    // Who holds too many is among those in use.
    inUse < most || (counted()[client] ?? 0) < most
  }

  /// How many connections each client holds; clients without any are not in it.
  mutating func counted() -> [ClientKey: Int] {
    if !isCounting {
      for client in holders where client != .unused { counts[client, default: 0] += 1 }
      isCounting = true
      enough = (inUse + 1) / 2
    }
    return counts
  }

  private mutating func discount(_ client: ClientKey) {
    let rest = counts[client]! - 1
    counts[client] = rest == 0 ? nil : rest
  }

  private mutating func stopCounting() {
    isCounting = false
    counts.removeAll()
  }
}
