// Sendable because it is used on its loop's thread only.
/// Tasks of a loop that let everybody else have their turn first.
final class NextRound: SerialExecutor, @unchecked Sendable {
  /// What they have become, in their order.
  var jobs: [UnownedJob] = []
  private let halt = Halt()

  init() {
    unsafe halt.executor = asUnownedSerialExecutor()
  }

  /// Suspends the calling task until somebody runs its job.
  func wait() async {
    await halt.pass()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    jobs.append(UnownedJob(job))
  }
}
