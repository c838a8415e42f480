public import Reactor

/// A connection to an upstream that serves one request at a time.
public final class UpstreamConnection: ReadinessObserver {
  /// Its bytes.
  public let stream: ByteStream
  /// How many requests were sent on it before the present one.
  public internal(set) var earlierRequests = 0
  /// Since when nobody uses it.
  var idleSince = Instant.never
  /// Called when something happens while nobody uses it.
  var disturbed: ((UpstreamConnection) -> Void)?

  init(_ stream: ByteStream) {
    self.stream = stream
    super.init()
  }

  /// The stream has news although nobody waits for any.
  public override func readinessChanged() {
    disturbed?(self)
  }
}
