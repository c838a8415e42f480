internal import DequeModule
internal import Reactor

/// Which connections to one origin are idle, how many exist, and who waits for one: a value, without any I/O.
///
/// The connection used last is used next, so that the others can grow old and be closed.
struct ConnectionPool<Connection: AnyObject, Waiter: AnyObject> {
  /// What a request that finds no idle connection has to do.
  enum Lease {
    case dial
    case wait
    case refuse
  }

  /// What becomes of a connection that is free again, or of the room that a lost one leaves.
  enum Handover {
    /// The connection, or the room for another, goes to this waiter.
    case give(Waiter)
    case none
  }

  let limit: Int
  let queueLimit: Int

  private(set) var idle = Deque<(connection: Connection, since: Instant)>()
  private(set) var waiters = Deque<Waiter>()
  /// Connections that exist or are being made, idle ones included.
  private(set) var open = 0

  init(limit: Int, queueLimit: Int) {
    self.limit = limit
    self.queueLimit = queueLimit
  }

  /// The idle connection that was used last, and since when nobody has; it counts as used from now on.
  mutating func takeIdle() -> (connection: Connection, since: Instant)? {
    idle.popLast()
  }

  mutating func lease(for waiter: Waiter) -> Lease {
    if open < limit {
      open += 1
      return .dial
    }
    guard waiters.count < queueLimit else { return .refuse }
    waiters.append(waiter)
    return .wait
  }

  /// The connection is usable and free again.
  mutating func release(_ connection: Connection, at now: Instant) -> Handover {
    if let waiter = waiters.popFirst() { return .give(waiter) }
    idle.append((connection, now))
    return .none
  }

  /// A connection that was in use, or in the making, is no more. A waiter that is given the room dials.
  mutating func lost() -> Handover {
    if let waiter = waiters.popFirst() { return .give(waiter) }
    open -= 1
    return .none
  }

  /// An idle connection was closed; false where it is not idle.
  mutating func removeIdle(_ connection: Connection) -> Bool {
    guard let index = idle.firstIndex(where: { $0.connection === connection }) else { return false }
    idle.remove(at: index)
    open -= 1
    return true
  }

  /// The waiter does not want a connection any more.
  mutating func removeWaiter(_ waiter: Waiter) {
    waiters.removeAll { $0 === waiter }
  }

  /// Takes out the connections that nobody has used since `moment`.
  mutating func expire(idleSince moment: Instant) -> [Connection] {
    var expired: [Connection] = []
    while let oldest = idle.first, oldest.since <= moment {
      expired.append(oldest.connection)
      idle.removeFirst()
      open -= 1
    }
    return expired
  }
}
