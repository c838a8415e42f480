internal import DequeModule
internal import Reactor

/// Which connections to one origin are idle, how many exist, which clients use them, and which requests wait for one: a
/// value, without any I/O.
///
/// The connection used last is used next, so that the others can grow old and be closed. A client may use only as many
/// connections as each of its requests says; when all are in use, the next free one goes to the client that uses the
/// fewest. A connection that a waiting request may have is never left idle, and its room is never left unused.
struct ConnectionPool<Connection: AnyObject, Waiter: AnyObject> {
  /// What a request that finds no idle connection has to do.
  enum Lease {
    /// It makes a connection, which has this place.
    case dial(place: Int)
    /// It waits. If the queue was full, `displaced` is the waiter that lost its place in it.
    case wait(displaced: Waiter?)
    case refuse
  }

  /// What happens with the room that a lost connection leaves.
  enum Room {
    /// This waiter makes a connection at that place.
    case dial(Waiter, place: Int)
    /// This waiter gets this idle connection, which its client was not allowed to use until now.
    case use(Idle, Waiter)
    case none
  }

  /// A connection that is not in use.
  struct Idle {
    let connection: Connection
    let place: Int
    let since: Instant
    /// It must not be used from this moment on.
    let until: Instant
  }

  let limit: Int
  let queueLimit: Int

  private(set) var idle = Deque<Idle>()
  private var waiters = ClientLines<Waiter>()
  private var clients = ClientTally()
  /// Connections that exist or are being made, idle ones included.
  private(set) var open = 0

  init(limit: Int, queueLimit: Int) {
    self.limit = limit
    self.queueLimit = queueLimit
  }

  /// How many requests wait.
  var waiting: Int { waiters.count }

  /// How many connections each client uses.
  var uses: [ClientKey: Int] { mutating get { clients.counted() } }

  /// Whether `client` may use another connection, of which it may use `most`.
  mutating func mayUse(_ client: ClientKey, most: Int) -> Bool {
    clients.mayHold(client, most: most)
  }

  /// Takes the idle connection that was used last; it then counts as used by `client`. Nil if there is none, or if the
  /// client may not use another one.
  mutating func takeIdle(for client: ClientKey, most: Int) -> Idle? {
    guard !idle.isEmpty, clients.mayHold(client, most: most) else { return nil }
    let taken = idle.removeLast()
    clients.hold(taken.place, client)
    return taken
  }

  /// Takes the idle connection `connection`, which then counts as in use, in a pool that does not tell clients apart;
  /// nil if it is not idle.
  mutating func take(_ connection: Connection) -> Idle? {
    guard let index = idle.firstIndex(where: { $0.connection === connection }) else { return nil }
    let taken = idle.remove(at: index)
    clients.hold(taken.place, .anyone)
    return taken
  }

  mutating func lease(for waiter: Waiter, of client: ClientKey, most: Int) -> Lease {
    if open < limit, clients.mayHold(client, most: most) {
      open += 1
      return .dial(place: clients.open(for: client))
    }
    var displaced: Waiter?
    if waiters.count >= queueLimit {
      displaced = waiters.displace(for: client, held: clients.counted())
      if displaced == nil { return .refuse }
    }
    waiters.append(waiter, of: client, most: most)
    return .wait(displaced: displaced)
  }

  /// The connection at `place` is usable and free again. Returns the waiter that gets it; if nil, the connection is
  /// idle now.
  ///
  /// - Parameter until: how long it may be idle.
  mutating func release(_ connection: Connection, place: Int, at now: Instant, until: Instant) -> Waiter? {
    clients.letGo(place)
    if let next = nextWaiter() {
      clients.hold(place, next.client)
      return next.waiter
    }
    idle.append(Idle(connection: connection, place: place, since: now, until: until))
    return nil
  }

  /// Makes room for a new connection of `client`, for which no kept one will do: the idle connection that was not used for
  /// longest is taken out, and its place is the client's. Nil where there is none, or the client may not use another one.
  mutating func retireIdle(for client: ClientKey, most: Int) -> Idle? {
    guard !idle.isEmpty, clients.mayHold(client, most: most) else { return nil }
    let retired = idle.removeFirst()
    clients.hold(retired.place, client)
    return retired
  }

  /// `kept`, which was given to a request of `client`, is idle instead, because only a new connection will do for that request.
  /// Returns the place of the new one, and the connection that has to make room for it where as many are open as may: the one
  /// that was not used for longest, which may be `kept`.
  mutating func keep(_ kept: Idle, givingNewTo client: ClientKey) -> (place: Int, retired: Connection?) {
    clients.letGo(kept.place)
    idle.append(kept)
    guard open >= limit else {
      open += 1
      return (clients.open(for: client), nil)
    }
    let retired = idle.removeFirst()
    clients.hold(retired.place, client)
    return (retired.place, retired.connection)
  }

  /// The connection at `place`, which was in use or in the making, is no more.
  mutating func lost(place: Int) -> Room {
    clients.letGo(place)
    guard let next = nextWaiter() else {
      close(place)
      return .none
    }
    if let ready = idle.popLast() {
      close(place)
      clients.hold(ready.place, next.client)
      return .use(ready, next.waiter)
    }
    clients.hold(place, next.client)
    return .dial(next.waiter, place: place)
  }

  /// An idle connection was closed; false if it is not idle.
  mutating func removeIdle(_ connection: Connection) -> Bool {
    guard let index = idle.firstIndex(where: { $0.connection === connection }) else { return false }
    close(idle.remove(at: index).place)
    return true
  }

  /// The waiter no longer wants a connection.
  mutating func removeWaiter(_ waiter: Waiter, of client: ClientKey, most: Int) {
    _ = waiters.remove(waiter, of: client, most: most)
  }

  /// Removes the connections that must not be used from `moment` on. Checks all of them: one that the server will close
  /// soon may be between others.
  mutating func expire(at moment: Instant) -> [Connection] {
    let expired = idle.filter { $0.until <= moment }
    guard !expired.isEmpty else { return [] }
    idle.removeAll { $0.until <= moment }
    for one in expired { close(one.place) }
    return expired.map(\.connection)
  }

  /// When ``expire(at:)`` has something to do.
  var nextExpiry: Instant { idle.lazy.map(\.until).min() ?? .never }

  /// Removes the idle connections for which `isWanted` returns false.
  mutating func takeIdle(unless isWanted: (Connection) -> Bool) -> [Connection] {
    let taken = idle.filter { !isWanted($0.connection) }
    guard !taken.isEmpty else { return [] }
    idle.removeAll { !isWanted($0.connection) }
    for entry in taken { close(entry.place) }
    return taken.map(\.connection)
  }

  /// Removes `count` of the idle connections, or all of them, least recently used first.
  mutating func takeLongestIdle(_ count: Int) -> [Connection] {
    let taken = idle.prefix(count).map(\.connection)
    for _ in taken { close(idle.removeFirst().place) }
    return taken
  }

  private mutating func nextWaiter() -> (waiter: Waiter, client: ClientKey)? {
    waiters.isEmpty ? nil : waiters.next(held: clients.counted())
  }

  private mutating func close(_ place: Int) {
    clients.close(place)
    open -= 1
  }
}
