internal import Configuration
internal import Locks
internal import Reactor
internal import Synchronization
internal import Telemetry
internal import Upstream

/// Limits how many requests of a route are under way at once: one queue for the whole process, since the limit is the API's.
///
/// The pools of upstream connections cannot do this: each event loop has its own part of them, idle connections count
/// there, and a request would wait on one loop while another has room. The lock is held for a few instructions.
final class ConcurrencyLimit: Sendable {
  /// The longest that a request waits, in nanoseconds.
  private let longest: Atomic<UInt64>
  private let queue: Monitor<PlaceQueue<PlaceWaiter>>

  init(_ concurrency: Concurrency) {
    longest = Atomic(Interval(concurrency.wait).nanoseconds)
    queue = Monitor(
      PlaceQueue(
        places: concurrency.requests, queueLimit: concurrency.queue,
        most: concurrency.clientShare?.part(of: concurrency.requests)))
  }

  /// The longest that a request waits.
  var longestWait: Duration { .nanoseconds(longest.load(ordering: .relaxed)) }

  /// Whether it can change to `concurrency`: if clients were not told apart, the requests under way were not counted by client.
  func canBecome(_ concurrency: Concurrency) -> Bool {
    queue.withLock { $0.most == concurrency.clientShare?.part(of: concurrency.requests) }
  }

  /// Applies `concurrency`, which must be possible. Requests that are under way or wait keep their places.
  func change(to concurrency: Concurrency) {
    longest.store(Interval(concurrency.wait).nanoseconds, ordering: .relaxed)
    let admitted = queue.withLock { $0.change(places: concurrency.requests, queueLimit: concurrency.queue) }
    for waiter in admitted { waiter.admit() }
  }

  /// Requests under way, and requests that wait.
  var figures: (inFlight: Int, waiting: Int) { queue.withLock { ($0.taken, $0.waiting) } }

  /// Takes a place for a request of `client` if it may have one.
  func enter(_ client: ClientKey = .anyone) -> Bool {
    queue.withLock { $0.enter(client) }
  }

  /// Takes a place, or lets `waiter` wait for one.
  func arrive(_ waiter: PlaceWaiter) -> PlaceQueue<PlaceWaiter>.Arrival {
    let arrival = queue.withLock { queue in
      let arrival = queue.arrive(waiter, of: waiter.client)
      if case .waits(let displaced?) = arrival { displaced.isDisplaced = true }
      return arrival
    }
    if case .waits(let displaced?) = arrival { displaced.wake() }
    return arrival
  }

  /// Gives a place back that a request of `client` had; the next waiter gets it.
  func leave(_ client: ClientKey = .anyone) {
    queue.withLock { $0.leave(client) }?.admit()
  }

  /// Whether `waiter` was displaced by a request of another client.
  func hasDisplaced(_ waiter: PlaceWaiter) -> Bool {
    queue.withLock { _ in waiter.isDisplaced }
  }

  /// Whether a request of `client` waits for other requests of that client.
  func isAtShare(_ client: ClientKey) -> Bool {
    queue.withLock { $0.isAtShare(client) }
  }

  /// `waiter` stops waiting. If it was given a place at this very moment, the place goes to the next one.
  func withdraw(_ waiter: PlaceWaiter) {
    let hasPlace = queue.withLock { !$0.withdraw(waiter, of: waiter.client) && !waiter.isDisplaced }
    if hasPlace { leave(waiter.client) }
  }
}

/// A request that waits for its place on its own loop, while places become free on any.
// Sendable because `isAdmitted` and `wakeup` are touched on the loop's thread only: what comes from elsewhere is posted
// there; and `isDisplaced` with the lock of its ConcurrencyLimit held.
final class PlaceWaiter: @unchecked Sendable {
  let client: ClientKey
  private(set) var isAdmitted = false
  /// Whether it stopped waiting to make room for another client's request.
  fileprivate var isDisplaced = false
  private let loop: EventLoop
  private var wakeup: Wakeup?

  init(client: ClientKey = .anyone, loop: EventLoop, wakeup: Wakeup) {
    self.client = client
    self.loop = loop
    self.wakeup = wakeup
  }

  /// It has a place now. From any thread.
  func admit() {
    loop.perform { [self] in
      isAdmitted = true
      wakeup?.wake()
    }
  }

  /// Wakes it so that it checks its state. From any thread.
  func wake() {
    loop.perform { [self] in wakeup?.wake() }
  }

  /// There is no waiter any more.
  func forget() {
    wakeup = nil
  }
}

/// A number of places, and the requests that wait for one, in order. A value, without lock or clock.
///
/// If clients are told apart, one may take only a part of the places, and the next free one goes to the client that has
/// the fewest; otherwise it goes to the request that has waited longest.
struct PlaceQueue<Waiter: AnyObject> {
  /// What a new request has to do.
  enum Arrival {
    case goesOn
    /// It waits. If the queue was full, `displaced` is the waiter that lost its place in it.
    case waits(displaced: Waiter?)
    case isRefused
  }

  /// How many requests can be under way at once.
  private(set) var places: Int
  /// How many requests can wait.
  private(set) var queueLimit: Int
  /// How many places one client may take; nil if clients are not told apart.
  let most: Int?
  /// Places that are taken: all of them while a request waits whose client may have another one, and more after the
  /// number of places was reduced.
  private(set) var taken = 0

  private var lines = ClientLines<Waiter>()
  /// Empty if clients are not told apart.
  private var held: [ClientKey: Int] = [:]

  init(places: Int, queueLimit: Int, most: Int? = nil) {
    self.places = places
    self.queueLimit = queueLimit
    self.most = most
  }

  /// How many requests wait.
  var waiting: Int { lines.count }

  /// A request of `client` arrives, and takes a place if it may have one.
  mutating func enter(_ client: ClientKey = .anyone) -> Bool {
    guard taken < places, mayTake(client) else { return false }
    taken += 1
    note(client, 1)
    return true
  }

  /// Whether `client` may have another place, if one is free.
  private func mayTake(_ client: ClientKey) -> Bool {
    guard let most else { return true }
    return (held[client] ?? 0) < most
  }

  /// Whether `client` has reached its share of the places, if that is less than all.
  func isAtShare(_ client: ClientKey) -> Bool { (most ?? .max) < places && !mayTake(client) }

  /// A request of `client` arrives, and waits if there is no place.
  mutating func arrive(_ waiter: Waiter, of client: ClientKey = .anyone) -> Arrival {
    if enter(client) { return .goesOn }
    var displaced: Waiter?
    if lines.count >= queueLimit {
      displaced = lines.displace(for: line(client), held: held)
      if displaced == nil { return .isRefused }
    }
    lines.append(waiter, of: line(client), most: most ?? .max)
    return .waits(displaced: displaced)
  }

  /// A request of `client` gives up its place. Returns the waiter that gets it; if nil, the place is free again.
  mutating func leave(_ client: ClientKey = .anyone) -> Waiter? {
    precondition(taken > 0, "a place that is not taken cannot be left")
    note(client, -1)
    taken -= 1
    return admitNext()
  }

  /// Changes the number of places; returns the waiters that get one.
  mutating func change(places: Int, queueLimit: Int) -> [Waiter] {
    self.places = places
    self.queueLimit = queueLimit
    var admitted: [Waiter] = []
    while let waiter = admitNext() { admitted.append(waiter) }
    return admitted
  }

  private mutating func admitNext() -> Waiter? {
    guard taken < places, let next = lines.next(held: held) else { return nil }
    taken += 1
    note(next.client, 1)
    return next.waiter
  }

  /// A request of `client` stops waiting; false if it does not wait, because it was given a place in the meantime.
  mutating func withdraw(_ waiter: Waiter, of client: ClientKey = .anyone) -> Bool {
    lines.remove(waiter, of: line(client), most: most ?? .max)
  }

  private func line(_ client: ClientKey) -> ClientKey { most == nil ? .anyone : client }

  private mutating func note(_ client: ClientKey, _ change: Int) {
    guard most != nil else { return }
    let count = (held[client] ?? 0) + change
    held[client] = count == 0 ? nil : count
  }
}

extension ConcurrencyLimit {
  /// Exposes how many requests of `route` are under way, and how many wait.
  func register(_ registry: MetricsRegistry, route: String) {
    registry.read(.concurrencyInFlight, [.route: route]) { [self] in Double(figures.inFlight) }
    registry.read(.concurrencyWaiting, [.route: route]) { [self] in Double(figures.waiting) }
  }
}
