/// Which client uses which connection of a pool, and how many each client uses: a value.
///
/// Every connection has a place, a number, from its beginning to its end. The client that uses a connection is written
/// to that place; most requests need no more than this. Clients are counted only when so many connections are in use
/// that one client may have too many, or when requests wait.
/// may have too many, or when requests wait.
struct ClientTally {
  /// By place; ``ClientKey/unused`` for an idle connection, and for a place without a connection.
  private var holders: [ClientKey] = []
  private var freePlaces: [Int] = []
  /// Connections in use, or being made.
  private(set) var inUse = 0
  /// Valid while `isCounting`.
  private var counts: [ClientKey: Int] = [:]
  private var isCounting = false
  /// Counting ends when fewer than this many connections are in use: half of the number at which it began, so that the
  /// cost of counting again is spread over the requests in between.
  private var enough = 0

  /// Returns a place for a new connection of `client`.
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

  /// `client` starts to use the idle connection at `place`.
  mutating func hold(_ place: Int, _ client: ClientKey) {
    holders[place] = client
    inUse += 1
    if isCounting { counts[client, default: 0] += 1 }
  }

  /// The connection at `place` is no longer in use.
  mutating func letGo(_ place: Int) {
    if isCounting { discount(holders[place]) }
    holders[place] = .unused
    inUse -= 1
    if isCounting, inUse < enough { stopCounting() }
  }

  /// The idle connection at `place` was closed.
  mutating func close(_ place: Int) {
    freePlaces.append(place)
  }

  /// Whether `client` holds fewer than `most`.
  mutating func mayHold(_ client: ClientKey, most: Int) -> Bool {
    // A client cannot hold more than are in use.
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
