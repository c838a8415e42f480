internal import DequeModule

/// Whose a request is, where clients share something: equal for all requests that count as one client.
public struct ClientKey: Hashable, Sendable {
  private let kind: Int32
  private let number: UInt64

  /// The client with this number among those of its kind. Kinds are not negative.
  public init(kind: Int32, number: UInt64) {
    self.kind = kind
    self.number = number
  }

  /// All clients, where they are not told apart.
  public static var anyone: ClientKey { ClientKey(kind: -1, number: 0) }
  /// No client: what is marked with it is free.
  static var unused: ClientKey { ClientKey(kind: -2, number: 0) }
}

/// Who waits for one of a number of places, in a line for each client: the next free place goes to the client that holds
/// fewest. A value, without lock or clock.
///
/// To find the next one, it looks at each client that waits, not at each waiter: there are no more of them than may wait.
public struct ClientLines<Waiter: AnyObject> {
  /// The waiters of a client that may hold the same number of places, since two routes may set different shares, on one loop.
  private struct Line: Hashable {
    let client: ClientKey
    let most: Int
    let loop: Int
  }

  /// None is empty.
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
  /// - Parameter most: it is not given a place while its client holds so many.
  /// - Parameter loop: where it waits, if that makes a difference.
  public mutating func append(_ waiter: Waiter, of client: ClientKey, most: Int, loop: Int = 0) {
    arrivals += 1
    lines[Line(client: client, most: most, loop: loop), default: []].append((waiter, arrivals))
    waiting[client, default: 0] += 1
    count += 1
  }

  /// Takes out the waiter that gets the next place: of the clients that may have another one, the client that holds fewest;
  /// among equals, the one that has waited longest. Nil where no waiting client may have another place.
  ///
  /// - Parameter held: how many places each client holds.
  /// - Parameter loop: among clients that hold equally few, a request that waits there goes first; nil where none does.
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

  /// Makes room for a waiter of `client` when as many wait as may: takes out the newest waiter of the client that has, in
  /// places and waiters together, most. Nil where that is not at least two more than `client` has, so that two clients do
  /// not displace each other in turn.
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

  /// Takes out `waiter`; false where it does not wait.
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

  /// A waiter has been taken out of `line`.
  private mutating func left(_ line: Line) {
    count -= 1
    if lines[line]?.isEmpty == true { lines[line] = nil }
    let rest = waiting[line.client]! - 1
    waiting[line.client] = rest == 0 ? nil : rest
  }
}
