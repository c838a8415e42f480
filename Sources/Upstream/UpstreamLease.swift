public import Reactor

/// A request's wish for an upstream connection, and what came of it.
public final class UpstreamLease {
  /// The connection or the reason why there is none; nil while that is open.
  public private(set) var outcome: Result<UpstreamConnection, UpstreamError>?
  /// The connection that is being made for it; nil while it waits for one in use.
  public internal(set) var attempt: DialAttempt?

  let connectTimeout: Duration
  /// Whose request it is, and how many connections that client may use.
  let client: ClientKey
  let most: Int
  /// Where the connection that is being made for it counts.
  var place = 0
  private let wakeup: Wakeup

  /// A wish that wakes `wakeup` when it is decided.
  ///
  /// - Parameter most: it waits while its client uses so many connections of the pool.
  public init(connectTimeout: Duration, client: ClientKey = .anyone, most: Int = .max, wakeup: Wakeup) {
    self.connectTimeout = connectTimeout
    self.client = client
    self.most = most
    self.wakeup = wakeup
  }

  func finish(_ result: Result<UpstreamConnection, UpstreamError>) {
    outcome = result
    wakeup.wake()
  }
}
