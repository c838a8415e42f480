internal import HTTPService

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
    // A cached answer would hide that the proxy is going away.
    let fields = [ServiceField("Cache-Control", "no-store")]
    return isDraining() ? .text(503, "draining", fields: fields) : .text(200, "ok", fields: fields)
  }

  private static let index = """
    GET /healthz   200 ok, or 503 draining while the proxy finishes its last requests
    GET /metrics   counters and durations for Prometheus (text format 0.0.4)
    """
}
