internal import Glibc
internal import Locks
internal import Reactor
internal import Synchronization

/// The end of the program: no new connections, time for what is under way, then the end of the loops.
// Sendable because all but the atomics is touched on the thread of the first loop only, once there is one.
final class Drain: @unchecked Sendable {
  /// Whether the proxy is about to stop. From any thread.
  var hasBegun: Bool { begun.load(ordering: .relaxed) }
  /// How many requests were cut off because their time was over.
  private(set) var dropped = 0

  private let begun = Atomic<Bool>(false)
  private let stopAsked = Atomic<Bool>(false)
  // In nanoseconds.
  private let timeout: Atomic<UInt64>
  private let notice: @Sendable (String) -> Void
  private var workers: [Worker] = []
  private var loops: [EventLoop] = []
  private var busyWorkers = 0
  private let deadline = LoopTimer()

  /// - Parameter notice: called with a line about the drain, on the thread of a loop: it must not wait for anything.
  init(timeout: Duration, notice: @escaping @Sendable (String) -> Void) {
    self.timeout = Atomic(Interval(timeout).nanoseconds)
    self.notice = notice
  }

  /// Gives requests this long to finish. From any thread.
  func change(timeout: Duration) { self.timeout.store(Interval(timeout).nanoseconds, ordering: .relaxed) }

  private var longest: Duration { .nanoseconds(timeout.load(ordering: .relaxed)) }

  func prepare(workers: [Worker], loops: [EventLoop]) {
    self.workers = workers
    self.loops = loops
    deadline.action = { [unowned self] in cutOff() }
  }

  /// SIGTERM or SIGINT: the first one drains, the second one ends the process at once. From any thread, so that the second
  /// one works whatever the loops are doing.
  func stop(_ signal: Int32) {
    guard !stopAsked.exchange(true, ordering: .relaxed) else { _exit(128 + signal) }
    begin()
  }

  /// Drains, unless that has begun already. From any thread.
  func begin() {
    guard !begun.exchange(true, ordering: .relaxed) else { return }
    loops[0].perform { [self] in drainWorkers() }
  }

  private func drainWorkers() {
    let inFlight = InFlight(workers.count)
    busyWorkers = workers.count
    for worker in workers {
      worker.loop.perform { [self] in
        if let total = inFlight.add(worker.requestsInFlight) { announce(total) }
        worker.drain { [self] in loops[0].perform { [self] in workerIsDone() } }
      }
    }
    loops[0].set(deadline, to: loops[0].now + longest)
  }

  private func announce(_ requests: Int) {
    let what = requests == 1 ? "1 request" : "\(requests) requests"
    notice("draining: \(what) in flight, up to \(longest.components.seconds) s (again to stop at once)")
  }

  private func workerIsDone() {
    busyWorkers -= 1
    if busyWorkers == 0 { for loop in loops { loop.stop() } }
  }

  private func cutOff() {
    let inFlight = InFlight(workers.count)
    for worker in workers {
      worker.loop.perform { [self] in
        if let total = inFlight.add(worker.requestsInFlight) { loops[0].perform { [self] in dropped = total } }
        worker.closeAll()
      }
    }
    // They end within a turn of their loops; whatever does not is not waited for.
    deadline.action = { [unowned self] in for loop in loops { loop.stop() } }
    loops[0].set(deadline, to: loops[0].now + .seconds(1))
  }
}

/// Adds up a number from every worker; the last one gets the sum.
private final class InFlight: Sendable {
  private let state: Monitor<(missing: Int, sum: Int)>

  init(_ workers: Int) {
    state = Monitor((workers, 0))
  }

  func add(_ count: Int) -> Int? {
    state.withLock { state in
      state.missing -= 1
      state.sum += count
      return state.missing == 0 ? state.sum : nil
    }
  }
}
