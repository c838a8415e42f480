internal import Locks
internal import Reactor
internal import Synchronization

/// The places for connections to one upstream, shared by all event loops: used if there are so few that one loop's
/// part of them would leave nothing to other clients.
///
/// The lock is held for a few instructions: when a connection is opened or closed, when another client than before uses
/// one, and, while requests wait, whenever one is used or given back.
final class SharedPlaces: Sendable {
  fileprivate struct State {
    var ledger: PlaceLedger<PlaceRequest>
    var loops: [Int: LoopPlaces] = [:]
    var joined = 0
  }

  private let state: Monitor<State>
  // How large a request's share must be for its loop not to ask: the ledger's `largestShare`, or `Int.max` while it is
  // short. Loops read it without the lock; a loop that reads an old value is asked to report afterwards.
  private let unasked: Atomic<Int>
  /// How many connections may be open at the same time.
  let connections: Int

  /// Places for `connections` connections; up to `queue` requests may wait for one.
  init(connections: Int, queue: Int) {
    self.connections = connections
    let ledger = PlaceLedger<PlaceRequest>(places: connections, queueLimit: queue)
    unasked = Atomic(ledger.isShort ? .max : 0)
    state = Monitor(State(ledger: ledger))
  }

  /// Connections that are open or being made, on all loops.
  var taken: Int { state.withLock { $0.ledger.taken } }

  /// Whether a loop has to report each connection that it stops using, and those that it keeps.
  var isShort: Bool { unasked.load(ordering: .acquiring) == .max }

  /// Whether a request with this share of its client may use a connection kept for that client without asking.
  func mayUseKept(most: Int) -> Bool { min(most, connections) >= unasked.load(ordering: .acquiring) }

  /// How many loops have connections here.
  var loops: Int { state.withLock { $0.loops.count } }

  /// Gives `pool`, of `loop`, a part in the places.
  func join(_ pool: UpstreamPool, on loop: EventLoop, tellsClientsApart: Bool) -> LoopPlaces {
    let number = state.withLock { state in
      state.joined += 1
      return state.joined
    }
    let part = LoopPlaces(self, number, of: pool, on: loop, tellsClientsApart: tellsClientsApart)
    state.withLock { $0.loops[number] = part }
    return part
  }

  func leave(_ loop: LoopPlaces) {
    state.withLock { $0.loops[loop.number] = nil }
  }

  /// Takes a place for `request`, which waits if there is none.
  func arrive(_ request: PlaceRequest) -> PlaceLedger<PlaceRequest>.Arrival {
    let (arrival, asked): (PlaceLedger<PlaceRequest>.Arrival, [LoopPlaces]) = update { state in
      let arrival = state.ledger.arrive(
        request, of: request.client, most: request.most, on: request.loop.number)
      guard case .waits(let displaced, let asked) = arrival else { return (arrival, []) }
      displaced?.isDisplaced = true
      return (arrival, state.members(asked))
    }
    for loop in asked { loop.ask() }
    if case .waits(let displaced?, _) = arrival { displaced.giveWay() }
    return arrival
  }

  func use(keptFor holder: ClientKey, by client: ClientKey, most: Int, on loop: Int) -> PlaceLedger<PlaceRequest>.Change
  {
    update { $0.ledger.use(keptFor: holder, by: client, most: most, on: loop) }
  }

  func report(keptFor holder: ClientKey, on loop: Int) -> PlaceRequest? {
    update { $0.ledger.report(keptFor: holder, on: loop) }
  }

  /// The connection is gone: its place is free, or goes to the next request, which makes one.
  func leave(_ holder: ClientKey, on loop: Int) {
    update { $0.ledger.leave(holder, on: loop) }?.goOn()
  }

  /// `request` no longer wants a place. If it was given one at this very moment, the place goes to the next request.
  func withdraw(_ request: PlaceRequest) {
    let hasPlace = update { state in
      !state.ledger.withdraw(request, of: request.client, most: request.most, on: request.loop.number)
        && !request.isDisplaced
    }
    if hasPlace { leave(request.client, on: request.loop.number) }
  }

  /// Whether `client` has reached its share of the places, if that is less than all.
  func isAtShare(_ client: ClientKey, most: Int) -> Bool {
    most < connections && state.withLock { $0.ledger.charge(of: client) >= most }
  }

  /// Whether `client` could have another connection, either a kept one or a new one.
  func hasRoom(for client: ClientKey, most: Int, isKept: Bool) -> Bool {
    state.withLock { ($0.ledger.taken < connections || isKept) && $0.ledger.charge(of: client) < most }
  }

  private func update<R: Sendable>(_ change: @Sendable (inout State) -> R) -> R {
    state.withLock { state in
      defer { unasked.store(state.ledger.isShort ? .max : state.ledger.largestShare, ordering: .releasing) }
      return change(&state)
    }
  }
}

extension SharedPlaces.State {
  fileprivate func members(_ asked: PlaceLedger<PlaceRequest>.Asked) -> [LoopPlaces] {
    switch asked {
    case .none: []
    case .all: Array(loops.values)
    case .some(let numbers): numbers.compactMap { loops[$0] }
    }
  }
}

/// The shared places of all upstreams of the process.
public final class SharedPlacesByOrigin: Sendable {
  private struct Key: Hashable {
    let origin: UpstreamOrigin
    let connections: Int
    let queue: Int
  }

  private struct State {
    var places: [Key: SharedPlaces] = [:]
    // At this number, those in which no loop has a part are dropped: requests may keep naming new upstreams.
    var most = SharedPlacesByOrigin.fewest
  }

  private let state = Monitor(State())

  fileprivate static let fewest = 64

  /// None so far.
  public init() {}

  /// How many there are: those in which loops have a part, and some leftovers.
  var count: Int { state.withLock { $0.places.count } }

  /// Calls `join` with the places of `origin`; `limits` say how many. They are kept at least until the joining loop has
  /// left.
  func join(
    _ origin: UpstreamOrigin, _ limits: UpstreamPool.Limits, _ join: @Sendable (SharedPlaces) -> LoopPlaces
  ) -> LoopPlaces {
    let key = Key(origin: origin, connections: limits.connections, queue: limits.queue)
    return state.withLock { state in
      // Loops join under this lock only, so places in which no loop has a part are not about to be used.
      if state.places[key] == nil, state.places.count >= state.most {
        state.places = state.places.filter { $0.value.loops > 0 }
        state.most = max(Self.fewest, 2 * state.places.count)
      }
      let places = state.places[key] ?? SharedPlaces(connections: key.connections, queue: key.queue)
      state.places[key] = places
      return join(places)
    }
  }
}

/// One loop's part in ``SharedPlaces``: what its pool and the others tell each other.
// Sendable because all but the constants is used on the loop's thread only; what comes from elsewhere is posted there.
final class LoopPlaces: @unchecked Sendable {
  let places: SharedPlaces
  /// Which loop this is, among those that have a part.
  let number: Int
  /// Requests of this loop that wait.
  var waiting = 0
  /// Whether connections are kept that have not been reported.
  var hasUnreported = false
  private let loop: EventLoop
  private let tellsClientsApart: Bool
  private unowned let pool: UpstreamPool
  private var isOver = false

  init(_ places: SharedPlaces, _ number: Int, of pool: UpstreamPool, on loop: EventLoop, tellsClientsApart: Bool) {
    (self.places, self.number, self.pool, self.loop) = (places, number, pool, loop)
    self.tellsClientsApart = tellsClientsApart
  }

  /// The client that is charged for what `client` uses.
  func key(_ client: ClientKey) -> ClientKey { tellsClientsApart ? client : .anyone }

  /// The pool is no longer used.
  func end() {
    guard !isOver else { return }
    isOver = true
    places.leave(self)
  }

  /// Makes the pool report the connections that it keeps. From any thread.
  func ask() {
    perform { $0.reportKept() }
  }

  /// Calls `action` with the pool, if that is still used. From any thread.
  fileprivate func perform(_ action: @escaping @Sendable (UpstreamPool) -> Void) {
    loop.perform { [self] in
      if !isOver { action(pool) }
    }
  }
}

/// A request that waits for a place on its own loop, while places become free on any.
// Sendable because `lease` is touched on the loop's thread only: what comes from elsewhere is posted there; and `isDisplaced`
// with the lock of the SharedPlaces held.
final class PlaceRequest: @unchecked Sendable {
  let loop: LoopPlaces
  let client: ClientKey
  let most: Int
  /// Whether a connection that is kept will not do.
  let mustBeNew: Bool
  /// Whether it waits no more, to the advantage of another client's request.
  fileprivate(set) var isDisplaced = false
  /// The lease that waits; nil if it no longer waits.
  private var lease: UpstreamLease?

  init(_ lease: UpstreamLease, on loop: LoopPlaces) {
    (self.lease, self.loop) = (lease, loop)
    (client, most, mustBeNew) = (loop.key(lease.client), lease.most, lease.mustBeNew)
  }

  /// It has a place now, and makes a connection. From any thread.
  func goOn() {
    loop.perform { [self] pool in
      if let lease = take() { pool.dial(granted: lease) }
    }
  }

  /// It has given way to another client's request. From any thread.
  func giveWay() {
    loop.perform { [self] pool in
      if let lease = take() { pool.displace(lease) }
    }
  }

  /// Returns the lease, which stops waiting; nil if it does not wait. On the loop's thread.
  func take() -> UpstreamLease? {
    defer { lease = nil }
    return lease
  }
}
