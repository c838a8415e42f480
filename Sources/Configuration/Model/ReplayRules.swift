/// When a request is sent again although it was answered, and how much is kept for that.
public struct ReplayRules: Sendable, Hashable {
  /// Whether a request that got 401 is sent once more, with a new token.
  public var unauthorized = true
  /// When one that was throttled is; nil for never.
  public var throttled: Throttling?
  /// Bytes of a request's content that are kept for it; what is larger is sent once only. 0 for none.
  public var buffer = 64 * 1024

  /// The defaults.
  public init() {}
}
