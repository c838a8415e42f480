/// How much of everything there may be.
public struct Limits: Sendable, Hashable {
  /// Bytes of a request line and its fields together.
  public var head = 32 * 1024
  /// Field lines of a request.
  public var fields = 100
  /// Client connections in all.
  public var connections = 10_000
  /// Connections per upstream, all loops together.
  public var upstreamConnections = 256
  /// Requests per upstream that may wait for a connection when all are in use.
  public var queue = 1_000

  /// The defaults.
  public init() {}
}
