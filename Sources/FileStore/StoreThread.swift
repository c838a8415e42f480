internal import CLinux
internal import Glibc
internal import Locks

/// A thread for tasks that wait for the disk. A disk that hangs blocks only this thread: the runtime has one thread per core,
/// and other work needs those.
///
/// It starts with the first task, and runs until ``end()``.
final class StoreThread: TaskExecutor {
  private struct State {
    var jobs: [UnownedJob] = []
    var isRunning = false
    var hasEnded = false
  }

  private let state = Monitor(State())

  /// Takes a job of a task that runs here; Swift's runtime calls this.
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let isFirst = state.withLock { state in
      state.jobs.append(job)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard isFirst else { return state.wakeAll() }
    if start() { return }
    // If the thread cannot be started, run the jobs on the global executor.
    let jobs = state.withLock { state in
      defer { (state.jobs, state.isRunning) = ([], false) }
      return state.jobs
    }
    for job in jobs { globalConcurrentExecutor.enqueue(job) }
  }

  /// Ends the thread when no more tasks will come.
  func end() {
    state.withLock { $0.hasEnded = true }
    state.wakeAll()
  }

  private func start() -> Bool {
    var attributes = pthread_attr_t()
    guard unsafe pthread_attr_init(&attributes) == 0 else { return false }
    defer { unsafe pthread_attr_destroy(&attributes) }
    // Detached: nothing joins the thread, since a hanging disk may keep it forever.
    unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let argument = unsafe Unmanaged.passRetained(self)
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        let executor = unsafe Unmanaged<StoreThread>.fromOpaque(argument!).takeRetainedValue()
        unsafe clinux_name_thread("token-store")
        executor.run()
        return nil
      }, argument.toOpaque())
    if status != 0 { unsafe argument.release() }
    return status == 0
  }

  private func run() {
    while true {
      let job = state.wait(while: { $0.jobs.isEmpty && !$0.hasEnded }) { state -> UnownedJob? in
        state.jobs.isEmpty ? nil : state.jobs.removeFirst()
      }
      guard let job else { return }
      unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
