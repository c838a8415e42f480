internal import Addresses
internal import Bytes
internal import Outbound
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
  /// How long it serves requests.
  private(set) var lifetime: ConnectionLifetime
  /// Which state of its pool it was last found to be good for; see ``UpstreamPool/release(_:)``.
  var generation: Int
  /// The address that it leads to, that of a parent proxy where there is one: `192.0.2.1:443`, `[2001:db8::1]:443`.
  public let address: String
  /// The address without its port.
  let ipAddress: IPAddress
  private let charge: MemoryCharge
  private let disturbed: (UpstreamConnection) -> Void

  /// - Parameter holder: which client is charged for its place; nil where loops do not share places.
  /// - Parameter account: where its memory counts.
  /// - Parameter disturbed: called when something happens while it is not in use; only then it observes its own stream.
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

  /// The stream has news although no request waits for any.
  public override func readinessChanged() {
    disturbed(self)
  }

  /// Whether it has served for as long as it may, or as many requests; `until` is how long it may be idle.
  @inline(__always) func hasServed(until: Instant, _ now: Instant) -> Bool {
    until <= now || earlierRequests >= lifetime.lastRequest
  }

  /// The alert of TLS by which the server has reported a failure; nil where it has sent none.
  public var alert: TLSAlert? { (stream as? CurlStream)?.alert }

  /// Takes in what the server has announced: when it closes an unused connection, in seconds, and how many requests it
  /// accepts after the present one. Nil where it has not said so.
  public func noteAnnounced(idle seconds: UInt64?, requests: Int?) {
    if let seconds { lifetime.shortenIdle(announced: seconds) }
    if let requests { lifetime.lastRequest = min(lifetime.lastRequest, earlierRequests + requests) }
  }
}

/// How long a connection serves requests, and how many.
struct ConnectionLifetime: Equatable {
  /// It is kept this long between two requests.
  private(set) var idle: Interval
  /// From this moment on it serves no further request.
  private(set) var end = Instant.never
  /// How many requests come before its last one.
  var lastRequest: Int
  private let maxAge: Interval?

  /// That of a connection that is not there yet.
  init(_ policy: ConnectionPolicy) {
    idle = Interval(policy.idle)
    maxAge = policy.maxAge.map(Interval.init)
    lastRequest = policy.isReused ? (policy.maxRequests ?? .max) - 1 : 0
  }

  /// The lifetime of a connection that is made at `now`.
  ///
  /// It is shorter than the age that is set, by a tenth at most: connections that were made at one moment must not be made
  /// again at one moment.
  ///
  /// - Parameter place: tells it from others that are made at that moment.
  func begun(at now: Instant, place: Int) -> ConnectionLifetime {
    var begun = self
    if let maxAge {
      let tenths = SplitMix64.first(seed: now.nanoseconds &+ UInt64(truncatingIfNeeded: place)) >> 44
      // 20 bits of it: the product fits for each age that can be set.
      let less = ((maxAge.nanoseconds / 10) >> 20) * tenths
      begun.end = now + Interval(nanoseconds: maxAge.nanoseconds - less)
    }
    return begun
  }

  /// Until when the connection may be idle, if it is given back at `now`; not later than `now` where it must be closed.
  @inline(__always) func idleEnd(from now: Instant) -> Instant { min(now + idle, end) }

  /// Takes in that the server closes an unused connection after `seconds`. A request that is on its way at that moment would
  /// be lost, so that a second is left, or a tenth where that is more.
  mutating func shortenIdle(announced seconds: UInt64) {
    let milliseconds = min(seconds, 100_000_000) * 1000
    let kept = milliseconds - min(milliseconds, max(1000, milliseconds / 10))
    idle = min(idle, Interval(nanoseconds: kept * 1_000_000))
  }
}

/// Numbers that look random and are the same for the same seed (Steele, Lea and Flood, 2014).
private enum SplitMix64 {
  static func first(seed: UInt64) -> UInt64 {
    var bits = seed &+ 0x9e37_79b9_7f4a_7c15
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
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
  /// Whether a connection that served other requests before will not do.
  var mustBeNew = false
  /// What waits for a place that loops share; nil where it does not.
  var placeRequest: PlaceRequest?
  /// Where the connection that is being made for it counts.
  var place = 0
  /// By which of the stores of its pool's trust the server is verified.
  var trustGeneration = 0
  /// In which state of its pool the connection was begun.
  var generation = 0
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
