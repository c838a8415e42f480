internal import Glibc

/// The thread of an event loop, to be waited for at the end: what libraries tidy up when the program exits, such as
/// OpenSSL, they tidy up at the end of a thread too, and the two must not happen at the same time.
public final class LoopThread {
  private let thread: pthread_t
  private var isJoined = false

  init(_ thread: pthread_t) { self.thread = thread }

  /// Waits until the loop, which has been told to stop, has stopped, and its thread is gone.
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
