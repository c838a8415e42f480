internal import HTTPService
public import Reactor
public import SystemPackage

/// Health and metrics, on a listener of its own so that no client of the proxy reaches it by chance.
///
/// Nothing that it answers holds a secret, a token or a piece of the configuration. What it answers is not for the pages of
/// other sites, which make browsers send requests here; a page of its own may ask it.
public final class AdminServer: Sendable {
  /// The address that is really bound, as `host:port`.
  public let address: String
  /// The port that is really bound.
  public let port: UInt16

  private let service: HTTPService
  private let pages: AdminPages
  private let pace: MetricsPace

  /// Binds `host` (a numeric address) and `port` (0: any free one); accepts nothing before ``start()``.
  ///
  /// - Parameters:
  ///   - loop: whose thread answers, and calls the two closures.
  ///   - metrics: the metrics in Prometheus' text format 0.0.4.
  ///   - isDraining: whether the proxy is about to stop, so that nothing new should be sent to it.
  /// - Throws: why the address cannot be bound.
  public convenience init(
    host: String, port: UInt16, on loop: EventLoop, metrics: @escaping @Sendable () -> [UInt8],
    isDraining: @escaping @Sendable () -> Bool
  ) throws(Errno) {
    self.init(
      try ListeningSocket(host: host, port: port, sharesPort: false), on: loop, metrics: metrics, isDraining: isDraining
    )
  }

  /// Accepts from `socket`, from ``start()`` on.
  public init(
    _ socket: consuming ListeningSocket, on loop: EventLoop, metrics: @escaping @Sendable () -> [UInt8],
    isDraining: @escaping @Sendable () -> Bool
  ) {
    pages = AdminPages(isDraining: isDraining)
    pace = MetricsPace(on: loop, write: metrics)
    service = HTTPService(socket, limits: AdminPages.limits, refusesForeignPages: true, on: loop)
    address = service.address
    self.port = service.port
  }

  /// Begins to answer. On the loop's thread, or before the loop runs.
  /// - Throws: what the kernel says when it cannot watch another descriptor.
  public func start() throws(Errno) {
    let (pages, pace) = (pages, pace)
    let delay: HTTPService.Delay = { request, arrival in
      request.path == AdminPages.metricsPath ? pace.delay(since: arrival) : nil
    }
    try service.start(delay: delay) { pages.answer($0) { pace.metrics() } }
  }

  /// What another process needs to accept from the same socket; nil when it is closed. On the loop's thread.
  public func copyListener() throws(Errno) -> ListenerCopy? { try service.copyListener() }

  /// Frees the port, and ends idle connections. On the loop's thread.
  ///
  /// - Parameter isPassedOn: whether another process accepts from the same socket from now on.
  public func close(isPassedOn: Bool = false) {
    service.close(isPassedOn: isPassedOn)
    pace.stop()
  }
}

/// What the admin listener answers: a value, so that it can be tested without a socket.
struct AdminPages: Sendable {
  /// Clients of the admin listener send no content, and a request every few seconds.
  /// Four places are for this machine alone: a health check needs one, however many connections the network makes.
  static let limits = ServiceLimits(
    body: 0, connections: 64, reservedForLocal: 4, headTimeout: .seconds(5), bodyTimeout: .seconds(10),
    transferTimeout: .seconds(30))

  static let metricsPath = "/metrics"

  /// Whether the proxy is about to stop.
  let isDraining: @Sendable () -> Bool

  /// - Parameter metrics: the metrics in Prometheus' text format.
  func answer(_ request: ServiceRequest, metrics: () -> [UInt8]) -> ServiceResponse {
    guard ["/", "/healthz", Self.metricsPath].contains(request.path) else {
      return .text(404, "There is no \(request.path) here. What there is:\n\n\(Self.index)")
    }
    guard request.method == "GET" || request.method == "HEAD" else {
      return .methodNotAllowed(allowed: ["GET", "HEAD"])
    }
    switch request.path {
    case "/healthz": return health()
    case Self.metricsPath:
      return ServiceResponse(status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: metrics())
    default: return .text(200, "m2m-proxy: health and metrics\n\n\(Self.index)")
    }
  }

  private func health() -> ServiceResponse {
    // A cached response would hide that the proxy is going away.
    let fields = [ServiceField("Cache-Control", "no-store")]
    return isDraining() ? .text(503, "draining", fields: fields) : .text(200, "ok", fields: fields)
  }

  private static let index = """
    GET /healthz   200 ok, or 503 draining while the proxy finishes its last requests
    GET /metrics   counters and durations for Prometheus (text format 0.0.4)
    """
}

// Sendable because it is used on its loop's thread only.
/// Writes the metrics without taking more than a tenth of the loop's time for it: the loop has requests of the proxy to serve,
/// and with many routes the metrics are long.
///
/// A request never gets metrics from before it arrived. It waits for its turn, and all that wait get the same text.
final class MetricsPace: @unchecked Sendable {
  private let loop: EventLoop
  private let clock: () -> Instant
  private let write: () -> [UInt8]
  private let timer = LoopTimer()
  private var last: (text: [UInt8], begun: Instant)?
  private var next = Instant(nanoseconds: 0)

  init(on loop: EventLoop, clock: @escaping () -> Instant = { .now }, write: @escaping () -> [UInt8]) {
    self.loop = loop
    self.clock = clock
    self.write = write
    timer.action = { [unowned self] in last = nil }
  }

  /// Until when a request that arrived at `arrival` has to wait; nil if not at all.
  func delay(since arrival: Instant) -> Instant? {
    if let last, last.begun >= arrival { return nil }
    return clock() < next ? next : nil
  }

  /// The metrics, when ``delay(since:)`` has said that it need not wait.
  func metrics() -> [UInt8] {
    let begun = clock()
    if let last, begun < next { return last.text }
    let text = write()
    let end = clock()
    next = end + .nanoseconds(Int64(clamping: (end - begun) * 9))
    last = (text, begun)
    // From then on they are written again.
    loop.set(timer, to: next)
    return text
  }

  func stop() {
    loop.retire(timer)
    last = nil
  }
}
