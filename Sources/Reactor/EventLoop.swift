internal import CLinux
internal import Glibc
internal import Locks
internal import Synchronization
public import SystemPackage

// Sendable although it has mutable state: that state is confined to the loop's thread, and other threads pass their input
// through `inbox`.
/// A thread that waits for descriptors and timers and runs the tasks that belong to them.
///
/// Tasks started with ``start(_:)`` run on this thread from beginning to end, wherever they are resumed from, so what they
/// share needs no lock. Everything but ``enqueue(_:)``, ``perform(_:)``, ``start(_:)`` and ``stop()`` is for the loop's own
/// thread.
@safe public final class EventLoop: TaskExecutor, @unchecked Sendable {
  /// A watch's registration: its descriptor, and a number that distinguishes it from earlier uses of that descriptor.
  struct Registration {
    let descriptor: Int32
    let number: UInt32

    // An event of the same round for a descriptor that was closed and reused meanwhile carries the old number, and is dropped.
    var token: UInt64 { UInt64(number) << 32 | UInt64(UInt32(bitPattern: descriptor)) }
  }

  private struct Slot {
    var number: UInt32 = 0
    var watch: Watch?
  }

  private struct Inbox {
    var jobs: [UnownedJob] = []
    var calls: [@Sendable () -> Void] = []
    var isSignalled = false
  }

  /// The moment at which the loop last read the clock: precise enough for deadlines, and free.
  public private(set) var now = Instant.now

  // Whether the last epoll_wait returned fewer events than it had room for, and therefore all of them.
  private var hasSeenAll = false

  private let epoll: Descriptor
  private let doorbell: Descriptor
  private let thread = Atomic<UInt>(0)
  private let inbox = Monitor(Inbox())
  private var slots: [Slot] = []
  private var registrations: UInt32 = 0
  private var ready: [UnownedJob] = []
  private var running: [UnownedJob] = []
  private let nextRound = NextRound()
  private var timers = TimerQueue()
  private var beforeWaiting: [() -> Void] = []
  private var isStopped = false

  /// A loop that does not run yet.
  /// - Throws: the kernel's error if it has no descriptor left.
  public init() throws(Errno) {
    epoll = Descriptor(owning: try Errno.check(epoll_create1(Int32(EPOLL_CLOEXEC))))
    doorbell = Descriptor(owning: try Errno.check(eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))))
    let added = clinux_epoll_control(
      epoll.number, EPOLL_CTL_ADD, doorbell.number, EPOLLIN.rawValue, Self.doorbellToken)
    _ = try Errno.check(added)
  }

  /// Whether the calling thread is the one that runs this loop.
  public var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  // MARK: Running

  /// Runs the loop on the calling thread until ``stop()``.
  public func run() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    let capacity = 512
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
    defer { unsafe events.deallocate() }
    while !isStopped {
      runReadyJobs()
      // By index, here and below: iterating over an array would retain it.
      for index in beforeWaiting.indices { beforeWaiting[index]() }
      let count = unsafe epoll_wait(epoll.number, events, Int32(capacity), waitingTime())
      now = .now
      hasSeenAll = count >= 0 && count < capacity
      // EINTR (a debugger, a stopped process) is the only error possible with a valid descriptor: wait again.
      for index in 0..<max(0, Int(count)) {
        let event = unsafe events[index]
        unsafe dispatch(event.data.u64, Readiness(rawValue: event.events))
      }
      fireTimers()
      resumeDeferred()
    }
  }

  /// Lets all other tasks run, and handles sockets, before the calling task continues.
  public func yield() async {
    await nextRound.wait()
  }

  private func resumeDeferred() {
    guard !nextRound.jobs.isEmpty else { return }
    ready.append(contentsOf: nextRound.jobs)
    nextRound.jobs.removeAll(keepingCapacity: true)
  }

  /// Ends ``run()`` after the current round. From any thread.
  public func stop() {
    perform { [self] in isStopped = true }
  }

  /// Runs `operation` as a task that never leaves this loop's thread. From any thread.
  public func start(_ operation: sending @escaping () async -> Void) {
    Task(executorPreference: self, operation: operation)
  }

  /// Runs `call` on the loop's thread soon. From any thread.
  public func perform(_ call: @escaping @Sendable () -> Void) {
    post { $0.calls.append(call) }
  }

  /// Calls `call` on the loop's thread each time before it waits: the place to flush collected output.
  public func onWaiting(_ call: @escaping () -> Void) {
    beforeWaiting.append(call)
  }

  /// Takes a job of a task that runs here; Swift's runtime calls this.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent {
      ready.append(job)
    } else {
      post { $0.jobs.append(job) }
    }
  }

  /// Runs `job` soon. On the loop's thread only.
  func resume(_ job: UnownedJob) {
    ready.append(job)
  }

  private func post(_ add: (inout sending Inbox) -> Void) {
    let mustSignal = inbox.withLock { inbox in
      add(&inbox)
      let wasSignalled = inbox.isSignalled
      inbox.isSignalled = true
      return !wasSignalled
    }
    guard mustSignal else { return }
    var one: UInt64 = 1
    // Cannot fail for lack of room: the counter is reset with every read, far below its limit.
    unsafe _ = write(doorbell.number, &one, MemoryLayout<UInt64>.size)
  }

  private func emptyInbox() {
    var count: UInt64 = 0
    unsafe _ = read(doorbell.number, &count, MemoryLayout<UInt64>.size)
    let (jobs, calls) = inbox.withLock { inbox in
      defer { inbox = Inbox() }
      return (inbox.jobs, inbox.calls)
    }
    ready.append(contentsOf: jobs)
    for call in calls { call() }
  }

  private func runReadyJobs() {
    // Bounded, so that tasks that keep waking each other cannot keep the loop from its sockets.
    for _ in 0..<4 where !ready.isEmpty {
      swap(&running, &ready)
      for index in running.indices {
        unsafe running[index].runSynchronously(on: asUnownedTaskExecutor())
      }
      running.removeAll(keepingCapacity: true)
    }
  }

  private func waitingTime() -> Int32 {
    guard ready.isEmpty && nextRound.jobs.isEmpty && !isStopped else { return 0 }
    let next = timers.next
    guard next != .never else { return -1 }
    // Rounded up, so that the loop does not spin through the last fraction of a millisecond.
    let milliseconds = (next - Instant.now + 999_999) / 1_000_000
    return Int32(clamping: milliseconds)
  }

  // MARK: Timers

  /// Sets or moves the deadline of `timer`; ``Instant/never`` stops it.
  public func set(_ timer: LoopTimer, to deadline: Instant) {
    timers.set(timer, to: deadline)
  }

  /// Stops `timer` permanently and releases its action.
  public func retire(_ timer: LoopTimer) {
    timers.retire(timer)
  }

  private func fireTimers() {
    guard timers.next <= now else { return }
    for timer in timers.expire(at: now) {
      // An earlier timer of the same round may have moved or retired this one.
      if timer.deadline <= now { timer.fire() }
    }
  }

  // MARK: Descriptors

  /// Reports every change of a socket's readiness to `watch` (edge-triggered, both directions), until it is removed.
  public func register(_ watch: Watch, stream descriptor: Int32) throws(Errno) {
    try add(watch, descriptor, EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue)
  }

  /// Reports `interest` in `descriptor` to `watch` as long as it lasts (level-triggered), until it is removed.
  public func register(_ watch: Watch, descriptor: Int32, interest: Readiness) throws(Errno) {
    try add(watch, descriptor, interest.rawValue)
  }

  /// Whether the loop has reported everything that happened to a registered descriptor between `moment`, which was ``now`` in
  /// some round, and the beginning of this round.
  public func hasReported(since moment: Instant) -> Bool {
    hasSeenAll && moment < now
  }

  /// Replaces the interest given to ``register(_:descriptor:interest:)``.
  public func change(_ watch: Watch, interest: Readiness) throws(Errno) {
    guard let registration = watch.registration else { return }
    let changed = clinux_epoll_control(
      epoll.number, EPOLL_CTL_MOD, registration.descriptor, interest.rawValue, registration.token)
    _ = try Errno.check(changed)
  }

  /// Ends the registration of `watch`, whose descriptor is about to be closed: the kernel forgets a descriptor without copies
  /// by itself.
  public func forget(_ watch: Watch) {
    guard let registration = watch.registration else { return }
    watch.registration = nil
    slots[Int(registration.descriptor)].watch = nil
  }

  /// Ends the registration of `watch`; its descriptor must be open, or closed without copies.
  public func remove(_ watch: Watch) {
    guard let registration = watch.registration else { return }
    forget(watch)
    // Fails if the descriptor is closed already; then the kernel has removed it.
    _ = clinux_epoll_control(epoll.number, EPOLL_CTL_DEL, registration.descriptor, 0, 0)
  }

  private func add(_ watch: Watch, _ descriptor: Int32, _ events: UInt32) throws(Errno) {
    precondition(watch.registration == nil, "a watch is registered once")
    registrations &+= 1
    let registration = Registration(descriptor: descriptor, number: registrations)
    _ = try Errno.check(
      clinux_epoll_control(epoll.number, EPOLL_CTL_ADD, descriptor, events, registration.token))
    if slots.count <= Int(descriptor) {
      slots.append(contentsOf: repeatElement(Slot(), count: max(64, Int(descriptor) + 1 - slots.count)))
    }
    slots[Int(descriptor)] = Slot(number: registration.number, watch: watch)
    watch.registration = registration
  }

  private static let doorbellToken = UInt64.max

  private func dispatch(_ token: UInt64, _ readiness: Readiness) {
    guard token != Self.doorbellToken else { return emptyInbox() }
    let slot = slots[Int(token & 0xffff_ffff)]
    guard slot.number == UInt32(token >> 32), let watch = slot.watch else { return }
    watch.signal(readiness)
  }
}

// Sendable because it is used on its loop's thread only.
/// Tasks of a loop that let all others run first.
final class NextRound: SerialExecutor, @unchecked Sendable {
  /// Their jobs, in order.
  var jobs: [UnownedJob] = []
  private let halt = Halt()

  init() {
    unsafe halt.executor = asUnownedSerialExecutor()
  }

  /// Suspends the calling task until its job is run.
  func wait() async {
    await halt.pass()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    jobs.append(UnownedJob(job))
  }
}

/// A deadline on an event loop that is cheap to move.
///
/// A connection moves its deadline several times per request, and hardly ever reaches it. So moving it later only stores the
/// new moment: the entry in the loop's queue stays, and when its time comes, it is moved to the current deadline.
public final class LoopTimer {
  /// When `action` is due.
  public internal(set) var deadline = Instant.never
  /// The moment of this timer's live entry in the loop's queue.
  var queuedAt: Instant?
  /// Called on the loop's thread when the deadline has passed.
  public var action: (() -> Void)?

  /// A timer without a deadline.
  public init() {}

  /// Releases the action; the timer does not fire any more.
  func retire() {
    deadline = .never
    action = nil
  }

  func fire() {
    deadline = .never
    action?()
  }
}
