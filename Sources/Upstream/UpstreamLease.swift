public import Reactor

/// A request's wish for an upstream connection, and what came of it.
public final class UpstreamLease {
  /// The connection or the reason why there is none; nil while that is open.
  public private(set) var outcome: Result<UpstreamConnection, UpstreamError>?
  /// Whether a connection had to be made for it.
  public internal(set) var attempt: DialAttempt?

  let connectTimeout: Duration
  unowned var pool: UpstreamPool?
  private let wakeup: Wakeup

  /// A wish that wakes `wakeup` when it is decided.
  public init(connectTimeout: Duration, wakeup: Wakeup) {
    self.connectTimeout = connectTimeout
    self.wakeup = wakeup
  }

  /// Gives up while there is no outcome; a connection in the making is dropped.
  public func cancel() {
    guard outcome == nil else { return }
    pool?.cancel(self)
    attempt = nil
  }

  func finish(_ result: Result<UpstreamConnection, UpstreamError>) {
    outcome = result
    wakeup.wake()
  }
}
