internal import DequeModule

/// Identifies the client of a request where clients share something. Requests that count as one client's have equal
/// keys.
public struct ClientKey: Hashable, Sendable {
  private let kind: Int32
  private let number: UInt64

  /// The client with this number among those of its kind. Kinds are not negative.
  public init(kind: Int32, number: UInt64) {
    self.kind = kind
    self.number = number
  }

  /// All clients, if they are not told apart.
  public static var anyone: ClientKey { ClientKey(kind: -1, number: 0) }
  /// No client: whatever has this key is free.
  static var unused: ClientKey { ClientKey(kind: -2, number: 0) }
}

/// The requests that wait for one of a number of places, in one line for each client: the next free place goes to the
/// client that holds the fewest. A value, without lock or clock.
///
/// Finding the next one takes time proportional to the number of waiting clients, not of waiters; the length of the
/// queue bounds both.
public struct ClientLines<Waiter: AnyObject> {
  /// The waiters of a client that may hold the same number of places: on one loop, two routes may set different shares.
  private struct Line: Hashable {
    let client: ClientKey
    let most: Int
    let loop: Int
  }

  /// No line is empty.
  private var lines: [Line: Deque<(waiter: Waiter, arrival: UInt64)>] = [:]
  private var waiting: [ClientKey: Int] = [:]
  private var arrivals: UInt64 = 0

  /// How many wait.
  public private(set) var count = 0

  /// Creates empty lines.
  public init() {}

  /// Whether no client waits.
  public var isEmpty: Bool { count == 0 }

  /// Puts `waiter` at the end of its client's line.
  ///
  /// - Parameter most: the waiter gets no place while its client holds this many.
  /// - Parameter loop: where it waits, if that makes a difference.
  public mutating func append(_ waiter: Waiter, of client: ClientKey, most: Int, loop: Int = 0) {
    arrivals += 1
    lines[Line(client: client, most: most, loop: loop), default: []].append((waiter, arrivals))
    waiting[client, default: 0] += 1
    count += 1
  }

  /// Removes and returns the waiter that gets the next place: of the clients that may have another one, the client that
  /// holds the fewest; among equals, the one that has waited longest. Nil if no waiting client may have another place.
  ///
  /// - Parameter held: how many places each client holds.
  /// - Parameter loop: among clients that hold equally few, a request that waits on this loop goes first; nil for no
  ///   preference.
  public mutating func next(
    held: [ClientKey: Int], near loop: Int? = nil
  ) -> (waiter: Waiter, client: ClientKey)? {
    var best: (line: Line, rank: (held: Int, distance: Int, arrival: UInt64))?
    for (line, waiters) in lines {
      let held = held[line.client] ?? 0
      guard held < line.most else { continue }
      let rank = (held: held, distance: loop == nil || line.loop == loop ? 0 : 1, arrival: waiters[0].arrival)
      if let best, best.rank < rank { continue }
      best = (line, rank)
    }
    guard let line = best?.line else { return nil }
    let waiter = lines[line]!.removeFirst().waiter
    left(line)
    return (waiter, line.client)
  }

  /// Makes room for a waiter of `client` when the queue is full: removes and returns the newest waiter of the client
  /// that has the most places and waiters together. Nil unless that is at least two more than `client` has; otherwise
  /// two clients would displace each other in turn.
  ///
  /// - Parameter held: how many places each client holds.
  public mutating func displace(for client: ClientKey, held: [ClientKey: Int]) -> Waiter? {
    var worst: (line: Line, demand: Int, arrival: UInt64)?
    for (line, waiters) in lines {
      let demand = demand(of: line.client, held)
      let arrival = waiters[waiters.count - 1].arrival
      if let worst, (worst.demand, worst.arrival) > (demand, arrival) { continue }
      worst = (line, demand, arrival)
    }
    guard let worst, worst.demand > demand(of: client, held) + 1 else { return nil }
    let waiter = lines[worst.line]!.removeLast().waiter
    left(worst.line)
    return waiter
  }

  /// Removes `waiter`; false if it does not wait.
  public mutating func remove(_ waiter: Waiter, of client: ClientKey, most: Int, loop: Int = 0) -> Bool {
    let line = Line(client: client, most: most, loop: loop)
    guard let index = lines[line]?.firstIndex(where: { $0.waiter === waiter }) else { return false }
    lines[line]!.remove(at: index)
    left(line)
    return true
  }

  private func demand(of client: ClientKey, _ held: [ClientKey: Int]) -> Int {
    (held[client] ?? 0) + (waiting[client] ?? 0)
  }

  /// Call after removing a waiter from `line`.
  private mutating func left(_ line: Line) {
    count -= 1
    if lines[line]?.isEmpty == true { lines[line] = nil }
    let rest = waiting[line.client]! - 1
    waiting[line.client] = rest == 0 ? nil : rest
  }
}
