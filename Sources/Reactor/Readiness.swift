internal import CLinux

/// What the kernel reports about a descriptor.
public struct Readiness: OptionSet, Sendable {
  /// The bits as in epoll.
  public let rawValue: UInt32

  /// The readiness for epoll's bits.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// There is something to read, possibly the end of the stream.
  public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
  /// There is room to write.
  public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
  /// The peer will send no more (it closed, or shut down its sending side).
  public static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
  /// The connection is gone in both directions.
  public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
  /// The descriptor has an error to collect.
  public static let error = Readiness(rawValue: EPOLLERR.rawValue)
  /// Never reported; as an interest, it makes the kernel wake only one of several loops that wait for a descriptor.
  public static let exclusive = Readiness(rawValue: EPOLLEXCLUSIVE.rawValue)
}

/// Receives changes of a ``ByteStream``'s readiness: a task's ``Wakeup``, or the keeper of idle connections.
open class ReadinessObserver {
  /// An observer that nothing reports to yet.
  public init() {}

  /// Called on the loop's thread after the stream has recorded the change.
  open func readinessChanged() {
    preconditionFailure("a ReadinessObserver says what it does")
  }
}

/// An observer of a descriptor's readiness. Register it with an ``EventLoop``, which calls ``signal(_:)`` on its thread.
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
