// Sendable because it is used on its loop's thread only.
/// The one place where a task waits: for its sockets, its timers, a token, whichever comes first.
///
/// Everything that can end the wait sets its own state and then calls ``wake()``. The task checks that state before it waits
/// and after; since both happen on the loop's thread, no wake-up is lost between the check and the wait.
public final class Wakeup: ReadinessObserver, SerialExecutor, @unchecked Sendable {
  private let loop: EventLoop
  private let halt = Halt()
  // The job of the waiting task; removed before it runs.
  private var waiting: UnownedJob?
  private var begin: (() -> Void)?

  /// A wake-up for tasks of `loop`.
  public init(on loop: EventLoop) {
    self.loop = loop
    super.init()
    unsafe halt.executor = asUnownedSerialExecutor()
  }

  /// Suspends the calling task until ``wake()``. May return spuriously; recheck the condition.
  public func wait() async {
    await halt.pass()
  }

  /// Calls `begin` once, at the next ``wake()``. It can start a task that is not needed before.
  public func wait(thenCalling begin: @escaping () -> Void) {
    precondition(waiting == nil && self.begin == nil, "one task waits at a time")
    self.begin = begin
  }

  /// Resumes the waiting task, if there is one. On the loop's thread only.
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

  /// Holds the job of a waiting task; Swift's runtime calls this.
  public func enqueue(_ job: consuming ExecutorJob) {
    precondition(waiting == nil && begin == nil, "one task waits at a time")
    waiting = UnownedJob(job)
  }
}
