internal import Addresses
internal import Bytes
internal import Outbound
public import Reactor

/// A connection to an upstream that serves one request at a time.
public final class UpstreamConnection: ReadinessObserver {
  /// Its bytes.
  public let stream: ByteStream
  /// How many requests were sent on it before the current one.
  public internal(set) var earlierRequests = 0
  /// Whether it belongs to one client for good; see ``UpstreamPool/pin(_:)``.
  public internal(set) var isPinned = false { didSet { needsCare = true } }
  /// Whether ``UpstreamPool/release(_:)`` has more to do for it than for most connections.
  var needsCare: Bool
  /// The client that is charged for its place if loops share places; ``ClientKey/unused`` if none is.
  var holder: ClientKey
  /// Its place in its pool.
  let place: Int
  /// Which of the stores of its pool's trust the server was verified against.
  let trustGeneration: Int
  /// How long it serves requests, and how many.
  private(set) var lifetime: ConnectionLifetime
  /// The generation of its pool that it was last found good for; see ``UpstreamPool/release(_:)``.
  var generation: Int
  /// The address that it leads to, or that of the parent proxy: `192.0.2.1:443`, `[2001:db8::1]:443`.
  public let address: String
  /// The address without its port.
  let ipAddress: IPAddress
  private let charge: MemoryCharge
  private let disturbed: (UpstreamConnection) -> Void

  /// - Parameter holder: which client is charged for its place; nil if loops do not share places.
  /// - Parameter account: the memory account that it is charged to.
  /// - Parameter disturbed: called when something happens while it is idle; only then it observes its own stream.
  init(
    _ dialed: DialedConnection, place: Int, holder: ClientKey?, trustGeneration: Int, generation: Int,
    lifetime: ConnectionLifetime, account: MemoryAccount,
    disturbed: @escaping (UpstreamConnection) -> Void
  ) {
    needsCare = holder != nil
    self.holder = holder ?? .unused
    charge = MemoryCharge(MemoryCost.upstream, to: account)
    stream = dialed.stream
    address = dialed.endpoint.text
    ipAddress = dialed.endpoint.address
    self.generation = generation
    self.place = place
    self.trustGeneration = trustGeneration
    self.lifetime = lifetime
    self.disturbed = disturbed
    super.init()
  }

  /// The stream has changed although no request waits for it.
  public override func readinessChanged() {
    disturbed(self)
  }

  /// Whether it has served as long, or as many requests, as it may; `until` is how long it may be idle.
  @inline(__always) func hasServed(until: Instant, _ now: Instant) -> Bool {
    until <= now || earlierRequests >= lifetime.lastRequest
  }

  /// The TLS alert with which the server reported a failure; nil if it sent none.
  public var alert: TLSAlert? { (stream as? CurlStream)?.alert }

  /// Records what the server has announced: after how many idle seconds it closes the connection, and how many requests
  /// it accepts after the current one. Nil if it has not said so.
  public func noteAnnounced(idle seconds: UInt64?, requests: Int?) {
    if let seconds { lifetime.shortenIdle(announced: seconds) }
    if let requests { lifetime.lastRequest = min(lifetime.lastRequest, earlierRequests + requests) }
  }
}

/// How long a connection serves requests, and how many.
struct ConnectionLifetime: Equatable {
  /// How long it is kept between two requests.
  private(set) var idle: Interval
  /// From this moment on it serves no further request.
  private(set) var end = Instant.never
  /// How many requests it serves before its last one.
  var lastRequest: Int
  private let maxAge: Interval?

  /// The lifetime of a connection that does not exist yet.
  init(_ policy: ConnectionPolicy) {
    idle = Interval(policy.idle)
    maxAge = policy.maxAge.map(Interval.init)
    lastRequest = policy.isReused ? (policy.maxRequests ?? .max) - 1 : 0
  }

  /// The lifetime of a connection that is made at `now`.
  ///
  /// It is shorter than the configured age, by a tenth at most: connections made at the same moment must not all be
  /// replaced at the same moment.
  ///
  /// - Parameter place: tells it from others that are made at that moment.
  func begun(at now: Instant, place: Int) -> ConnectionLifetime {
    var begun = self
    if let maxAge {
      let tenths = SplitMix64.first(seed: now.nanoseconds &+ UInt64(truncatingIfNeeded: place)) >> 44
      // Of `maxAge / 10`, without its low 20 bits: the product fits for every age that can be set.
      let less = ((maxAge.nanoseconds / 10) >> 20) * tenths
      begun.end = now + Interval(nanoseconds: maxAge.nanoseconds - less)
    }
    return begun
  }

  /// How long the connection may be idle if it is given back at `now`; not later than `now` if it must be closed.
  @inline(__always) func idleEnd(from now: Instant) -> Instant { min(now + idle, end) }

  /// Records that the server closes an idle connection after `seconds`. A request on its way at that moment would be
  /// lost, so this leaves a margin of a second, or of a tenth if that is more.
  mutating func shortenIdle(announced seconds: UInt64) {
    let milliseconds = min(seconds, 100_000_000) * 1000
    let kept = milliseconds - min(milliseconds, max(1000, milliseconds / 10))
    idle = min(idle, Interval(nanoseconds: kept * 1_000_000))
  }
}

/// Numbers that look random, and are the same for the same seed (Steele, Lea and Flood, 2014).
private enum SplitMix64 {
  static func first(seed: UInt64) -> UInt64 {
    var bits = seed &+ 0x9e37_79b9_7f4a_7c15
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
  }
}

/// A request for an upstream connection, and its outcome.
public final class UpstreamLease {
  /// The connection, or the reason why there is none; nil while undecided.
  public private(set) var outcome: Result<UpstreamConnection, UpstreamError>?
  /// The connection that is being made for it; nil while it waits for one that is in use.
  public internal(set) var attempt: DialAttempt?

  let connectTimeout: Duration
  /// The client that it is for, and how many connections that client may use.
  let client: ClientKey
  let most: Int
  /// Whether a connection that served other requests before will not do.
  var mustBeNew = false
  /// What waits for a place that loops share; nil where it does not.
  var placeRequest: PlaceRequest?
  /// The place of the connection that is being made for it.
  var place = 0
  /// Which of the stores of its pool's trust the server is verified against.
  var trustGeneration = 0
  /// The generation of its pool in which the connection was begun.
  var generation = 0
  private let wakeup: Wakeup

  /// A lease that wakes `wakeup` when it is decided.
  ///
  /// - Parameter most: it waits while its client uses this many connections of the pool.
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
