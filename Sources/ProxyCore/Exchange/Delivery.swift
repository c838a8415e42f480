internal import Reactor

/// Brings a value from whichever thread worked it out to the task that waits for it.
// Touched on the loop's thread only: what comes from elsewhere is posted there.
final class Delivery<Value: Sendable>: @unchecked Sendable {
  /// The value, once it is there.
  private(set) var value: Value?
  private let loop: EventLoop
  private var wakeup: Wakeup?

  /// - Parameter wakeup: where the task on `loop` waits.
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
