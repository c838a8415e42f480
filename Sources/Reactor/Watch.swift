/// Something that wants to know when a descriptor is ready. Registered with an ``EventLoop``, on whose thread
/// ``signal(_:)`` is called.
open class Watch {
  /// Where the event loop keeps this watch; nil while it is not registered.
  var registration: EventLoop.Registration?

  /// A watch that is not registered yet.
  public init() {}

  /// Called on the loop's thread when the kernel reports `readiness`.
  open func signal(_ readiness: Readiness) {
    preconditionFailure("a Watch says what its signal does")
  }
}
