internal import Bytes
public import Reactor

/// A connection to an upstream that serves one request at a time.
public final class UpstreamConnection: ReadinessObserver {
  /// Its bytes.
  public let stream: ByteStream
  /// How many requests were sent on it before the present one.
  public internal(set) var earlierRequests = 0
  /// Whether it belongs to one client for good; see ``UpstreamPool/pin(_:)``.
  public internal(set) var isPinned = false { didSet { needsCare = true } }
  /// Whether ``UpstreamPool/release(_:)`` has more to do than for most connections.
  var needsCare: Bool
  /// The client that is charged for its place, where loops share places; ``ClientKey/unused`` where none is.
  var holder: ClientKey
  /// Where it counts in its pool.
  let place: Int
  /// By which of the stores of its pool's trust the server was verified.
  let trustGeneration: Int
  private let charge: MemoryCharge
  private let disturbed: (UpstreamConnection) -> Void

  /// - Parameter holder: which client is charged for its place; nil where loops do not share places.
  /// - Parameter account: where its memory counts.
  /// - Parameter disturbed: called when something happens while it is not in use; only then it observes its own stream.
  init(
    _ stream: ByteStream, place: Int, holder: ClientKey?, trustGeneration: Int, account: MemoryAccount,
    disturbed: @escaping (UpstreamConnection) -> Void
  ) {
    needsCare = holder != nil
    self.holder = holder ?? .unused
    charge = MemoryCharge(MemoryCost.upstream, to: account)
    self.stream = stream
    self.place = place
    self.trustGeneration = trustGeneration
    self.disturbed = disturbed
    super.init()
  }

  /// The stream has news although no request waits for any.
  public override func readinessChanged() {
    disturbed(self)
  }
}

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
  /// What waits for a place that loops share; nil where it does not.
  var placeRequest: PlaceRequest?
  /// Where the connection that is being made for it counts.
  var place = 0
  /// By which of the stores of its pool's trust the server is verified.
  var trustGeneration = 0
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
