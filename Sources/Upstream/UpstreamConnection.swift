internal import Bytes
public import Reactor

/// A connection to an upstream that serves one request at a time.
public final class UpstreamConnection: ReadinessObserver {
  /// Its bytes.
  public let stream: ByteStream
  /// How many requests were sent on it before the present one.
  public internal(set) var earlierRequests = 0
  /// Whether it belongs to one client for good; see ``UpstreamPool/pin(_:)``.
  public internal(set) var isPinned = false
  /// Where it counts in its pool.
  let place: Int
  private let charge: MemoryCharge
  private let disturbed: (UpstreamConnection) -> Void

  /// - Parameter account: where its memory counts.
  /// - Parameter disturbed: called when something happens while nobody uses it, which is when it observes its own stream.
  init(
    _ stream: ByteStream, place: Int, account: MemoryAccount, disturbed: @escaping (UpstreamConnection) -> Void
  ) {
    charge = MemoryCharge(MemoryCost.upstream, to: account)
    self.stream = stream
    self.place = place
    self.disturbed = disturbed
    super.init()
  }

  /// The stream has news although nobody waits for any.
  public override func readinessChanged() {
    disturbed(self)
  }
}
