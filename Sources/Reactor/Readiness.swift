internal import CLinux

/// What the kernel reports of a descriptor.
public struct Readiness: OptionSet, Sendable {
  /// The bits as epoll has them.
  public let rawValue: UInt32

  /// The readiness that epoll's bits stand for.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// There is something to read, be it the end of the stream.
  public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
  /// There is room to write.
  public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
  /// The peer will send no more (it closed, or shut down its sending side).
  public static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
  /// The connection is gone in both directions.
  public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
  /// The descriptor has an error to collect.
  public static let error = Readiness(rawValue: EPOLLERR.rawValue)
  /// Never reported; asked for, it means that of several loops that wait for a descriptor one is woken.
  public static let exclusive = Readiness(rawValue: EPOLLEXCLUSIVE.rawValue)
}
