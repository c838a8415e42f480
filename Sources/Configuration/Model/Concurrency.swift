/// How many requests of a route the API is sent at once, all event loops together.
public struct Concurrency: Sendable, Hashable {
  /// Requests under way.
  public var requests: Int
  /// Requests that may wait for their turn.
  public var queue = 100
  /// The longest a request waits for its turn.
  public var wait: Duration = .seconds(30)
  /// The part of them that one client may have; nil for all of them.
  public var clientShare: ClientShare?

  /// At most `requests` at once, with the default queue.
  public init(requests: Int) {
    self.requests = requests
  }
}
