internal import Configuration
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

  /// Whether another process serves in place of this one. From any thread.
  var isReplaced: Bool { replaced.load(ordering: .relaxed) }

  private let begun = Atomic<Bool>(false)
  private let replaced = Atomic<Bool>(false)
  private let stopAsked = Atomic<Bool>(false)
  // In nanoseconds.
  private let timeout: Atomic<UInt64>
  private let tunnelTimeout: Atomic<UInt64>
  private let notice: @Sendable (String) -> Void
  private var workers: [Worker] = []
  private var loops: [EventLoop] = []
  private var busyWorkers = 0
  private let deadline = LoopTimer()
  // After an upgrade tunnels have a time of their own.
  private let tunnelDeadline = LoopTimer()
  private var (requestsEnd, tunnelsEnd) = (Instant.never, Instant.never)
  private var ended = (requests: false, tunnels: false)

  /// - Parameter notice: is given a line about the drain, on the thread of a loop: it must not wait for anything.
  init(_ timeouts: Timeouts, notice: @escaping @Sendable (String) -> Void) {
    timeout = Atomic(Interval(timeouts.drain).nanoseconds)
    tunnelTimeout = Atomic(Interval(timeouts.drainTunnel).nanoseconds)
    self.notice = notice
  }

  /// From now on requests have so long to finish. From any thread.
  func change(_ timeouts: Timeouts) {
    timeout.store(Interval(timeouts.drain).nanoseconds, ordering: .relaxed)
    tunnelTimeout.store(Interval(timeouts.drainTunnel).nanoseconds, ordering: .relaxed)
  }

  private var longest: Duration { .nanoseconds(timeout.load(ordering: .relaxed)) }
  private var longestOfTunnels: Duration { .nanoseconds(tunnelTimeout.load(ordering: .relaxed)) }

  func prepare(workers: [Worker], loops: [EventLoop]) {
    self.workers = workers
    self.loops = loops
    deadline.action = { [unowned self] in cutOff(requests: true, tunnels: !isReplaced) }
    tunnelDeadline.action = { [unowned self] in cutOff(requests: false, tunnels: true) }
  }

  /// SIGTERM or SIGINT: the first one drains, the second one ends the process at once. From any thread, so that the second
  /// one works whatever the loops are doing.
  func stop(_ signal: Int32) {
    guard !stopAsked.exchange(true, ordering: .relaxed) else { _exit(128 + signal) }
    guard isReplaced else { return begin() }
    loops[0].perform { [self] in endTunnels() }
  }

  /// Drains because another process accepts from the same sockets; false where the end has begun already. From any thread.
  func beginReplaced() -> Bool {
    guard !begun.exchange(true, ordering: .relaxed) else { return false }
    replaced.store(true, ordering: .relaxed)
    loops[0].perform { [self] in drainWorkers() }
    return true
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
        let tunnels = worker.tunnels
        if let (requests, tunnels) = inFlight.add(worker.requestsInFlight - tunnels, tunnels) {
          announce(requests, tunnels)
        }
        worker.drain(isReplaced: isReplaced) { [self] in loops[0].perform { [self] in workerIsDone() } }
      }
    }
    requestsEnd = loops[0].now + longest
    loops[0].set(deadline, to: requestsEnd)
    guard isReplaced else { return }
    tunnelsEnd = loops[0].now + longestOfTunnels
    loops[0].set(tunnelDeadline, to: tunnelsEnd)
  }

  private func announce(_ requests: Int, _ tunnels: Int) {
    guard isReplaced else {
      let what = Self.count(requests + tunnels, "request")
      return notice("draining: \(what) in flight, up to \(longest.components.seconds) s (again to stop at once)")
    }
    let times = (requests: longest.components.seconds, tunnels: longestOfTunnels.components.seconds)
    notice(
      "draining after the upgrade, process \(getpid()): \(Self.count(requests, "request")) in flight, up to "
        + "\(times.requests) s; \(Self.count(tunnels, "tunnel")), up to \(times.tunnels) s")
  }

  private static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  private func workerIsDone() {
    busyWorkers -= 1
    if busyWorkers == 0 { for loop in loops { loop.stop() } }
  }

  /// Ends requests, or tunnels, or both: their time is over.
  private func cutOff(requests: Bool, tunnels: Bool) {
    guard requests && !ended.requests || tunnels && !ended.tunnels else { return }
    ended = (ended.requests || requests, ended.tunnels || tunnels)
    let inFlight = InFlight(workers.count)
    for worker in workers {
      worker.loop.perform { [self] in
        let open = worker.tunnels
        if let total = inFlight.add(worker.requestsInFlight - open, open) {
          loops[0].perform { [self] in noteCutOff(requests ? total.requests : 0, tunnels ? total.tunnels : 0) }
        }
        worker.closeAll(requests: requests, tunnels: tunnels)
      }
    }
    guard ended.requests, ended.tunnels else { return }
    // They end within a turn of their loops; whatever does not is not waited for.
    deadline.action = { [unowned self] in for loop in loops { loop.stop() } }
    loops[0].set(deadline, to: loops[0].now + .seconds(1))
  }

  private func noteCutOff(_ requests: Int, _ tunnels: Int) {
    dropped += requests + tunnels
    guard isReplaced, requests + tunnels > 0 else { return }
    notice(
      "draining after the upgrade, process \(getpid()): "
        + "\(Self.count(requests, "request")) and \(Self.count(tunnels, "tunnel")) cut off")
  }

  /// SIGTERM after an upgrade: tunnels have no longer than requests.
  private func endTunnels() {
    let end = max(requestsEnd, loops[0].now)
    if end < tunnelsEnd { loops[0].set(tunnelDeadline, to: end) }
  }
}

/// Adds up what every worker has; the last one gets the sums.
private final class InFlight: Sendable {
  private let state: Monitor<(missing: Int, requests: Int, tunnels: Int)>

  init(_ workers: Int) {
    state = Monitor((workers, 0, 0))
  }

  func add(_ requests: Int, _ tunnels: Int) -> (requests: Int, tunnels: Int)? {
    state.withLock { state in
      state.missing -= 1
      state.requests += requests
      state.tunnels += tunnels
      return state.missing == 0 ? (state.requests, state.tunnels) : nil
    }
  }
}
