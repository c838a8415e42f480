internal import HTTPService
public import Reactor
public import SystemPackage

/// Serves health and metrics on a listener of its own, so that no client of the proxy reaches them by chance.
///
/// Responses contain no secret, no token and no part of the configuration. Pages of other sites, which can make browsers send
/// requests here, are rejected; a page of this listener may send them.
public final class AdminServer: Sendable {
  /// The bound address as `host:port`.
  public let address: String
  /// The bound port.
  public let port: UInt16

  private let service: HTTPService
  private let pages: AdminPages
  private let pace: MetricsPace

  /// Binds `host` (a numeric address) and `port` (0: any free one). Accepts no connection before ``start()``.
  ///
  /// - Parameters:
  ///   - loop: its thread serves requests and calls the two closures.
  ///   - metrics: the metrics in Prometheus' text format 0.0.4.
  ///   - isDraining: whether the proxy is about to stop and should get no new requests.
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

  /// Starts to serve. Call it on the loop's thread, or before the loop runs.
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

/// The responses of the admin listener: a value, so that tests need no socket.
struct AdminPages: Sendable {
  /// Clients of the admin listener send no body, and a request every few seconds. Four places are reserved for this machine: a
  /// health check always finds one, however many connections the network makes.
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
/// Limits the time for writing metrics to a tenth of the loop's time: the loop has requests to serve, and with many routes the
/// metrics are long.
///
/// A request never gets metrics from before it arrived. It waits its turn, and all waiting requests get the same text.
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

  /// The moment until which a request that arrived at `arrival` must wait; nil if it need not.
  func delay(since arrival: Instant) -> Instant? {
    if let last, last.begun >= arrival { return nil }
    return clock() < next ? next : nil
  }

  /// The metrics. Call it when ``delay(since:)`` returns nil.
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
