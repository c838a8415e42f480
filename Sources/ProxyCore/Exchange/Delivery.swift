internal import Reactor

/// Takes a value from any thread to the task that waits for it.
// Touched on the loop's thread only: other threads post to it.
final class Delivery<Value: Sendable>: @unchecked Sendable {
  /// The value, once it has arrived.
  private(set) var value: Value?
  private let loop: EventLoop
  private var wakeup: Wakeup?

  /// - Parameter wakeup: what the task on `loop` waits at.
  init(loop: EventLoop, wakeup: Wakeup) {
    self.loop = loop
    self.wakeup = wakeup
  }

  /// Hands the value over. From any thread.
  func deliver(_ value: Value) {
    loop.perform { [self] in
      self.value = value
      wakeup?.wake()
    }
  }

  /// There is no waiter any more.
  func cancel() {
    wakeup = nil
  }
}
