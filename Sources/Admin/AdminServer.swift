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
  public init(
    host: String, port: UInt16, on loop: EventLoop, metrics: @escaping @Sendable () -> [UInt8],
    isDraining: @escaping @Sendable () -> Bool
  ) throws(Errno) {
    pages = AdminPages(isDraining: isDraining)
    pace = MetricsPace(on: loop, write: metrics)
    service = try HTTPService(host: host, port: port, limits: AdminPages.limits, refusesForeignPages: true, on: loop)
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

  /// Frees the port, and ends idle connections. On the loop's thread.
  public func close() {
    service.close()
    pace.stop()
  }
}
