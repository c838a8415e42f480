internal import Configuration
internal import Locks
internal import Reactor

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
    queue = Monitor(PlaceQueue(places: concurrency.requests, queueLimit: concurrency.queue))
  }

  /// Requests under way, and requests that wait.
  var figures: (inFlight: Int, waiting: Int) { queue.withLock { ($0.taken, $0.waiting) } }

  /// Takes a place if one is free.
  func enter() -> Bool {
    queue.withLock { $0.enter() }
  }

  /// Takes a place, or lets `waiter` wait for one.
  func arrive(_ waiter: PlaceWaiter) -> PlaceQueue<PlaceWaiter>.Arrival {
    queue.withLock { $0.arrive(waiter) }
  }

  /// Gives a place back; whoever has waited longest gets it.
  func leave() {
    queue.withLock { $0.leave() }?.admit()
  }

  /// `waiter` waits no more. If it was given a place in this very moment, that goes to the next one.
  func withdraw(_ waiter: PlaceWaiter) {
    if !queue.withLock({ $0.withdraw(waiter) }) { leave() }
  }
}

/// A request that waits for its place on its own loop, while places become free on any.
// Sendable because `isAdmitted` and `wakeup` are touched on the loop's thread only: what comes from elsewhere is posted
// there.
final class PlaceWaiter: @unchecked Sendable {
  private(set) var isAdmitted = false
  private let loop: EventLoop
  private var wakeup: Wakeup?

  init(loop: EventLoop, wakeup: Wakeup) {
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

  /// Nobody waits any more.
  func forget() {
    wakeup = nil
  }
}
