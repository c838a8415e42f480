internal import CLinux
internal import Glibc
public import SystemPackage

/// The thread of an event loop, to be waited for at the end: what libraries tidy up when the program exits, such as
/// OpenSSL, they tidy up at the end of a thread too, and the two must not happen at the same time.
public final class LoopThread {
  private let thread: pthread_t
  private var isJoined = false

  init(_ thread: pthread_t) { self.thread = thread }

  /// Waits until the loop, which has been asked to stop, has stopped, and its thread is gone.
  public func join() {
    guard !isJoined else { return }
    isJoined = true
    // Fails for a thread that is not joinable or is the caller itself, neither of which it is.
    _ = pthread_join(thread, nil)
  }

  deinit {
    if !isJoined { _ = pthread_detach(thread) }
  }
}

extension EventLoop {
  /// How many event loops can run at the same time: the cores that this process may use.
  public static var availableCores: Int { Int(clinux_available_cores()) }

  /// Runs the loop on a thread of its own, called `name` (15 characters are shown by the system's tools).
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

/// Where a task of a loop becomes a job that is kept for later, which suspends it.
///
/// Tasks that come here are handed to an executor that is in no hurry to run them. A continuation would suspend them as
/// well, but the runtime keeps books about who waits for one, which takes as long again: docs/decisions/0012-waiting.md.
@safe actor Halt {
  // Set once, before the first task uses it.
  nonisolated(unsafe) var executor: UnownedSerialExecutor!
  private var passed = 0

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor }

  /// Returns when the job is run.
  @inline(never) func pass() {
    // Without a side effect here, the compiler would remove the call.
    passed &+= 1
  }
}
