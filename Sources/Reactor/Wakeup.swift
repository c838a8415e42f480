// Sendable because it is used on its loop's thread only.
/// The one place where a task waits: for its sockets, its timers, a token, whatever comes first.
///
/// Everything that can end the wait sets its own state and calls ``wake()``. The task looks at that state before it
/// waits and after; since both happen on the loop's thread, no wake-up is lost between the look and the wait.
public final class Wakeup: ReadinessObserver, SerialExecutor, @unchecked Sendable {
  private let loop: EventLoop
  private let halt = Halt()
  // What the waiting task has become; taken out before it is run.
  private var waiting: UnownedJob?
  private var begin: (() -> Void)?

  /// A wake-up that no request waits for yet, for tasks of `loop`.
  public init(on loop: EventLoop) {
    self.loop = loop
    super.init()
    unsafe halt.executor = asUnownedSerialExecutor()
  }

  /// Suspends the calling task until ``wake()``. It may also return for a reason of the past: look again.
  public func wait() async {
    await halt.pass()
  }

  /// Calls `begin` with the next ``wake()``, once: it may start a task, where until then none is needed.
  public func wait(thenCalling begin: @escaping () -> Void) {
    precondition(waiting == nil && self.begin == nil, "one task waits at a time")
    self.begin = begin
  }

  /// Lets the waiting task go on, if there is one. On the loop's thread only.
  public func wake() {
    if let job = waiting {
      waiting = nil
      loop.resume(job)
    } else if let begin {
      self.begin = nil
      begin()
    }
  }

  public override func readinessChanged() {
    wake()
  }

  /// Keeps the job that a task has become by waiting; Swift's runtime calls this.
  public func enqueue(_ job: consuming ExecutorJob) {
    precondition(waiting == nil && begin == nil, "one task waits at a time")
    waiting = UnownedJob(job)
  }
}
