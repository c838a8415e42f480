internal import CLinux
internal import Glibc
public import SystemPackage

/// The thread of an event loop. Join it before the program exits: libraries such as OpenSSL clean up at the end of a thread and
/// at the exit of the program, and the two must not happen at the same time.
public final class LoopThread {
  private let thread: pthread_t
  private var isJoined = false

  init(_ thread: pthread_t) { self.thread = thread }

  /// Waits until the loop, which must have been told to stop, has stopped, and its thread has ended.
  public func join() {
    guard !isJoined else { return }
    isJoined = true
    // Fails only for a thread that is not joinable or is the caller itself; this one is neither.
    _ = pthread_join(thread, nil)
  }

  deinit {
    if !isJoined { _ = pthread_detach(thread) }
  }
}

extension EventLoop {
  /// How many event loops can run in parallel: the number of cores that this process may use.
  public static var availableCores: Int { Int(clinux_available_cores()) }

  /// Runs the loop on a thread of its own, called `name` (system tools show 15 characters).
  @discardableResult public func startThread(named name: String) throws(Errno) -> LoopThread {
    final class Launch {
      let loop: EventLoop
      let name: String
      init(loop: EventLoop, name: String) {
        self.loop = loop
        self.name = name
      }
    }
    let launch = unsafe Unmanaged.passRetained(Launch(loop: self, name: name))
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let launch = unsafe Unmanaged<Launch>.fromOpaque(argument!).takeRetainedValue()
        unsafe clinux_name_thread(launch.name)
        launch.loop.run()
        return nil
      }, launch.toOpaque())
    guard status == 0 else {
      unsafe launch.release()
      throw Errno(rawValue: status)
    }
    return LoopThread(thread)
  }
}

/// Suspends a task by turning it into a job, which its executor keeps until it is resumed.
///
/// The executor of this actor does not run the jobs it gets. A continuation would suspend a task as well, but the runtime's
/// bookkeeping about its waiter takes as long again: docs/decisions/0012-waiting.md.
@safe actor Halt {
  // Set once, before the first pass().
  nonisolated(unsafe) var executor: UnownedSerialExecutor!
  private var passed = 0

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor }

  /// Returns when the job is run.
  @inline(never) func pass() {
    // Without a side effect here, the compiler would remove the call.
    passed &+= 1
  }
}
