internal import Configuration
internal import Locks
internal import Reactor
internal import Upstream

/// How many requests of a route are under way at once: one queue for the whole process, since the limit is the API's.
///
/// The pools of upstream connections cannot do this: each event loop has its own share of them, idle connections count
/// there, and whoever waits does so on one loop while another has room. The lock is held for a few instructions.
final class ConcurrencyLimit: Sendable {
  /// The longest that a request waits.
  let longestWait: Duration

  private let queue: Monitor<PlaceQueue<PlaceWaiter>>

  init(_ concurrency: Concurrency) {
    longestWait = concurrency.wait
    queue = Monitor(
      PlaceQueue(
        places: concurrency.requests, queueLimit: concurrency.queue,
        most: concurrency.clientShare?.part(of: concurrency.requests)))
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

  /// Whether `waiter` has given way to a request of another client.
  func hasDisplaced(_ waiter: PlaceWaiter) -> Bool {
    queue.withLock { _ in waiter.isDisplaced }
  }

  /// Whether what a request of `client` waits for is that the client has fewer under way.
  func isAtShare(_ client: ClientKey) -> Bool {
    queue.withLock { $0.isAtShare(client) }
  }

  /// `waiter` waits no more. If it was given a place in this very moment, that goes to the next one.
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
  /// Whether it waits no more, to the advantage of another client's request.
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

  /// Makes it look at what has become of it. From any thread.
  func wake() {
    loop.perform { [self] in wakeup?.wake() }
  }

  /// Nobody waits any more.
  func forget() {
    wakeup = nil
  }
}
