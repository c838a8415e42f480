public import Reactor

/// A request's wish for an upstream connection, and what came of it.
public final class UpstreamLease {
  /// The connection or the reason why there is none; nil while that is open.
  public private(set) var outcome: Result<UpstreamConnection, UpstreamError>?
  /// The connection that is being made for it; nil while it waits for one in use.
  public internal(set) var attempt: DialAttempt?

  let connectTimeout: Duration
  private let wakeup: Wakeup

  /// A wish that wakes `wakeup` when it is decided.
  public init(connectTimeout: Duration, wakeup: Wakeup) {
    self.connectTimeout = connectTimeout
    self.wakeup = wakeup
  }

  func finish(_ result: Result<UpstreamConnection, UpstreamError>) {
    outcome = result
    wakeup.wake()
  }
}
