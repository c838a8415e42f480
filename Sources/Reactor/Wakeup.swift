/// The one place where a task waits: for its sockets, its timers, a token, whatever comes first.
///
/// Everything that can end the wait sets its own state and calls ``wake()``. The task looks at that state before it
/// waits and after; since both happen on the loop's thread, no wake-up is lost between the look and the wait.
@safe public final class Wakeup: ReadinessObserver {
  // Resumed exactly once: taken out before it is resumed.
  private var waiting: UnsafeContinuation<Void, Never>?

  /// A wake-up that nobody waits for yet.
  public override init() {}

  /// Suspends the calling task until ``wake()``. It may also return for a reason of the past: look again.
  public func wait() async {
    unsafe await withUnsafeContinuation { continuation in
      unsafe precondition(waiting == nil, "one task waits at a time")
      unsafe waiting = continuation
    }
  }

  /// Lets the waiting task go on, if there is one. On the loop's thread only.
  public func wake() {
    guard let continuation = unsafe waiting else { return }
    unsafe waiting = nil
    unsafe continuation.resume()
  }

  public override func readinessChanged() {
    wake()
  }
}
