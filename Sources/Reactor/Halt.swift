/// Where a task of a loop becomes a job that somebody keeps, which is what suspends it.
///
/// Tasks that come here are handed to an executor that is in no hurry to run them. A continuation would suspend them as
/// well, but the runtime keeps books about who waits for one, which takes as long again: docs/decisions/0012-waiting.md.
@safe actor Halt {
  // Set once, before anybody comes by.
  nonisolated(unsafe) var executor: UnownedSerialExecutor!
  private var passed = 0

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor }

  /// Returns when the job is run.
  @inline(never) func pass() {
    // Something has to be done here, or the compiler sees that nobody needs to come here.
    passed &+= 1
  }
}
