/// What becomes of requests that the API refuses because there are too many: the longest wait that is worth it, and how
/// often.
public struct Throttling: Sendable, Hashable {
  /// The longest that the API may ask to wait.
  public var wait: Duration = .seconds(10)
  /// How often a request is sent again.
  public var attempts = 1

  /// Once, after ten seconds at most.
  public init() {}
}
